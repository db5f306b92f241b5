"""What is wrong with the tasks of a file whose collector or normalizer is code of your own.

A config that does not fit is a fault of its file, as with the built-in ones. Code that cannot be used is none while
the scheduler works: it blocks its task alone, and is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stoma import own
from stoma.documents import Checker, Document, explain, of_values
from stoma.errors import Blocked, Problem
from stoma.scheduler import definitions
from stoma.scheduler.base import Task
from stoma.wording import shown

if TYPE_CHECKING:
    from stoma.collectors.base import BaseCollector


def problems(
    document: Document, base: Path | None, *, with_code: bool = False, wait: bool = True
) -> Iterator[Problem]:
    """The faults of configs; `with_code` tells of code that cannot be used as well. Imports what the tasks name.

    Without `wait` code that is not there yet is only begun; what does not fit it blocks its task later.
    """
    tasks = document.data.get("tasks") if isinstance(document.data, dict) else None
    named = [
        (task_id, entry, key, name)
        for task_id, entry in (tasks.items() if isinstance(tasks, dict) else ())
        for key, name in _named(entry)
    ]
    if base is not None and any(own.is_path(name) for _, _, _, name in named):
        own.importable(base)
    # All begin before the first is waited for: several that hang are waited for together.
    for wait_now in (False, True) if wait and len(named) > 1 else (wait,):
        for task_id, entry, key, name in named:
            try:
                found = own.find(name, _kinds()[key], wait=wait_now)
                if wait_now == wait and key == "collector":
                    yield from _of_collector(document, task_id, name, found, entry)
            except (own.Unread, own.Beginning):
                continue
            except Blocked as fault:
                if wait_now != wait:
                    continue
                if with_code:
                    yield document.problem(("tasks", task_id, key), f"{key}: {fault.message}", fault.hint)


def is_own(task: Task) -> bool:
    """True for a task that names code of somebody's own."""
    return any(_named({"collector": task.collector, "normalizer": task.normalizer}))


def reason(task: Task, *, wait: bool = True) -> str | None:
    """Why the code that a task names cannot carry it out; None when it can, and where it names none of its own."""
    entry = {"collector": task.collector, "normalizer": task.normalizer, "config": task.config}
    if not list(_named(entry)):
        return None
    document = of_values({"tasks": {task.id: definitions.plain(entry)}})
    found = next(problems(document, None, with_code=True, wait=wait), None)
    if found is None:
        return None
    return f"{found.message} ({found.hint})" if found.hint else found.message


def _named(entry: Any) -> Iterator[tuple[str, str]]:
    """The key and the name of what is code of somebody's own, as far as it is spelled as it should be."""
    for key, kind in _kinds().items():
        name = entry.get(key) if isinstance(entry, Mapping) else None
        if isinstance(name, str) and name not in kind.built_in:
            try:
                own.check(name, kind)
            except ValueError:
                continue  # the schema has said so
            yield key, name


@cache
def _kinds() -> dict[str, own.Kind]:
    from stoma import collectors, normalizers

    return {"collector": collectors.KIND, "normalizer": normalizers.KIND}


def _of_collector(
    document: Document, task_id: str, name: str, kind: type[BaseCollector], entry: Mapping[str, Any]
) -> Iterator[Problem]:
    from stoma.collectors import refused_source

    config = entry.get("config")
    if kind.schema is not None:
        yield from _of_config(document, task_id, name, kind, config)
    # As the class says it; one that reckons its source is judged by what it yields.
    given = config.get("source") if isinstance(config, Mapping) else None
    if (source := kind.source or given or task_id) and (refused := refused_source(kind, source)):
        raise Blocked(*refused)


def _of_config(
    document: Document, task_id: str, name: str, kind: type[BaseCollector], config: Any
) -> list[Problem]:
    checker = _checker(kind, name)
    given = {} if config is None else config
    path = ("tasks", task_id, "config")
    try:
        faults = [replace(fault, path=(*path, *fault.path)) for fault in checker.faults(given)]
        return explain(document, faults, definitions.FORMATS)
    except Exception as error:  # a schema may be in order and still not be understood
        raise Blocked(f"the schema of {shown(name)} cannot be used: {error}") from None


@cache
def _checker(kind: type[BaseCollector], name: str) -> Checker:
    from jsonschema import Draft202012Validator, SchemaError

    if not isinstance(kind.schema, dict):
        raise Blocked(f"the schema of {shown(name)} is a {type(kind.schema).__name__}, not a dict")
    try:
        Draft202012Validator.check_schema(kind.schema)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        place = f" (at {where})" if where else ""
        raise Blocked(f"the schema of {shown(name)} is no JSON Schema: {error.message}{place}") from None
    if _refers(kind.schema):
        raise Blocked(f"the schema of {shown(name)} holds a $ref", "write the part out where it is meant")
    return Checker(kind.schema, definitions.FORMATS)


def _refers(part: Any) -> bool:
    if isinstance(part, Mapping):
        return "$ref" in part or "$dynamicRef" in part or any(map(_refers, part.values()))
    return isinstance(part, list) and any(map(_refers, part))
