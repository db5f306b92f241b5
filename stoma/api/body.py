"""From the bytes of a request's body to JSON that fits the schema of its route; what does not fit is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from stoma.documents import Checker, explain, of_values
from stoma.errors import UsageError
from stoma.wording import shown

DEEPEST = 20
"""Lists and objects inside one another; nothing that is sent here needs as many."""

EXAMPLE = "send an object, with Content-Type: application/json"
_WORDS = {list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}


def read_body(schema: Mapping[str, Any], raw: bytes, kind: str = "") -> dict[str, Any]:
    """The object in `raw`, whose Content-Type is `kind`; raises UsageError saying what is wrong with it and where."""
    plain = kind.partition(";")[0].strip().lower()
    if plain not in ("", "application/json"):
        raise UsageError(f"Content-Type is {shown(plain)}, expected application/json", EXAMPLE)
    found = _parsed(raw)
    if not isinstance(found, dict):
        raise UsageError(f"the body is {_WORDS.get(type(found), 'nothing')}, expected an object", EXAMPLE)
    faults = _checker(json.dumps(schema)).faults(found)
    # As a part of something, so that it is called by its name.
    within = [replace(fault, path=("body", *fault.path)) for fault in faults]
    if problems := explain(of_values({"body": found}), within, {}):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UsageError(f"{problems[0].message}{more}", problems[0].hint)
    return found


def _parsed(raw: bytes) -> Any:
    if not raw.strip():
        raise UsageError("the body is empty, expected an object", EXAMPLE)
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError:
        raise UsageError("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"the body is not JSON: {error.msg} at {place}", EXAMPLE) from None
    except ValueError:  # a number of thousands of digits
        raise UsageError("the body holds a number that is too long") from None
    except RecursionError:
        raise _too_deep() from None
    _check(found)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        again = next(name for name in found if names.count(name) > 1)
        # One of them would count, and nobody would know which.
        raise UsageError(f'the body says "{shown(again)}" more than once')
    return found


def _constant(word: str) -> Any:
    raise UsageError(f"the body is not JSON: {word} is no number there")


def _check(value: Any, depth: int = 1) -> None:
    """Refuse what is JSON to Python and cannot be kept as text, or cannot be told again."""
    if depth > DEEPEST:
        raise _too_deep()
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise UsageError("the body holds half a letter: a lone surrogate")
    elif isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            raise UsageError("the body holds a number that is too great")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check(name, depth)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)


def _too_deep() -> UsageError:
    return UsageError(f"the body is nested too deep: at most {DEEPEST} lists and objects inside one another")


@cache
def _checker(schema: str) -> Checker:
    return Checker(json.loads(schema))
