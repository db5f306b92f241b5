"""`when:` as a safe expression: read once, asked at each due instant. The only module that knows simpleeval.

| what             | stands for                                                                                |
|------------------|-------------------------------------------------------------------------------------------|
| `hour minute`    | of the due instant, by the clock of the zone; so are the next two lines                   |
| `weekday`        | 0 for Monday to 6; `mon tue wed thu fri sat sun` are these numbers                        |
| `day month date` | numbers from 1; `date` is a text such as "2026-12-24"                                     |
| `now`            | the moment of the decision                                                                |
| `last_run`       | when the last run of the task started; None before the first                              |
| `upstream`       | what the run follows, with `.task .status .seen .new .changed`; None when it follows none |
| `hours(6)`       | a span of time; so are `minutes(n)` and `days(n)`                                         |

Beside these: numbers, texts, True, False, None, lists of them, `and or not in is`, comparisons, `+ - * // %` on
numbers. Two instants can be compared and subtracted, spans can be compared and taken from an instant:
`last_run is None or now - last_run > hours(6)`. grammar.py says what may be written, reckoning.py what it comes to.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

from stoma.scheduler.base import iso
from stoma.scheduler.grammar import DAYS, MEMBERS, UNITS, column, names_in, tidy, tree_of
from stoma.scheduler.reckoning import OPERATORS, TRIAL, Missing, Operators, Unfit, kind_of, unit
from stoma.wording import shown


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, and why, in one line."""

    holds: bool
    told: str


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that was found good; `names` are the values it asks for."""

    text: str
    names: tuple[str, ...]
    _tree: ast.expr = field(repr=False, compare=False)

    def holds(
        self,
        at: datetime,
        now: datetime,
        zone: tzinfo,
        last_run: datetime | None,
        upstream: Mapping[str, Any] | None,
    ) -> Verdict:
        """Whether it is true at the due instant `at`; what cannot be evaluated does not hold. Never raises.

        Instants are aware; `upstream` has the keys `task`, `status`, `seen`, `new` and `changed`.
        """
        values: dict[str, Any] = {}
        try:
            values = _values(at, now, zone, last_run, upstream)
            result = _evaluate(self._tree, values, OPERATORS)
            holds = result is True
            outcome = (
                f"is {result}".lower() if isinstance(result, bool) else f"is not True but {kind_of(result)}"
            )
            return Verdict(holds, self._told(outcome, values))
        except Unfit as error:
            no_run = isinstance(error, Missing) and last_run is None and "last_run" in self.names
            why = "there was no run yet" if no_run else error
            return Verdict(False, self._told(f"does not hold: {why}", values))
        except Exception as error:  # values that nobody thought of must not stop a schedule
            return Verdict(
                False, f"when: {shown(self.text, 200)} cannot be evaluated: {type(error).__name__}"
            )

    def _told(self, outcome: str, values: Mapping[str, Any]) -> str:
        told = dict(_labelled(name, values) for name in self.names)
        detail = f" ({', '.join(f'{name}={value}' for name, value in told.items())})" if told else ""
        return f"when: {shown(self.text, 200)} {outcome}{detail}"


@lru_cache(maxsize=1024)
def parse(text: str) -> Condition:
    """The condition that `text` spells; ValueError says what is wrong, and at which column.

    It is also tried on made-up values, so that `hour < "9"` is a mistake in a file and no surprise at night.
    """
    text = tidy(text)
    tree = tree_of(text)
    _try_out(tree, text)
    return Condition(text, names_in(tree), tree)


def _values(
    at: datetime, now: datetime, zone: tzinfo, last_run: datetime | None, upstream: Mapping[str, Any] | None
) -> dict[str, Any]:
    local = at.astimezone(zone)
    return {
        "hour": local.hour,
        "minute": local.minute,
        "weekday": local.weekday(),
        "day": local.day,
        "month": local.month,
        "date": local.date().isoformat(),
        "now": now,
        "last_run": last_run,
        "upstream": None
        if upstream is None
        else SimpleNamespace(**{key: upstream.get(key) for key in MEMBERS}),
    }


def _labelled(name: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """A name with its value, for people."""
    root, _, member = name.partition(".")
    value = values[root]
    if value is None:
        return root, "None"
    if root == "upstream":
        value = getattr(value, member or "task")
    if isinstance(value, datetime):
        return name, str(iso(value.replace(microsecond=0)))
    return name, f'"{shown(value, 60)}"' if isinstance(value, str) else shown(str(value), 60)


# -- evaluating ------------------------------------------------------------------------------------------------

_evaluating = threading.Lock()


@cache
def _evaluator() -> Any:
    from simpleeval import EvalWithCompoundTypes

    # Making one touches the process's warning filters, which several threads must not do at once: so there is one.
    return EvalWithCompoundTypes(functions={name: unit(name) for name in UNITS})


def _evaluate(node: ast.expr, values: Mapping[str, Any], operators: Operators) -> Any:
    with _evaluating:
        evaluator = _evaluator()
        from simpleeval import AttributeDoesNotExist

        evaluator.names, evaluator.operators = {**DAYS, **values}, operators
        try:
            return evaluator.eval("", previously_parsed=node)
        except AttributeDoesNotExist:
            raise Unfit("the run follows no other") from None


_SAMPLE_AT = datetime(2026, 6, 17, 13, 37, tzinfo=UTC)
_SAMPLE = _values(
    _SAMPLE_AT,
    _SAMPLE_AT,
    UTC,
    _SAMPLE_AT - timedelta(days=1),
    {"task": "a", "status": "completed", "seen": 9, "new": 3, "changed": 1},
)


def _try_out(tree: ast.expr, text: str) -> None:
    """Evaluate every part by itself, the innermost first: what `and` and `or` would pass over is tried as well."""
    calculated = (ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call)
    for node in reversed([node for node in ast.walk(tree) if isinstance(node, calculated)]):
        try:
            _evaluate(node, _SAMPLE, TRIAL)
        except Unfit as error:
            quoted = shown(ast.get_source_segment(text, node) or text)
            raise ValueError(f"{error}: {quoted} (column {column(text, node)})") from None
        if isinstance(node, ast.BoolOp):
            for part in node.values:
                _must_decide(part, text)
    _must_decide(tree, text)


def _must_decide(node: ast.expr, text: str) -> None:
    value = _evaluate(node, _SAMPLE, TRIAL)
    if not isinstance(value, bool):
        quoted = shown(ast.get_source_segment(text, node) or text)
        raise ValueError(
            f"{quoted} is {kind_of(value)}, where True or False is needed (column {column(text, node)})"
        )
