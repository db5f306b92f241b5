"""Plots as SVG: small, without scripts, whatever the numbers are."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from stoma.api.pages import charts
from stoma.api.pages.axes import counts, numbers, spans
from stoma.api.pages.charts import Plot, bars, curve
from stoma.api.pages.looks import length

SVG = "{http://www.w3.org/2000/svg}"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def drawn(svg: bytes, name: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(SVG + name))


def texts(svg: bytes) -> list[str]:
    return [node.text or "" for node in drawn(svg, "text")]


def plot(values: list[list[float | None]], series: tuple[str, ...] = ("new", "changed", "rejected")) -> Plot:
    return Plot("brought", "Brought", series, [(f"{n} Mar", row) for n, row in enumerate(values, 1)], str)


def test_bars_stand_upon_one_another() -> None:
    svg = bars(plot([[4, 2, 0], [0, 0, 0], [8, 0, 1]]))
    rects = [(float(node.get("y") or 0), float(node.get("height") or 0)) for node in drawn(svg, "rect")]
    assert len(rects) == 4  # nothing is drawn for 0
    new, least = rects[0], rects[3]
    assert new[1] == pytest.approx(4 * least[1], rel=0.03)
    # The changed ones of the first run stand on the new ones.
    assert rects[2][0] + rects[2][1] == pytest.approx(new[0], abs=0.3)
    assert {"1 Mar", "2 Mar", "3 Mar"} <= set(texts(svg))


def test_what_is_little_beside_much_is_seen() -> None:
    svg = bars(plot([[10_000_000, 0, 0], [0, 0, 1]]))
    assert [float(node.get("height") or 0) for node in drawn(svg, "rect")][1] == 1


def test_a_picture_is_small_and_cannot_do_anything() -> None:
    svg = bars(plot([[n % 50, n % 7, n % 3] for n in range(60)]))
    assert len(svg) < 16_000
    points = [(BEGIN + timedelta(hours=n), float(n * n % 977)) for n in range(1000)]
    line = curve("<script>alert(1)</script>\x07\u202e", points, UTC)
    assert len(line) < 8_000
    for picture in (svg, line):
        root = ElementTree.fromstring(picture)
        assert {node.tag.removeprefix(SVG) for node in root.iter()} <= {
            "svg", "title", "style", "g", "path", "rect", "text", "circle",
        }  # fmt: skip
        assert not [
            key for node in root.iter() for key in node.attrib if key.startswith("on") or "href" in key
        ]
    assert [node.text for node in drawn(line, "title")] == ["<script>alert(1)</script>��"]


@pytest.mark.parametrize(
    "values",
    [
        [5.0],
        [5.0, 5.0, 5.0],
        [0.0, 0.0],
        [-3.0, 4.0],
        [1e300, -1e300],
        [1e-300, 2e-300],
        [4700.0, 4700.5],
        [2.0**53] * 2,
    ],
)
def test_odd_numbers_are_drawn(values: list[float]) -> None:
    svg = curve("x", [(BEGIN + timedelta(days=n), value) for n, value in enumerate(values)], UTC)
    assert b"nan" not in svg.lower()
    assert drawn(svg, "path") or drawn(svg, "circle")
    bars(plot([[abs(value), None, 0] for value in values]))


def test_nothing_is_drawn_of_nothing() -> None:
    assert drawn(bars(plot([])), "rect") == []
    assert plot([]).is_empty
    assert not plot([[0, None, 0]]).is_empty


def test_the_first_place_is_on_top() -> None:
    svg = curve("rank:daily", [(BEGIN, 1.0), (BEGIN + timedelta(days=9), 20.0)], UTC, is_place=True)
    path = next(
        node.get("d") or ""
        for node in drawn(svg, "path")
        if node.get("class") == "line" and " L" in (node.get("d") or "")
    )
    first, last = [float(part.split()[1]) for part in path.removeprefix("M").split(" L")]
    assert first < last
    assert {"1", "20"} <= set(texts(svg))


@pytest.mark.parametrize("hours", [0.01, 0.1, 1, 50, 200, 24 * 200, 24 * 900])
def test_no_two_labels_of_time_are_alike(hours: float) -> None:
    svg = curve("x", [(BEGIN, 1.0), (BEGIN + timedelta(hours=hours), 2.0)], UTC)
    labels = [text for text in texts(svg) if any(letter.isalpha() or letter == ":" for letter in text)]
    assert len(labels) == charts.LABELS
    assert all(one != other for one, other in pairwise(labels))


def test_lengths_of_time_are_told_as_such() -> None:
    svg = bars(Plot("duration", "How long", ("took",), [("a", [600.0]), ("b", [90.0])], length, spans))
    assert any("min" in text for text in texts(svg))


def said(svg: bytes) -> list[str]:
    """What stands beside the axis of values."""
    sides = [node for node in drawn(svg, "g") if node.get("class") == "y"]
    found = [text for side in sides for text in side.iter(SVG + "text")]
    heights = [float(text.get("y") or 0) for text in found]
    assert all(one - other > 15 for one, other in pairwise(heights)), "they stand upon one another"
    return [text.text or "" for text in found]


@pytest.mark.parametrize(
    ("most", "told"),
    [
        (0, ["0", "1"]),
        (1, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (7, ["0", "2", "4", "6", "8"]),
        (2_500, ["0", "1,000", "2,000", "3,000"]),
    ],
)
def test_an_axis_of_counts_names_whole_numbers(most: int, told: list[str]) -> None:
    assert [text for _, text in counts(most)] == told
    assert said(bars(plot([[most, 0, 0]]))) == told


@pytest.mark.parametrize(
    ("most", "told"),
    [
        (0, ["0", "1 ms"]),
        (0.16, ["0", "50 ms", "100 ms", "150 ms", "200 ms"]),
        (1.7, ["0", "500 ms", "1 s", "1.5 s", "2 s"]),
        (100, ["0", "30 s", "1 min", "1 min 30 s", "2 min"]),
        (4 * 3600, ["0", "1 h", "2 h", "3 h", "4 h"]),
        (90 * 86_400, ["0", "50 d", "100 d"]),
    ],
)
def test_an_axis_of_lengths_of_time_tells_them_exactly(most: float, told: list[str]) -> None:
    assert [text for _, text in spans(most)] == told
    assert said(bars(Plot("duration", "How long", ("took",), [("a", [most])], length, spans))) == told


def test_what_stands_at_a_place_is_the_value_there() -> None:
    told = numbers(10.001, 10.004, whole=False)
    assert [text for _, text in told] == ["10.001", "10.002", "10.003", "10.004"]
    assert [text for _, text in numbers(1, 2, whole=True)] == ["1", "2"]
    assert [text for _, text in numbers(-30, 45, whole=True)] == ["-50", "0", "50"]
    for least, most in [(0, 0.7), (-3, 4), (4700, 4700.5), (1e-9, 3e-9), (0, 123_456_789), (-1e300, 1e300)]:
        ticks = numbers(least, most, whole=False)
        assert 2 <= len(ticks) <= 6
        assert ticks[0][0] <= least
        assert ticks[-1][0] >= most
        assert [float(text.replace(",", "")) for _, text in ticks] == pytest.approx([at for at, _ in ticks])


def test_a_curve_stands_on_0_and_names_round_values() -> None:
    svg = curve("stars", [(BEGIN + timedelta(days=n), 4700.0 + n) for n in range(3)], UTC)
    assert said(svg) == ["0", "2,000", "4,000", "6,000"]
    # The library finds places of its own where there are no round ones.
    assert len(said(curve("none", [(BEGIN, 0.0), (BEGIN + timedelta(days=1), 0.0)], UTC))) < 5


def test_runs_of_one_minute_have_no_labels_upon_one_another() -> None:
    columns = [("1 Mar 09:00", [1.0])] * 40 + [("1 Mar 09:01", [1.0])] * 20
    svg = bars(Plot("seen", "Seen", ("seen",), columns, str))
    named = [node for node in drawn(svg, "text") if (node.text or "").startswith("1 Mar")]
    assert len(named) == charts.LABELS
    places = sorted(float(node.get("x") or 0) for node in named)
    assert min(other - one for one, other in pairwise(places)) > 70


def test_the_library_leaves_imports_as_they_are() -> None:
    bars(plot([[1, 2, 3]]))
    assert not [one for one in sys.meta_path if type(one).__module__.startswith("pygal")]
