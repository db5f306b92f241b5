"""Each fault as a sentence for people: the value's path, what was found, what is allowed, what was probably meant.

The wording has tests, because the wording is the interface.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any

from stoma.documents.building import MOST_FAULTS, stands_again
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
_ALLOWED = "allowed:"
_OF_A_VALUE = ("type", "format", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "pattern")


def explain(document: Document, faults: Iterable[Fault], formats: Mapping[str, Format]) -> list[Problem]:
    """The faults of one file as problems, in the order of the file, each value's fault once."""
    problems = list(islice(_told(document, faults, formats), MOST_FAULTS + 1))
    if len(problems) > MOST_FAULTS:
        problems[-1] = Problem("this file has more faults than these; mend them first", document.name)
    problems.sort(key=lambda problem: (problem.line == 0, problem.line, problem.column))
    return list(_without_repetition(problems))


def problems_of_syntax(document: Document) -> list[Problem]:
    """The faults of the file's syntax, without those that only follow from keys in the wrong column."""
    beside = _beside_their_task(document.data)
    again = {_again(document, key) for key in beside[0][1:]} if beside is not None else set()
    return [problem for problem in document.problems if problem.message not in again]


def _again(document: Document, key: str) -> str:
    return stands_again(key, document.line(("tasks", key)))


def _without_repetition(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems, but each list of allowed keys only once."""
    told: set[str] = set()
    for problem in problems:
        yield replace(problem, hint="") if problem.hint in told else problem
        if problem.hint.startswith(_ALLOWED):
            told.add(problem.hint)


def _told(document: Document, faults: Iterable[Fault], formats: Mapping[str, Format]) -> Iterator[Problem]:
    told: set[Path] = set()
    beside = _beside_their_task(document.data)
    is_said = False
    for fault in faults:
        if beside is not None and fault.path[:1] == ("tasks",) and fault.path[1:2] in beside[1]:
            if not is_said:
                yield _to_be_indented(document, beside[0])
            is_said = True
            continue
        # A value of the wrong type also fails its pattern, its format and its list of allowed words.
        if fault.error.validator in _OF_A_VALUE:
            about = (*fault.path, str(fault.error.instance)) if _is_of_name(fault) else fault.path
            if about in told:
                continue
            told.add(about)
        yield from _explained(document, fault, formats)


def _beside_their_task(data: Any) -> tuple[list[str], frozenset[Path]] | None:
    """Keys of tasks that stand in the column of the task ids, and what of `tasks` is wrong for that reason alone."""
    tasks = data.get("tasks") if isinstance(data, dict) else None
    if not isinstance(tasks, dict):
        return None
    keys, empty, after = [], [], False
    for key, value in tasks.items():
        is_task = isinstance(value, dict) and "collector" in value
        if value is None and key not in _task_keys():
            empty.append(key)
            after = True
        elif after and key in _task_keys() and not is_task:
            keys.append(key)
        else:
            after = False
    if not keys:
        return None
    return [empty[0], *keys], frozenset((key,) for key in (*empty, *keys))


def _to_be_indented(document: Document, names: Sequence[str]) -> Problem:
    task, first, last = names[0], names[1], names[-1]
    lines = document.line(("tasks", first)), document.line(("tasks", last))
    which = f"line {lines[0]}" if lines[0] == lines[1] else f"the lines from {lines[0]} on"
    return document.problem(
        ("tasks", first),
        f'"{first}" stands beside the task "{shown(task)}", not under it',
        f"indent {which} under it: the keys of a task begin further to the right than its id",
        of_key=True,
    )


@cache
def _task_keys() -> Mapping[str, Any]:
    keys: Mapping[str, Any] = schema("task")["properties"]
    return keys


def _explained(document: Document, fault: Fault, formats: Mapping[str, Format]) -> Iterator[Problem]:
    error: Any = fault.error
    path, keyword, schema = fault.path, str(error.validator), _as_mapping(fault.schema)
    if keyword == "additionalProperties":
        allowed = list(schema.get("properties", {}))
        for key in error.instance:
            if key not in allowed:
                yield _unknown_key(document, path, key, allowed)
    elif _is_of_name(fault):
        yield _bad_name(document, path, error)
    elif keyword == "required":
        # One fault for each missing key; jsonschema names it only in its message.
        absent = [key for key in error.validator_value if key not in error.instance]
        missing = next((key for key in absent if error.message.startswith(repr(key))), absent[0])
        about = _as_mapping(schema.get("properties", {}).get(missing)).get("description", "")
        yield document.problem(path, f'{place_of(path)} has no "{missing}"', about, of_key=True)
    elif keyword in {"anyOf", "not"} and _speaks_of_keys(keyword, error.validator_value):
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
    hint = f"{_ALLOWED} {', '.join(allowed)}" if allowed else ""
    if ":" in key and key.split(":")[0] in allowed:
        message, hint = f'unknown key "{shown(key)}" {where}', 'write a space after the ":"'
    elif len(path) == 2 and path[0] == "tasks" and any(key in keys for keys in _config_keys()):
        message, hint = f'unknown key "{shown(key)}" {where}', 'it stands under "config:"'
    elif " * " in key and "cron" in allowed:
        hint = "put quotes around the cron expression: between { } its commas divide it"
    return document.problem((*path, key), message, hint, of_key=True)


@cache
def _config_keys() -> list[Mapping[str, Any]]:
    """The keys that stand under `config`, for each collector."""
    return [schema(name)["properties"] for name in schema_names() if name.startswith("collectors/")]


def _bad_name(document: Document, path: Path, error: Any) -> Problem:
    key, what = str(error.instance), error.schema.get("title", "name")
    rule = error.schema.get("patternErrorMessage", "is not allowed here")
    return document.problem((*path, key), f'the {what} "{shown(key)}" {rule}', of_key=True)


def _speaks_of_keys(keyword: str, value: Any) -> bool:
    branches = [value] if keyword == "not" else value
    return all(isinstance(branch, dict) and branch.get("required") for branch in branches)


def _of_keys(keyword: str, value: Any) -> str:
    branches = [value] if keyword == "not" else value
    keys = [f'"{key}"' for branch in branches for key in branch["required"]]
    return (
        f"has both {listed(keys, 'and')}; write one of them" if keyword == "not" else f"needs {listed(keys)}"
    )


def _of_value(error: Any, formats: Mapping[str, Format]) -> str:
    """What is wrong with one value, after the name of its key."""
    value, schema = error.instance, _as_mapping(error.schema)
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
            if value:
                return f"found a text of {len(value):,} letters, expected at least {error.validator_value:,}"
            return f"found an empty text, expected {wanted}"
        case "maxLength":
            return f"found a text of {len(value):,} letters, expected at most {error.validator_value:,}"
        case "minItems" | "minProperties":
            if value:
                return f"found {len(value):,} entries, expected at least {error.validator_value:,}"
            return f"found an empty {'list' if isinstance(value, list) else 'mapping'}, expected at least one entry"
        case "maxItems":
            return f"found {len(value):,} entries, expected at most {error.validator_value:,}"
        case "type" if _is_one_kind_of_text(schema):
            what = "an empty value" if value is None else found(value)
            return f"{what} {schema['patternErrorMessage']}{_how_to_write(value, schema)}"
        case _:
            words = [word for word in schema.get("enum", ()) if isinstance(word, str)]
            near = did_you_mean(value, words) if isinstance(value, str) else ""
            return f"found {found(value)}, expected {wanted}{near}{_how_to_write(value, schema)}"


def expected(schema: Schema, formats: Mapping[str, Format]) -> str:
    """What a schema allows, in words."""
    if "const" in schema:
        return _word(schema["const"])
    if "enum" in schema:
        return listed([_word(word) for word in schema["enum"] if word is not None] or ["nothing"])
    types = _types(schema)
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
    if name == "array" and (form := formats.get(_as_mapping(schema.get("items")).get("format", ""))):
        return "a list of them" if "string" in _types(schema) else f"a list, each {form.expected}"
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
    if isinstance(value, list | tuple):
        return "a list"
    return "a mapping" if isinstance(value, Mapping) else f"a value of the type {type(value).__name__}"


def _how_to_write(value: Any, schema: Schema) -> str:
    """`; put quotes around it` or `; write 1000`, where that alone would mend it."""
    types = _types(schema)
    if isinstance(value, bool | int | float) and "string" in types and not schema.keys() & {"format", "enum"}:
        fits = "pattern" not in schema or re.search(schema["pattern"], str(value))
        return "; put quotes around it" if fits else ""
    if isinstance(value, float) and "integer" in types and value.is_integer():
        fits = schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return f"; write {int(value)}" if fits else ""
    return ""


def _is_one_kind_of_text(schema: Schema) -> bool:
    """True where the rule for a text, such as that of an address, says more than that it is one."""
    return _types(schema) == ["string"] and "patternErrorMessage" in schema and "format" not in schema


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _word(value: Any) -> str:
    """An allowed value as people write it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_mapping(schema: Any) -> Schema:
    """A schema may also be true or false, and then says nothing more."""
    return schema if isinstance(schema, dict) else {}


def name_of(path: Path) -> str:
    """A value's name: its keys joined by dots, without the task they belong to and without numbers of lists."""
    keys = [str(step) for step in _inside_task(path) if isinstance(step, str)]
    return ".".join(_plain(key) for key in keys) or place_of(path)


def place_of(path: Path) -> str:
    """What a mapping is, in words: `task "x"`, `config of task "x"`, `scheduler`, `the file`."""
    inside = [step for step in _inside_task(path) if isinstance(step, str)]
    if _inside_task(path) != path:
        task = f'task "{shown(str(path[1]))}"'
        return f"{'.'.join(map(_plain, inside))} of {task}" if inside else task
    return ".".join(map(_plain, inside)) or "the file"


def _inside_task(path: Path) -> Path:
    return path[2:] if len(path) >= 2 and path[0] == "tasks" else path


def _plain(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{shown(key)}"'
