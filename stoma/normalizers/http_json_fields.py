"""How one field of a record is made of an item: where it is found, what it becomes, and what stands in for it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from stoma.instants import instant_of, written
from stoma.paths import Path, path_of
from stoma.wording import shown

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LARGEST = 2**63
SHORT = 100
"""Letters of a text that is put into one line as quickly as it is looked at."""

CONTROL = bytes(range(0x20))
"""The white space of ASCII but for the blank, and its neighbours."""

_TEXT = frozenset({str})
_NAMES = ("name", "login", "title", "label", "term", "display_name", "full_name")


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of `fields` or `measures`; `cast` raises ValueError."""

    name: str
    path: Path | None
    cast: Callable[[Any], Any] | None
    default: Any = None

    @classmethod
    def of(cls, name: str, given: str | Mapping[str, Any], cast: Callable[[Any], Any] | None = None) -> Field:
        """A path, or a mapping with a path, a default or both; `cast` holds where the config names none."""
        if isinstance(given, str):
            return cls(name, path_of(given), cast)
        path = path_of(given["path"]) if "path" in given else None
        return cls(name, path, CASTS.get(given.get("cast", ""), cast), given.get("default"))

    @property
    def plain_key(self) -> str | None:
        """The key of a mapping where the value lies as it is; None where there is more to it."""
        keys = (
            self.path.keys if self.path is not None and self.cast is None and self.default is None else None
        )
        return keys[0] if keys and len(keys) == 1 else None

    @property
    def look(self) -> Callable[[Any], Any]:
        """What gives `value`, without a detour where the field is no more than a plain path, which raises nothing."""
        is_plain = self.path is not None and self.path.steps and self.cast is None and self.default is None
        return self.path.find if self.path is not None and is_plain else self.value

    def value(self, item: Any) -> Any:
        """What the field is for this item; raises ValueError where it is something else and there is no default."""
        try:
            found = self.path.find(item) if self.path is not None else None
            if found is not None:
                return self.cast(found) if self.cast is not None else found
        except ValueError as error:
            if self.default is None:
                raise ValueError(f"{self.name}: {error}") from None
        return self.default


def as_int(value: Any) -> int:
    """A whole number; a text or a number with nothing behind the point will do."""
    try:
        number = int(value) if isinstance(value, str) and "." not in value else float_of(value)
        found = int(number)
    except (ValueError, OverflowError):
        raise _not(value, "a whole number") from None
    if found != number or not -_LARGEST <= found < _LARGEST:
        raise _not(value, "a whole number of at most 64 bits")
    return found


def as_float(value: Any) -> float:
    """A number with a point."""
    return float(float_of(value))


def as_number(value: Any) -> int | float:
    """A number as it is, or one that a text spells."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+\s*", value):
        return as_int(value)
    if isinstance(value, bool):
        raise _not(value, "a number")
    return float_of(value)


def float_of(value: Any) -> int | float:
    """A finite number from a number, true or false, or a text."""
    if isinstance(value, int | float):
        found: int | float = value
    elif isinstance(value, str):
        try:
            found = float(value)
        except ValueError:
            raise _not(value, "a number") from None
    else:
        raise _not(value, "a number")
    if not math.isfinite(found):
        raise _not(value, "a number")
    return found


def as_text(value: Any) -> str:
    """A text; of lists and mappings their JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return orjson.dumps(value).decode()
    return str(value)


def as_bool(value: Any) -> bool:
    """True or false, also as 1 and 0, or in words."""
    found = _WORDS.get(str(value).strip().lower())
    if found is None:
        raise _not(value, "true or false")
    return found


def as_date(value: Any) -> str:
    """An instant as text: ISO 8601 in UTC."""
    instant = instant_of(value)
    return str(written(instant, "iso")) if not instant.microsecond else instant.isoformat()[:-6] + "Z"


def as_list(value: Any) -> list[Any]:
    """A list; a text is cut at its commas, anything else is the only entry."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value if isinstance(value, list) else [value]


CASTS: Mapping[str, Callable[[Any], Any]] = {
    "int": as_int,
    "float": as_float,
    "str": as_text,
    "bool": as_bool,
    "date": as_date,
    "list": as_list,
}


def line_of(value: Any) -> str:
    """One line of text for a record; raises ValueError for what is no single value."""
    if isinstance(value, str):
        return _in_line(value) if len(value) > SHORT else " ".join(value.split())
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _not(value, "text")
    return str(value)


def _in_line(text: str) -> str:
    """A text with one blank in place of any white space."""
    if len(text) > SHORT and "  " not in text and text.isascii():
        # Most are so already: to see that costs a third of making them so.
        is_plain = len(text.encode().translate(None, CONTROL)) == len(text)
        if is_plain and text[0] != " " and text[-1] != " ":
            return text
    return " ".join(text.split())


def names_of(value: Any) -> tuple[str, ...]:
    """Names from a list of texts or of mappings with a name, or from one of these."""
    if isinstance(value, list) and _TEXT.issuperset(map(type, value)):
        # All at once: a name with a blank at its end, or an empty one, would give two blanks in a row.
        joined = " ".join(value)
        if joined and " ".join(joined.split()) == joined:
            return tuple(dict.fromkeys(value))
    found = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            one = next((one[name] for name in _NAMES if isinstance(one.get(name), str)), None)
        found.append(line_of(one))
    return tuple(dict.fromkeys(name for name in found if name))


def id_of(value: Any) -> str:
    """A part of a key: a text, or the digits of a number; raises ValueError for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _not(value, "a text or a number")
    return str(value)


def _not(value: Any, wanted: str) -> ValueError:
    found = shown(value if isinstance(value, str) else repr(value), 60)
    if isinstance(value, Mapping | list):
        found = "a list" if isinstance(value, list) else "a mapping"
    return ValueError(f"found {found}, expected {wanted}")
