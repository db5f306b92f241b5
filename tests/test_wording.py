"""How messages show what people wrote."""

from __future__ import annotations

import pytest

from stoma.wording import did_you_mean, listed, nearest, shown


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("shedule", "schedule"),
        ("Schedule", "schedule"),
        ("run-on-start", "run_on_start"),
        ("sched", "schedule"),
        ("sc", None),
        ("xyz", None),
        ("", None),
        ("schedule" * 1000, None),
    ],
)
def test_the_nearest_name(word, found):
    assert nearest(word, ["schedule", "run_on_start", "timeout"]) == found


def test_as_a_question():
    assert did_you_mean("tiemout", ["timeout"]) == '; did you mean "timeout"?'
    assert did_you_mean("xyz", ["timeout"]) == ""


def test_lists_in_words():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a or b"
    assert listed(["a", "b", "c"], "and") == "a, b and c"


def test_a_hostile_text_cannot_drive_the_terminal():
    assert shown("\x1b[2Jx\n\ty\u202e") == "·[2Jx  y·"
    assert shown("x" * 500) == "x" * 79 + "…"


def test_passwords_in_addresses_are_not_shown():
    assert shown("postgresql://joe:geheim@h/db") == "postgresql://joe:******@h/db"
    assert shown("postgresql://joe@h/db") == "postgresql://joe@h/db"


def test_a_beginning_stands_only_for_one_name():
    assert nearest("desc", ["ascending", "descending"]) == "descending"
    assert nearest("max", ["max_concurrent_tasks", "max_results_at_once"]) is None
