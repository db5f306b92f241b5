"""`stoma changes`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stoma.stores import Store
from stoma.stores import changes as told
from tests.cli.test_show import PAPER, stoma
from tests.cli.test_show import store as store
from tests.stores.test_questions import put
from tests.support.clock import Clock


@pytest.fixture(autouse=True)
def _just_now(store: Store, clock: Clock) -> None:
    """The command goes by the real clock."""
    clock.now = datetime.now(UTC) - timedelta(days=10)


def test_for_people(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, replace(PAPER, measures={"stars": 100}))
    clock.forward(days=9)
    put(store, replace(PAPER, title="On\nall sets", measures={"stars": 150}))
    put(store, *[replace(PAPER, external_id=f"n{number}", kind="entry") for number in range(3)])
    monkeypatch.setattr(told, "MOST_COUNTED", 2)
    result = stoma("changes", "--limit", "2")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines[1:3] == ["new: 2+ entries", "changed: 1 paper"]
    new = [line for line in lines if "arxiv:n" in line]
    assert [line.split()[3] for line in new] == ["arxiv:n2", "arxiv:n1"]
    assert any(line.endswith("paper arxiv:2605.00001 On all sets title") for line in lines)
    assert lines.count("arxiv:2605.00001 On all sets 100 150 +50 +50.0 %") == 2
    assert [line for line in lines if "risen" in line] == [
        "stars: risen most",
        "stars: risen most in percent",
    ]
    assert "id title before latest difference percent" in lines
    assert "new: nothing" in " ".join(stoma("changes", "--since", "1h").output.split())


def test_new_ones_that_changed_are_counted(store: Store, clock: Clock) -> None:
    papers = [replace(PAPER, external_id=f"n{number}") for number in range(3)]
    clock.forward(days=9)
    put(store, *papers)
    clock.forward(hours=1)
    put(store, *[replace(paper, title="On all sets") for paper in papers[:2]])
    lines = [" ".join(line.split()) for line in stoma("changes").output.splitlines()]
    assert lines[1:4] == [
        "new: 3 papers", "changed: nothing", "2 of the new ones changed since they came",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_it_fits_the_terminal(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    kinds = [f"filing_details{number}" for number in range(7)]
    old = replace(PAPER, external_id="x" * 48, title="On sets of sets " * 5)
    put(store, replace(old, measures={"stars": 123_456}))
    clock.forward(days=9)
    put(store, replace(old, summary="Short.", measures={"stars": 234_567}))
    put(store, *[replace(PAPER, external_id=f"n{kind}" * 2, kind=kind) for kind in kinds])
    output = re.sub(r"\x1b\[[0-9;]*m", "", stoma("changes").output)
    assert max(map(len, output.splitlines())) <= columns
    assert "234,567" in output
    # The day is not broken.
    assert f"{clock.now.astimezone(ZoneInfo('Europe/Berlin')):%m-%d %H:%M} " in output


def test_json(store: Store, clock: Clock) -> None:
    put(store, PAPER)
    found = json.loads(stoma("changes", "--json", "--since", "30d").output)
    assert set(found) == {"since", "now", "new", "changed", "risen"}
    assert found["new"]["counts"] == [{"kind": "paper", "count": 1, "is_exact": True}]
    assert found["new"]["records"][0]["external_id"] == "2605.00001"


def test_a_name_that_nothing_has(store: Store, clock: Clock) -> None:
    put(store, PAPER)
    result = stoma("changes", "--kind", "papr")
    assert result.exit_code == 0
    assert 'there is no record of a kind "papr"; did you mean "paper"?' in result.stderr
    result = stoma("changes", "--task", "onee")
    assert result.exit_code == 2
    assert 'did you mean "one"?' in result.stderr
    result = stoma("changes", "--since", "soon")
    assert result.exit_code == 2
    assert "write one such as 7d" in result.stderr


def test_a_task_that_is_declared_no_more(store: Store, clock: Clock) -> None:
    put(store, PAPER, task="gone")
    assert "1 paper" in stoma("changes", "--task", "gone", "--since", "30d").output
