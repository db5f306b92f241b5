"""Which values an axis names, and in which words: round ones, told exactly. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isfinite, log10

from stoma.api.pages.looks import length
from stoma.api.pages.texts import number_text

Ticks = Sequence[tuple[float, str]]
"""Values, ascending, each with how it is told."""

MOST = 4
"""Steps between the first value that is named and the last one."""

# Up to a day by what clocks divide into; days by tens.
SPANS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
    60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
)  # fmt: skip
"""Steps of an axis of lengths of time; seconds."""


def counts(most: float) -> Ticks:
    """Whole numbers from 0 to `most` or a little more."""
    step = max(1.0, _round(most / MOST))
    return [(step * number, f"{step * number:,.0f}") for number in range(ceil(most / step or 1) + 1)]


def spans(most: float) -> Ticks:
    """Lengths of time from 0 to `most` seconds or a little more."""
    step = next((step for step in SPANS if most / step <= MOST), 86_400 * _round(most / 86_400 / MOST))
    return [(step * number, _span(step * number)) for number in range(ceil(most / step or 1) + 1)]


def numbers(least: float, most: float, *, whole: bool) -> Ticks:
    """Round numbers from `least` or a little less to `most` or more; none where there is no room for them."""
    span = most - least
    # Numbers so large that a step is lost in them cannot be told apart.
    if not isfinite(span) or span <= max(abs(least), abs(most), 1e-290) * 1e-9:
        return []
    step = _round(span / (MOST - 1))
    if whole:
        step = max(1.0, step)
    digits = max(0, -floor(log10(step) + 1e-9))
    found = [step * number for number in range(floor(least / step), ceil(most / step) + 1)]
    return [
        (value, f"{value + 0.0:,.{digits}f}" if 0 < digits < 7 else number_text(value)) for value in found
    ]


def _round(step: float) -> float:
    """The next 1, 2 or 5 with zeros that is no less."""
    if step <= 0:
        return 0.0
    ten: float = 10.0 ** floor(log10(step))
    return next((part * ten for part in (1, 2, 5) if part * ten >= step * (1 - 1e-9)), 10 * ten)


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds else "0"
    return f"{seconds:g} s" if seconds < 60 else length(seconds)
