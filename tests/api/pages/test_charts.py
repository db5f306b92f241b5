"""Plots as SVG: small, without scripts, whatever the numbers are."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from stoma.api.pages import charts
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
    svg = bars(Plot("duration", "How long", ("took",), [("a", [600.0]), ("b", [90.0])], length))
    assert any("min" in text for text in texts(svg))


def test_the_library_leaves_imports_as_they_are() -> None:
    bars(plot([[1, 2, 3]]))
    assert not [one for one in sys.meta_path if type(one).__module__.startswith("pygal")]
