"""`stoma show`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stoma.cli.main import main
from stoma.cli.show import curve, number_text, shortened
from stoma.records import Record
from stoma.stores import Store, open_store
from tests.stores.test_questions import put
from tests.support.clock import Clock

PAPER = Record(
    "arxiv", "2605.00001", "paper", title="On sets", summary="It is short. " * 20, url="https://arxiv.org/abs/1",
    authors=("Ada", "Bo"), attributes={"doi": None, "pages": 9},
)  # fmt: skip


@pytest.fixture
def store(url: str, tmp_path: Path, clock: Clock) -> Any:
    (tmp_path / "stoma.yaml").write_text(
        f'version: 1\ntimezone: Europe/Berlin\npresets: []\nstore: {{url: "{url}"}}\n'
        "tasks:\n  one: {collector: arxiv, config: {search_query: all}, schedule: daily}\n"
    )
    with open_store(url, tmp_path, clock=clock) as opened:
        yield opened


def stoma(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def fill(store: Store, clock: Clock) -> None:
    put(store, replace(PAPER, measures={"stars": 1234.0, "rate": 0.25}))
    clock.forward(days=1)
    changed = replace(
        PAPER, title="On \x1b[31mall sets", authors=("Ada", "Cy"), attributes={"doi": "10.1/2", "pages": 9}
    )
    put(store, replace(changed, measures={"stars": 2345.0}), run=7)


def test_for_people(store: Store, clock: Clock) -> None:
    fill(store, clock)
    result = stoma("show", "2605.00001")
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines[0] == "On �[31mall sets"
    assert lines[1:3] == ["arxiv:2605.00001, paper, record #1", "https://arxiv.org/abs/1"]
    assert "2 versions, first seen 2026-03-01 13:00:00 CET, last seen 2026-03-02 13:00:00 CET" in lines
    at = lines.index("version 2: since 2026-03-02 13:00:00 CET, until now")
    assert lines[at - 1].endswith("superseded 2026-03-02 13:00:00 CET by run 7")
    assert lines[at + 1 : at + 4] == [
        "title  On{+ �[31mall+} sets",
        "authors  [-Bo-] {+Cy+}",
        "attributes.doi  [-nothing-] {+10.1/2+}",
    ]
    [stars] = [line.split() for line in lines if line.startswith("stars")]
    assert stars == ["stars", "2026-03-01", "2026-03-02", "2", "1,234", "2,345", "1,234", "2,345", "+1,111"]
    assert any(line.startswith("one ") and line.endswith("7") for line in lines)


def test_with_colours_on_a_terminal(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, clock)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    output = stoma("show", "2605.00001").output
    assert "\x1b[32m �[31mall\x1b[0m" in output
    assert "▁█" in output
    assert "{+" not in output


def test_signs_on_a_terminal_without_colours(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, clock)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    output = stoma("show", "2605.00001").output
    assert "[-Bo-] {+Cy+}" in output
    assert "\x1b" not in output


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_it_fits_the_terminal(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    for day in range(3):
        measures = {"pushed_at": 1_760_000_000.0 + day, "rank:daily:python": 9 - day, "stars": 123_456 + day}
        put(store, replace(PAPER, measures=measures))
        clock.forward(days=1)
    output = re.sub(r"\x1b\[[0-9;]*m", "", stoma("show", "2605.00001").output)
    assert max(map(len, output.splitlines())) <= columns
    # Days keep their line, and an instant is told twice, not four times.
    [line] = [line for line in output.splitlines() if "pushed_at" in line]
    assert "2026-03-01" in output
    assert output.count("2025-10-09") == 2
    if columns >= 80:
        assert line.count("2025-10-09") == 2
    assert ("over time" in output, "least" in output) == {
        60: (True, True), 80: (False, False), 120: (True, True),
    }[columns]  # fmt: skip


def test_json_has_all_of_it(store: Store, clock: Clock) -> None:
    fill(store, clock)
    told = json.loads(stoma("show", "#1", "--json").output)
    assert set(told) == {"record", "versions", "is_cut", "measures", "sightings"}
    assert told["versions"][0]["summary"] == PAPER.summary
    assert [one["measure"] for one in told["measures"]] == ["rate", "stars"]


def test_what_cannot_be_shown(store: Store, clock: Clock) -> None:
    put(store, PAPER, replace(PAPER, source="mirror"))
    result = stoma("show", "2605.00001")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "arxiv:2605.00001 or mirror:2605.00001" in result.stderr
    assert stoma("show", "2605.00001", "--source", "mirror").exit_code == 0
    result = stoma("show", "2605.0001", "--source", "arxiv")
    assert result.exit_code == 2
    assert 'did you mean "arxiv:2605.00001"?' in result.stderr


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([5], "▁"), ([5, 5], "▁▁"), ([0, 7], "▁█"), (list(range(8)), "▁▂▃▄▅▆▇█"), ([1, 9, 1], "▁█▁")],
)
def test_a_curve(values: list[float], bars: str) -> None:
    assert curve(values) == bars


def test_a_long_curve_ends_with_the_last_value() -> None:
    assert curve([0.0] * 999 + [1.0], 10) == "▁▁▁▁▁▁▁▁▁█"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234, "1,234"), (-3.0, "-3"), (0.25, "0.25"), (1234.567, "1,234.57"), (1e-9, "1e-09"), (1e20, "1e+20")],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert number_text(value) == text


def test_only_the_neighbourhood_of_a_change_is_shown() -> None:
    pieces = [("=", "a" * 500), ("+", "x"), ("=", "b" * 500), ("-", "y"), ("=", "c")]
    assert shortened(pieces) == [
        ("=", "…" + "a" * 60), ("+", "x"), ("=", "b" * 60 + "…" + "b" * 60), ("-", "y"), ("=", "c"),
    ]  # fmt: skip
