"""A path read backwards: a document in which it leads to a given value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Unplayable(Exception):
    """Nobody can tell what a path would have to read."""


def placed(document: Any, path: str, value: Any) -> Any:
    """The document with more in it, so that `path` leads to `value`; raises Unplayable."""
    from jmespath import compile

    try:
        expression = compile(path)
        found = merged(document, _built(expression.parsed, value))
        fits = expression.search(found) == value
    except Exception:  # whatever it is that cannot be read backwards
        fits = False
    if not fits:
        raise Unplayable(path)
    return found


def readable(document: Any, path: str) -> Any:
    """The document with more in it, so that `path` leads to something, whatever it is; raises Unplayable."""
    from jmespath import compile

    for value in ("invented", ["invented"], 7, [7], {"name": "invented"}):
        try:
            expression = compile(path)
            found = merged(document, _built(expression.parsed, value))
            if expression.search(found) is not None:
                return found
        except Exception:  # noqa: S112 (the next value may do)
            continue
    raise Unplayable(path)


def merged(one: Any, other: Any) -> Any:
    """Both documents in one; where they differ, the other one's value."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [merged(first, second) for first, second in zip(one, other, strict=True)]
    return other


def _built(node: Mapping[str, Any], value: Any) -> Any:
    kind, children = node["type"], node["children"]
    if kind in ("identity", "current"):
        return value
    if kind == "field":
        return {node["value"]: value}
    if kind in ("subexpression", "pipe"):
        for child in reversed(children):
            value = _built(child, value)
        return value
    if kind == "index_expression":
        first, place = children
        if place["type"] == "index" and place["value"] >= 0:
            value = [value] * (place["value"] + 1)
        elif place["type"] == "index":
            value = [value]
        return _built(first, value)
    if kind in ("projection", "value_projection"):
        rows = [_built(children[1], one) for one in value]
        return _built(
            children[0],
            rows if kind == "projection" else dict(zip(map(str, range(len(rows))), rows, strict=True)),
        )
    if kind == "filter_projection":
        rows = [merged(_built(children[1], one), _satisfying(children[2])) for one in value]
        return _built(children[0], rows)
    if kind in ("flatten", "or_expression"):
        return _built(children[0], value)
    if kind == "function_expression":
        # What it makes of its arguments is not known; that they are there is enough for most.
        arguments = [_built(child, value) for child in children if child["type"] not in ("literal", "expref")]
        found: Any = {}
        for argument in arguments:
            found = merged(found, argument)
        return found
    raise Unplayable(kind)


def _satisfying(condition: Mapping[str, Any]) -> Any:
    """What makes `field == value` true; other conditions are met or not."""
    if condition["type"] != "comparator" or condition["value"] != "eq":
        return {}
    left, right = condition["children"]
    return _built(left, right["value"]) if right["type"] == "literal" else {}
