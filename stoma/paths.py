"""Paths into JSON, as `items: data.results` has them: JMESPath, whose plain ones become bare look-ups.

A plain path (`a.b.c`, `a[0].b`, `"odd name".b`) means the same to both; looked up directly it is many times faster.
Specification: https://jmespath.org/specification.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from stoma.wording import did_you_mean, shown

Look = Callable[[Any], Any]

LONGEST = 1_000
"""Characters of a path: the library parses by recursion."""

_STEP = re.compile(
    r"""(?P<dot>\.)?(?: (?P<name>[A-Za-z_][A-Za-z0-9_]*) | "(?P<quoted>[^"\\]+)" ) | \[(?P<index>-?[0-9]{1,9})\]""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was understood. `find` gives what it leads to, None for nothing; it may raise ValueError."""

    text: str
    find: Look
    # The keys and positions of a plain path; None for any other.
    steps: tuple[str | int, ...] | None

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The steps of a path that goes through mappings alone; None for any other."""
        found = tuple(step for step in self.steps or () if isinstance(step, str))
        return found if found and found == self.steps else None


@lru_cache(1_000)
def path_of(text: str) -> Path:
    """The path that `text` writes; ValueError for one that is none, or that could only ever fail."""
    plain = text.strip()
    steps = _steps(plain)
    if steps is not None:
        return Path(text, _look_up(steps), steps)
    return Path(text, _search(plain), None)


def missing(path: Path, value: Any) -> tuple[str, list[str]] | None:
    """The first key of a plain path that a mapping on its way lacks, and the keys that this one has; None for none.

    Nothing is said of a path through what is no mapping, of a position that a list does not have, and of expressions.
    """
    for step in path.steps or ():
        if isinstance(step, str):
            if not isinstance(value, dict):
                return None
            if step not in value:
                return step, [str(key) for key in value]
        elif not isinstance(value, list) or not -len(value) <= step < len(value):
            return None
        value = value[step]
    return None


def _steps(text: str) -> tuple[str | int, ...] | None:
    """The steps of a plain path, none for `@`; None for what only the library understands."""
    if text == "@":
        return ()
    found: list[str | int] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        # A name stands behind a dot, except at the beginning.
        if step is None or (step["index"] is None and bool(step["dot"]) is not bool(found)):
            return None
        found.append(int(step["index"]) if step["index"] else step["name"] or step["quoted"])
        at = step.end()
    return tuple(found) or None


def _look_up(steps: tuple[str | int, ...]) -> Look:
    if len(steps) == 1 and isinstance(steps[0], str):
        name = steps[0]
        return lambda value: value.get(name) if isinstance(value, dict) else None
    if all(isinstance(step, str) for step in steps):

        def through_keys(value: Any) -> Any:
            for step in steps:
                if not isinstance(value, dict):
                    return None
                value = value.get(step)
            return value

        return through_keys

    def through(value: Any) -> Any:
        for step in steps:
            if isinstance(step, str):
                value = value.get(step) if isinstance(value, dict) else None
            else:
                fits = isinstance(value, list) and -len(value) <= step < len(value)
                value = value[step] if fits else None
        return value

    return through


def _search(text: str) -> Look:
    from jmespath import compile
    from jmespath.exceptions import JMESPathError

    if len(text) > LONGEST:
        raise ValueError(f"a path has at most {LONGEST:,} letters; this one has {len(text):,}")
    try:
        expression = compile(text)
        faults = list(_faults(expression.parsed))
    except (JMESPathError, RecursionError) as error:
        raise ValueError(f'"{shown(text)}" is not a path: {_why(error, text)}{_meant(text)}') from None
    if faults:
        raise ValueError(f'"{shown(text)}" is not a path: {faults[0]}')
    return expression.search


def _why(error: Exception, text: str) -> str:
    at = getattr(error, "lex_position", None)
    if at is None:
        return "it is nested too deeply" if isinstance(error, RecursionError) else "it is empty"
    if at >= len(text):
        return "it breaks off at its end"
    return f"letter {at + 1} ({shown(text[at])}) cannot stand there"


def _meant(text: str) -> str:
    if text.startswith("$"):
        return '; it is JMESPath, which begins without "$."'
    if re.search(r"\.[0-9]", text):
        return "; a position is written [0], not .0"
    names = text.split(".")
    if all(names) and not re.search(r"[\"'`()\[\]{}*?|&]", text):
        quoted = ".".join(name if _STEP.fullmatch(name) else f'"{name}"' for name in names)
        return f"; with other characters than letters, digits and _ a name stands in double quotes: '{shown(quoted)}'"
    return ""


def _faults(node: Any) -> Iterator[str]:
    """Functions that do not exist, or not with so many arguments: the library says so only when they are called."""
    from jmespath.functions import Functions

    known = Functions.FUNCTION_TABLE
    if isinstance(node, Mapping):
        if node["type"] == "function_expression":
            name, given = node["value"], len(node["children"])
            if name not in known:
                yield f"there is no function {shown(name)}(){did_you_mean(name, known)}"
            else:
                signature = known[name]["signature"]
                is_open = bool(signature) and bool(signature[-1].get("variadic"))
                if given < len(signature) or (given > len(signature) and not is_open):
                    least = "at least " if is_open else ""
                    number = f"{len(signature)} argument{'s' if len(signature) > 1 else ''}"
                    yield f"{name}() takes {least}{number}, not {given}"
        for child in node["children"]:
            yield from _faults(child)
