"""What conditions calculate with: strict operators, which refuse what Python would let pass. Pure.

Numbers stay small, texts and lists never grow, and unlike things are not compared: `hour == "9"` would never hold,
and nobody would know why.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

Operators = Mapping[type[ast.AST], Callable[..., Any]]

LARGEST = 10**15
"""No number grows beyond this."""

LONGEST_SPAN = timedelta(days=36_525)


class Unfit(Exception):
    """This cannot be calculated; the message says why."""


class Missing(Unfit):
    """A value is None where one is needed."""


_KINDS: tuple[tuple[Any, str], ...] = (
    (type(None), "None"),
    (bool, "True or False"),  # before the numbers, which count these as theirs
    ((int, float), "a number"),
    (str, "a text"),
    (datetime, "an instant"),
    (timedelta, "a span of time"),
    ((list, tuple), "a list"),
    (SimpleNamespace, "a run"),
)
_IN_ORDER = ("a number", "a text", "an instant", "a span of time")


def kind_of(value: object) -> str:
    """What a value is, in words."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), type(value).__name__)


def unit(name: str) -> Callable[[Any], timedelta]:
    """The function that makes a span of so many `minutes`, `hours` or `days`."""

    def span(number: Any) -> timedelta:
        length = _number(number) * timedelta(**{name: 1}).total_seconds()
        if abs(length) > LONGEST_SPAN.total_seconds():
            raise Unfit("a span of time is at most a hundred years")
        return timedelta(seconds=length)

    return span


def _number(value: Any) -> Any:
    if value is None:
        raise Missing("None is not a number")
    if kind_of(value) != "a number":
        raise Unfit(f"a number is needed here, not {kind_of(value)}")
    if abs(value) > LARGEST:
        raise Unfit("a number is too large")
    return value


def _counted(calculate: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *numbers: _number(calculate(*map(_number, numbers)))


def _minus(left: Any, right: Any) -> Any:
    if left is None or right is None:
        raise Missing("None cannot be subtracted, nor from")
    if isinstance(left, datetime) and isinstance(right, datetime | timedelta):
        try:
            return left - right
        except OverflowError:
            raise Unfit("no calendar reaches that far") from None
    return _number(_number(left) - _number(right))


def _not(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f'"not" needs True or False, not {kind_of(value)}')
    return not value


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:
        if left is None or right is None:
            raise Missing("None is neither more nor less than anything")
        if kind_of(left) not in _IN_ORDER:
            raise Unfit(f"{kind_of(left)} is neither more nor less than anything")
        return compare(left, _like(left, right))

    return compared


def _equal(left: Any, right: Any) -> bool:
    return bool(left == (right if left is None or right is None else _like(left, right)))


def _like(left: Any, right: Any) -> Any:
    if kind_of(left) != kind_of(right):
        raise Unfit(f"{kind_of(left)} cannot be compared with {kind_of(right)}")
    return right


def _within(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left in right
    if not isinstance(right, list | tuple):
        raise Unfit(f'"in" looks into a list, not into {kind_of(right)}')
    # Not by any(): one of another kind is to be noticed wherever it stands.
    return True in [_equal(left, one) for one in right]


COMPARISONS: Operators = {
    ast.Eq: _equal,
    ast.NotEq: lambda left, right: not _equal(left, right),
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: _within,
    ast.NotIn: lambda left, right: not _within(left, right),
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
OPERATORS: Operators = {
    **COMPARISONS,
    ast.Add: _counted(operator.add),
    ast.Sub: _minus,
    ast.Mult: _counted(operator.mul),
    ast.FloorDiv: _counted(operator.floordiv),
    ast.Mod: _counted(operator.mod),
    ast.USub: _counted(operator.neg),
    ast.UAdd: _counted(operator.pos),
    ast.Not: _not,
}


def _passing(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: compare(left, right) in (True, False)


TRIAL: Operators = {**OPERATORS, **{kind: _passing(compare) for kind, compare in COMPARISONS.items()}}
"""The same, but every comparison passes, so that a chain of them is tried to its end."""
