"""The JSON Schemas of `schemas/`, each in one piece: what it refers to in other files is put in its place."""

from __future__ import annotations

import json
import posixpath
from functools import cache
from typing import Any

from stoma.resources import folder

Schema = dict[str, Any]
SUFFIX = ".schema.json"


@cache
def schema(name: str) -> Schema:
    """The schema called `name`, such as `task` or `collectors/arxiv`; equal parts are one object."""
    return _part(name, "")


def schema_names() -> list[str]:
    """Every schema there is."""
    top = folder("schemas")
    return sorted(path.relative_to(top).as_posix().removesuffix(SUFFIX) for path in top.rglob(f"*{SUFFIX}"))


@cache
def _part(name: str, pointer: str) -> Schema:
    """The part of a schema at a JSON pointer. No schema refers to itself, so this ends."""
    found = _file(name)
    for step in pointer.split("/")[1:]:
        found = found[step]
    inlined = _inline(found, name)
    assert isinstance(inlined, dict)  # noqa: S101 (a mistake in a shipped file, not in a user's)
    return inlined


@cache
def _file(name: str) -> Schema:
    loaded: Schema = json.loads((folder("schemas") / f"{name}{SUFFIX}").read_text(encoding="utf-8"))
    return loaded


def _inline(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_inline(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if reference is None:
        return {key: _inline(item, name) for key, item in value.items() if key != "$defs"}
    file, _, pointer = reference.partition("#")
    target = (
        posixpath.normpath(posixpath.join(posixpath.dirname(name), file)).removesuffix(SUFFIX)
        if file
        else name
    )
    part = _part(target, pointer)
    # What stands beside a $ref adds to it, such as a description of its own; editors show the nearer one.
    beside = {key: _inline(item, name) for key, item in value.items() if key != "$ref"}
    return {**part, **beside} if beside else part
