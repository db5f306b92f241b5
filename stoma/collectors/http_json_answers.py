"""An answer that should be JSON: its value, its items, and what a source says when it complains. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from stoma.collectors.answers import first_words, shortened
from stoma.collectors.http_json_lists import DEEPEST, lists_in, only_list
from stoma.errors import BadAnswer
from stoma.paths import Path, path_of
from stoma.wording import listed

if TYPE_CHECKING:
    from stoma.collectors.http import Response

_LINES = re.compile(r"ndjson|jsonl|json-?lines|json-seq", re.IGNORECASE)
_LINES_FILE = re.compile(r"\.(ndjson|jsonl)([?#]|$)", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_DIGITS = bytes(0x30 if 0x30 <= code <= 0x39 else 0x20 for code in range(256))
_LARGEST = 2**63
_OF_ERRORS = ("error", "errors", "message", "error_description", "detail", "title", "msg", "reason")


def read_json(response: Response, *, is_lines: bool = False) -> Any:
    """The value of an answer, whatever its content type says; a list for lines of JSON. Raises BadAnswer.

    With `is_lines` each line is one value, however few there are.
    """
    body = response.body
    kind = response.headers.get("content-type", "")
    if is_lines:
        return _lines(response, kind, ValueError(), is_lines)
    is_lines = bool(_LINES.search(kind) or _LINES_FILE.search(response.url))
    if not body.strip():
        if response.status == 204 or is_lines:
            return []
        raise BadAnswer(f"{response.shown} answers with nothing, expected JSON")
    try:
        value = _loads(body, kind)
    except ValueError as error:
        return _lines(response, kind, error, is_lines)
    return [value] if is_lines and isinstance(value, Mapping) else value


def items_of(value: Any, path: Path | None, shown: str) -> tuple[list[Any], Path | None]:
    """The items of an answer, and the path to them; without a path those of the list that `only_list` finds.

    The path is None where an answer without items does not tell where they would lie. Raises BadAnswer where they are
    not there, UsageError where nobody can tell which list is meant.
    """
    if path is None:
        path = _guessed(value, shown)
    if path is None:
        return [], None
    try:
        found = path.find(value)
    except ValueError as error:
        raise BadAnswer(f"{shown}: items: {path.text} cannot be found: {error}") from None
    if isinstance(found, list):
        return found, path
    if isinstance(found, Mapping):
        return [found], path
    if found is None and _is_empty(value, path):
        return [], path
    what = "nothing" if found is None else f"a {type(found).__name__}"
    words = f"items: {path.text} leads to {what}, expected a list{_instead(value)}"
    raise BadAnswer(f"{shown}: {words}", _hint(path))


def _guessed(value: Any, shown: str) -> Path | None:
    if isinstance(value, list):
        return path_of("@")
    try:
        return only_list(value, shown)
    except LookupError:
        raise BadAnswer(
            f"{shown}: there is no list in the answer{_instead(value)}",
            'items: "@" takes the answer itself as one item, items: "*" the values of a mapping',
        ) from None


def columns_of(path: Path) -> Path:
    """A path to a mapping of equally long lists, read as the items of which each list holds one value."""

    def find(value: Any) -> Any:
        found = path.find(value)
        if not isinstance(found, Mapping):
            return found if isinstance(found, int | str | float) else None
        columns = {name: column for name, column in found.items() if isinstance(column, list)}
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            told = listed([f"{name} ({len(column)})" for name, column in list(columns.items())[:20]], "and")
            raise ValueError(f"its columns are not equally long: {told}")
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    return Path(f"{{columns: {path.text}}}", find, None)


def reason(response: Response) -> str:
    """Why a source refuses, in its own words; raises ValueError where the body is no JSON."""
    return complaint(orjson.loads(response.body))


def complaint(value: Any, names: tuple[str, ...] = _OF_ERRORS) -> str:
    """What a mapping says is wrong; empty where it says nothing."""
    return shortened("; ".join(dict.fromkeys(_complaints(value, names))))


def _complaints(value: Any, names: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip().rstrip(".")
    elif isinstance(value, list):
        for part in value[:3]:
            yield from _complaints(part, names, depth + 1)
    elif isinstance(value, Mapping) and depth < DEEPEST:
        for name in names:
            if value.get(name):
                yield from _complaints(value[name], _OF_ERRORS, depth + 1)


def packed(value: Any) -> bytes:
    """A value as bytes, the same for equal ones."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode("ascii")


def _loads(body: bytes, kind: str) -> Any:
    """One JSON value; raises ValueError."""
    # Beyond 64 bits orjson gives a rounded number, and ids must not be rounded.
    if b"0" * 19 not in body.translate(_DIGITS):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
    try:
        return json.loads(
            _text(body, kind), parse_int=_whole, parse_float=_finite, parse_constant=_no_constant
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _text(body: bytes, kind: str) -> str:
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        label = _CHARSET.search(kind)
        if label is None or label[1].lower() in ("utf-8", "utf8"):
            raise ValueError(f"it is not {encoding.upper()}") from None
    try:
        return body.decode(label[1])
    except (LookupError, UnicodeDecodeError):
        raise ValueError(f"it is not {label[1]}, as it says") from None


def _whole(digits: str) -> int | str:
    """A number that a database can hold; the digits of any other as text, for it is an id."""
    if len(digits) < 19:
        return int(digits)
    return number if len(digits) < 21 and -_LARGEST <= (number := int(digits)) < _LARGEST else digits


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:40]} is too large for a number")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _lines(response: Response, kind: str, error: ValueError, is_lines: bool) -> list[Any]:
    """JSON in lines, one value in each; raises BadAnswer with `error` where it is not even that."""
    found: list[Any] = []
    for number, line in enumerate(response.body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(_loads(line, kind))
        except ValueError as fault:
            is_page = not found and line.lstrip(b"\xef\xbb\xbf \t").startswith(b"<")
            if found or (is_lines and not is_page):
                raise BadAnswer(f"{response.shown}: line {number} is not JSON ({_words(fault)})") from None
            raise _no_json(response, error) from None
    if len(found) < 2 and not is_lines:
        raise _no_json(response, error)
    return found


def _no_json(response: Response, error: ValueError) -> BadAnswer:
    body = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if body.startswith(b"<"):
        said = first_words(body) or "nothing"
        return BadAnswer(f"{response.shown} answers with a page for people instead of JSON; it says: {said}")
    begins = f"it begins {response.opening!r}"
    return BadAnswer(f"{response.shown} is not JSON ({_words(error)}); {begins}")


def _words(error: ValueError) -> str:
    return str(error).partition(" (char")[0]


def _is_empty(value: Any, path: Path) -> bool:
    """True where a plain path ends at a null: some sources write an empty list like this."""
    if path.keys is None:
        return False
    *before, last = path.keys
    for name in before:
        value = value.get(name) if isinstance(value, Mapping) else None
    return isinstance(value, Mapping) and last in value


def _instead(value: Any) -> str:
    """What is there in place of items, for an error."""
    if said := complaint(value, ("error", "errors", "message")) if isinstance(value, Mapping) else "":
        return f"; it says: {said}"
    if not isinstance(value, Mapping):
        return f"; it is a {type(value).__name__}"
    if lists := [path for path, _ in lists_in(value)][:20]:
        return f"; there are lists at {shortened(listed(lists, 'and'))}"
    keys = [str(key) for key in list(value)[:20]] or ["nothing"]
    return f"; it has {shortened(listed(keys, 'and'))}"


def _hint(path: Path) -> str:
    return f"where a missing list means an empty one, write items: {path.text} || `[]`" if path.keys else ""
