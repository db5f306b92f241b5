"""A sample of the campaign that holds due instants against independent oracles."""

from __future__ import annotations

import random
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.campaigns.oracle import (
    BEGIN,
    CHANGING,
    DAY,
    END,
    ZONES,
    Report,
    by_the_rule,
    changes,
    compare,
    compare_with_systemd,
    has_systemd,
    random_case,
    shown_at,
)


@given(st.integers(0, 2**32))
@settings(max_examples=600, deadline=None)
def test_the_instants_are_those_of_croniter_and_the_rules(seed: int):
    compare(random_case(random.Random(seed)), Report())


@pytest.mark.skipif(not has_systemd(), reason="systemd-analyze is not there to be asked")
@pytest.mark.parametrize("zone", CHANGING)
def test_the_instants_are_those_of_systemd(zone: str):
    chance, report = random.Random(zone), Report()
    near = [change.at for change in changes(zone) if BEGIN < change.at < END - 60 * DAY]
    moment = chance.choice(near) - DAY / 2
    cases = [random_case(chance, moment) for _ in range(40)]
    compare_with_systemd([case for case in cases if not case.text.startswith("interval")], report)
    assert report.instants["systemd"] > 200


def test_the_oracle_itself_knows_gaps_and_folds():
    assert len(ZONES) >= 40
    gap, fold = datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)
    assert shown_at(gap, "Europe/Berlin") == []
    assert [f"{moment:%H:%M}" for moment in shown_at(fold, "Europe/Berlin")] == ["00:30", "01:30"]
    (instant,), where = by_the_rule(gap, "Europe/Berlin", wall_clock=True)
    assert (where, f"{instant:%H:%M}") == ("gap", "01:00")
    assert by_the_rule(gap, "Europe/Berlin", wall_clock=False) == ([], "gap")
    assert by_the_rule(fold, "Europe/Berlin", wall_clock=False) == (shown_at(fold, "Europe/Berlin"), "fold")
    assert by_the_rule(fold, "Europe/Berlin", wall_clock=True)[0] == shown_at(fold, "Europe/Berlin")[:1]
