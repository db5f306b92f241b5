"""Each fault as a sentence for people: the value's path, what was found, what is allowed, what was probably meant.

The wording has tests, because the wording is the interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

from stoma.documents.building import MOST_FAULTS
from stoma.documents.checking import Fault, Format, Path
from stoma.documents.reading import Document
from stoma.documents.schemas import Schema, schema, schema_names
from stoma.errors import Problem
from stoma.references import REFERENCE
from stoma.wording import did_you_mean, listed, shown

_TYPES = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "a mapping", "null": "nothing",
}  # fmt: skip
_OF_A_VALUE = ("type", "format", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "pattern")


def explain(document: Document, faults: Iterable[Fault], formats: Mapping[str, Format]) -> list[Problem]:
    """The faults of one file as problems, in the order of the file, each value's fault once."""
    problems = list(islice(_told(document, faults, formats), MOST_FAULTS + 1))
    if len(problems) > MOST_FAULTS:
        problems[-1] = Problem("this file has more faults than these; mend them first", document.name)
    return sorted(problems, key=lambda problem: (problem.line == 0, problem.line, problem.column))


def _told(document: Document, faults: Iterable[Fault], formats: Mapping[str, Format]) -> Iterator[Problem]:
    told: set[Path] = set()
    for fault in faults:
        # A value of the wrong type also fails its pattern, its format and its list of allowed words.
        if fault.error.validator in _OF_A_VALUE:
            about = (*fault.path, str(fault.error.instance)) if _is_of_name(fault) else fault.path
            if about in told:
                continue
            told.add(about)
        yield from _explained(document, fault, formats)


def _explained(document: Document, fault: Fault, formats: Mapping[str, Format]) -> Iterator[Problem]:
    error: Any = fault.error
    path, keyword, schema = fault.path, str(error.validator), fault.schema
    if keyword == "additionalProperties":
        allowed = list(schema.get("properties", {}))
        for key in error.instance:
            if key not in allowed:
                yield _unknown_key(document, path, key, allowed)
    elif _is_of_name(fault):
        yield _bad_name(document, path, error)
    elif keyword == "required":
        # One fault for each missing key; jsonschema names it only in its message.
        missing = next(key for key in error.validator_value if error.message.startswith(repr(key)))
        about = schema.get("properties", {}).get(missing, {}).get("description", "")
        yield document.problem(path, f'{place_of(path)} has no "{missing}"', about, of_key=True)
    elif keyword in {"anyOf", "not"}:
        yield document.problem(
            path, f"{place_of(path)} {_of_keys(keyword, error.validator_value)}", of_key=True
        )
    else:
        secret = bool(schema.get("writeOnly"))
        joined = not path and isinstance(error.instance, str) and re.match(r"[\w-]+:\S", error.instance)
        hint = 'write a space after the ":"' if joined else ""
        yield document.problem(path, f"{name_of(path)}: {_of_value(error, formats)}", hint, secret=secret)


def _is_of_name(fault: Fault) -> bool:
    return "propertyNames" in fault.error.absolute_schema_path


def _unknown_key(document: Document, path: Path, key: str, allowed: Sequence[str]) -> Problem:
    where = f"in {place_of(path)}" if path else "at the top of the file"
    message = f'unknown key "{shown(key)}" {where}{did_you_mean(key, allowed)}'
    hint = f"allowed: {', '.join(allowed)}"
    if ":" in key and key.split(":")[0] in allowed:
        message, hint = f'unknown key "{shown(key)}" {where}', 'write a space after the ":"'
    elif len(path) == 2 and path[0] == "tasks" and any(key in keys for keys in _config_keys()):
        message, hint = f'unknown key "{shown(key)}" {where}', 'it stands under "config:"'
    return document.problem((*path, key), message, hint, of_key=True)


@cache
def _config_keys() -> list[Mapping[str, Any]]:
    """The keys that stand under `config`, for each collector."""
    return [schema(name)["properties"] for name in schema_names() if name.startswith("collectors/")]


def _bad_name(document: Document, path: Path, error: Any) -> Problem:
    key, what = str(error.instance), error.schema.get("title", "name")
    rule = error.schema.get("patternErrorMessage", "is not allowed here")
    return document.problem((*path, key), f'the {what} "{shown(key)}" {rule}', of_key=True)


def _of_keys(keyword: str, value: Any) -> str:
    branches = [value] if keyword == "not" else value
    keys = [f'"{key}"' for branch in branches for key in branch["required"]]
    return (
        f"has both {listed(keys, 'and')}; write one of them" if keyword == "not" else f"needs {listed(keys)}"
    )


def _of_value(error: Any, formats: Mapping[str, Format]) -> str:
    """What is wrong with one value, after the name of its key."""
    value, schema = error.instance, error.schema
    wanted = expected(schema, formats)
    if schema.get("writeOnly"):
        return schema.get("patternErrorMessage") or f"expected {wanted}"
    if isinstance(value, str) and REFERENCE.search(value[:999]):
        return f"a reference is resolved only when a run begins, and {wanted} is needed here; write it out"
    match error.validator:
        case "format" if error.cause is not None:
            return str(error.cause)
        case "pattern":
            return f'"{shown(value)}" {schema.get("patternErrorMessage", "is not allowed here")}'
        case "minLength":
            return f"found an empty text, expected {wanted}"
        case "maxLength":
            return f"found a text of {len(value):,} letters, expected at most {error.validator_value:,}"
        case "minItems" | "minProperties":
            return f"found an empty {'list' if isinstance(value, list) else 'mapping'}, expected at least one entry"
        case "maxItems":
            return f"found {len(value):,} entries, expected at most {error.validator_value:,}"
        case _:
            near = did_you_mean(value, schema["enum"]) if isinstance(value, str) and "enum" in schema else ""
            quotes = "; put quotes around it" if _wants_quotes(value, schema) else ""
            return f"found {found(value)}, expected {wanted}{near}{quotes}"


def expected(schema: Schema, formats: Mapping[str, Format]) -> str:
    """What a schema allows, in words."""
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return listed(str(word) for word in schema["enum"] if word is not None)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    words = [_of_type(name, schema, formats) for name in types if name != "null" or len(types) == 1]
    return listed(words) if words else "something else"


def _of_type(name: str, schema: Schema, formats: Mapping[str, Format]) -> str:
    if name == "string" and schema.get("format") in formats:
        return formats[schema["format"]].expected
    if name in {"integer", "number"} and "minimum" in schema:
        low, high = schema["minimum"], schema.get("maximum")
        return (
            f"{_TYPES[name]} from {low} to {high}"
            if high is not None
            else f"{_TYPES[name]} of at least {low}"
        )
    if name == "array" and (form := formats.get(schema.get("items", {}).get("format", ""))):
        return "a list of them" if "string" in schema["type"] else f"a list, each {form.expected}"
    return _TYPES[name]


def found(value: Any) -> str:
    """A value as a message names it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{shown(value, 60)}"' if value else "an empty text"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def _wants_quotes(value: Any, schema: Schema) -> bool:
    types = schema.get("type", [])
    return (
        isinstance(value, bool | int | float) and "string" in types and not schema.keys() & {"format", "enum"}
    )


def name_of(path: Path) -> str:
    """A value's name: its keys joined by dots, without the task they belong to and without numbers of lists."""
    keys = [str(step) for step in _inside_task(path) if isinstance(step, str)]
    return ".".join(_plain(key) for key in keys) or place_of(path)


def place_of(path: Path) -> str:
    """What a mapping is, in words: `task "x"`, `config of task "x"`, `scheduler`, `the file`."""
    inside = [str(step) for step in _inside_task(path)]
    if len(inside) < len(path):
        task = f'task "{shown(str(path[1]))}"'
        return f"{'.'.join(map(_plain, inside))} of {task}" if inside else task
    return ".".join(map(_plain, inside)) or "the file"


def _inside_task(path: Path) -> Path:
    return path[2:] if len(path) >= 2 and path[0] == "tasks" else path


def _plain(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{shown(key)}"'
