"""Drawing by pygal, the only module that knows it: bars upon one another, and a curve. As SVG, a few KB."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from typing import TYPE_CHECKING, Any

from stoma.api.pages.axes import Ticks, counts, numbers
from stoma.api.pages.texts import number_text, plain

if TYPE_CHECKING:
    from pygal.graph.graph import Graph

WIDTH, HEIGHT = 480, 170
MOST_POINTS = 150
"""Points of a curve; of those that lie together the last one counts."""

LABELS = 4

# The colours of style.css; a picture does not see the variables of the page around it.
STYLE = """\
text{font:11px system-ui,sans-serif;fill:#59615c}
.x text{text-anchor:middle}.y text{text-anchor:end}.guide{stroke:#e3e0d8;fill:none}
.line{stroke:#17694c;stroke-width:1.75;fill:none}
.y .line{stroke:#8b918c;stroke-width:1}
.s0 rect{fill:#17694c}.s1 rect{fill:#d9a441}.s2 rect{fill:#a3301f}.quiet .s0 rect{fill:#7d948a}
circle{fill:#17694c}
@media(max-width:400px){text{font-size:14px}}
@media(prefers-color-scheme:dark){text{fill:#a0aaa4}.guide{stroke:#2d332f}.line{stroke:#74cfa6}.y .line{stroke:#69726c}
.s0 rect{fill:#5fc492}.s1 rect{fill:#e9b85d}.s2 rect{fill:#ff9c88}.quiet .s0 rect{fill:#6d857a}circle{fill:#74cfa6}}"""


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars over time: what they are called, and for each column its label and values in the order of `series`."""

    name: str
    title: str
    series: Sequence[str]
    columns: Sequence[tuple[str, Sequence[float | None]]]
    told: Callable[[float], str]
    # What its axis names, given the most that is drawn.
    axis: Callable[[float], Ticks] = counts

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to draw."""
        return not any(value is not None for _, values in self.columns for value in values)


def bars(plot: Plot) -> bytes:
    """Bars upon one another as SVG."""
    pygal = _library()
    chart = _chart(pygal.StackedBar, plot.told, spacing=0, margin_right=4)
    named = _spread(len(plot.columns))
    # The library knows labels by their text, and runs of one minute have the same.
    chart.x_labels = [label if n in named else "" for n, (label, _) in enumerate(plot.columns)]
    chart.x_labels_major = [label for n, (label, _) in enumerate(plot.columns) if n in named]
    most = max((sum(value or 0 for value in values) for _, values in plot.columns), default=0)
    ticks = plot.axis(most)
    chart.range = (0, ticks[-1][0])
    chart.y_labels = _drawn(ticks)
    for number, name in enumerate(plot.series):
        chart.add(name, [values[number] for _, values in plot.columns])
    return _lean(chart, plot.title, "" if len(plot.series) > 1 else "quiet")


def curve(
    title: str, points: Sequence[tuple[datetime, float]], zone: tzinfo, *, is_place: bool = False
) -> bytes:
    """Values over time as SVG; the first rank is drawn on top."""
    pygal = _library()
    told = (lambda value: number_text(-value)) if is_place else number_text
    drawn = [
        (at.astimezone(zone).replace(tzinfo=None), -value if is_place else value)
        for at, value in _thinned(points)
    ]
    chart = _chart(pygal.DateTimeLine, told, show_dots=len(drawn) < 3, dots_size=2, margin_right=42)
    span = drawn[-1][0] - drawn[0][0]
    form = _form(span)
    chart.x_labels = (
        [drawn[0][0] + span * part / (LABELS - 1) for part in range(LABELS)] if span else [drawn[0][0]]
    )
    chart.show_minor_x_labels = True
    chart.x_value_formatter = form.format
    if is_place:
        worst = max(value for _, value in points)
        chart.range = (-worst, -1)
        chart.y_labels = sorted({-1, -round((1 + worst) / 2), -worst})
    else:
        # As the bars, it stands on 0.
        values = [0.0, *(value for _, value in drawn)]
        whole = all(value == int(value) for value in values)
        chart.y_labels = _drawn(numbers(min(values), max(values), whole=whole)) or None
    chart.add(title, drawn)
    return _lean(chart, title)


def _form(span: timedelta) -> str:
    """How instants below a plot are told, so that no two are alike."""
    if span.days >= 300:
        return "{0:%b %Y}"
    if span.days >= LABELS:
        return "{0.day} {0:%b}"
    return "{0.day} {0:%b %H:%M}" if span >= LABELS * timedelta(minutes=1) else "{0:%H:%M:%S}"


@cache
def _library() -> Any:
    """pygal, without what it hangs into the way of every later import: a finder of plug-ins, of an outdated kind."""
    import sys

    import pygal

    sys.meta_path[:] = [one for one in sys.meta_path if not type(one).__module__.startswith("pygal")]
    return pygal


def _thinned(points: Sequence[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    many = min(len(points), MOST_POINTS)
    return [points[(number + 1) * len(points) // many - 1] for number in range(many)]


def _spread(many: int) -> range:
    """The numbers of some of many, evenly."""
    step = max(1, -(-many // LABELS))
    return range(step // 2, many, step)


def _drawn(ticks: Ticks) -> list[dict[str, Any]]:
    """What an axis names, as the library wants it."""
    return [{"value": value, "label": label} for value, label in ticks]


def _chart(kind: Any, told: Callable[[float], str], **options: Any) -> Graph:
    Style = _library().style.Style
    return kind(
        width=WIDTH, height=HEIGHT, js=(), show_legend=False, show_minor_x_labels=False, truncate_label=-1,
        x_label_rotation=0, max_scale=4, print_values=False, include_x_axis=True, no_data_text="",
        margin=8, margin_left=16, value_formatter=lambda value: told(value) if value is not None else "",
        style=Style(font_family="sans-serif", label_font_size=11, major_label_font_size=11), **options,
    )  # fmt: skip


def _lean(chart: Graph, title: str, kind: str = "") -> bytes:
    """What is drawn in our own style, without what is there for scripts: a tenth of the size."""
    from xml.etree import ElementTree

    root = ElementTree.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=str(WIDTH),
        height=str(HEIGHT),
    )
    root.set("class", kind)
    ElementTree.SubElement(root, "title").text = plain(title)
    ElementTree.SubElement(root, "style").text = STYLE
    for child in chart.render_tree():
        _keep(child, root)
    return ElementTree.tostring(root)


def _keep(node: Any, parent: Any) -> None:
    """Add a node of pygal's, with those inside it that draw something."""
    from xml.etree.ElementTree import SubElement

    name = node.tag.rpartition("}")[2] if isinstance(node.tag, str) else "comment"
    marks = set((node.get("class") or "").split())
    if name not in KEPT or marks & LEFT_OUT:
        return
    found = {key: _NUMBER.sub(_rounded, node.get(key)) for key in KEPT[name] if node.get(key) is not None}
    if name == "rect" and not _has_height(found, node):
        return
    if marks & CALLED.keys():
        found["class"] = next(CALLED[mark] for mark in CALLED if mark in marks)
    # A group that says nothing of its own is none.
    made = SubElement(parent, name, found) if name != "g" or found else parent
    if name == "text":
        made.text = node.text
    for child in node:
        # The lines upward from the labels of time say nothing.
        if not ("x" in marks and child.tag.endswith("path")):
            _keep(child, made)


KEPT = {
    "g": ["transform"],
    "svg": [],
    "path": ["d"],
    "rect": ["x", "y", "width", "height"],
    "text": ["x", "y"],
    "circle": ["cx", "cy", "r"],
}
"""What is kept of what pygal draws: elements with their attributes."""

LEFT_OUT = {"overlay", "text-overlay", "tooltip-overlay", "legends", "titles", "background", "title"}
CALLED = {
    "guide": "guide",
    "x": "x",
    "y": "y",
    "serie-0": "s0",
    "serie-1": "s1",
    "serie-2": "s2",
    "line": "line",
}
"""pygal's classes and ours, the one that counts first."""

_NUMBER = re.compile(r"-?[0-9]+[.][0-9]+")


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.1f}".removesuffix(".0")


def _has_height(found: dict[str, str], node: Any) -> bool:
    """Whether a bar stands for more than nothing; then it is seen, however small."""
    height = float(node.get("height"))
    if 0 < height < 1:
        found["y"], found["height"] = f"{float(node.get('y')) + height - 1:.1f}", "1"
    return height > 0
