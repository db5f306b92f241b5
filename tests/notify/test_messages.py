"""The words: short, plain, and harmless whatever a source says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stoma import references
from stoma.notify.messages import LONGEST_BODY, LONGEST_TITLE, Place, of_process, of_task, tidy, together
from stoma.stores.outbox import Alert, Letter

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLACE = Place("Europe/Berlin", "https://stoma.example.org")
ALERT = Alert("task a", "failing", NOW - timedelta(days=2), NOW, NOW, 1, "a", None, 3, "Run 7: it broke")
LETTER = Letter("task a", "opened", "failing", "ops", "${env:X}", "a fails", "first line\nsecond")


def test_what_a_failing_task_is_told_with() -> None:
    title, body = of_task(ALERT, "opened", "Papers", PLACE, NOW)
    assert title == "a fails: 3 runs in a row"
    assert body.splitlines() == [
        "Papers (a) fails: 3 runs in a row, since 2026-02-27 13:00 CET.",
        "Run 7: it broke",
        "`stoma runs a` shows its runs, `stoma logs RUN` what one logged.",
        "https://stoma.example.org/tasks/a",
    ]
    assert of_task(ALERT, "reminder", "a", PLACE, NOW)[0] == "a still fails: 3 runs in a row"


@pytest.mark.parametrize("kind", ["failing", "suspect", "silence", "gone"])
@pytest.mark.parametrize("event", ["opened", "worse", "reminder", "recovered"])
def test_every_trouble_of_a_task_has_words(kind: str, event: str) -> None:
    title, body = of_task(replace(ALERT, kind=kind), event, "a", PLACE, NOW)
    assert title.startswith("a ")
    assert body


@pytest.mark.parametrize("kind", ["config", "network", "store"])
@pytest.mark.parametrize("event", ["opened", "reminder", "recovered"])
def test_every_trouble_of_a_process_has_words(kind: str, event: str) -> None:
    title, body = of_process(replace(ALERT, kind=kind, task_id=None), event, PLACE, "node1", NOW)
    assert title
    assert "node1" in body
    assert ("still" in title) is (event == "reminder")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a\x1b[31mb\nc\td", "a\ufffd[31mb c d"),
        ("\u202egnp", "\ufffdgnp"),
        ("hey @everyone and @HERE", "hey @ everyone and @ HERE"),
        ("<!channel> <@U123> <b>", "< !channel> < @U123> <b>"),
        ("you@example.org", "you@example.org"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_what_a_source_says_calls_nobody(given: str, told: str) -> None:
    assert tidy(given) == told


def test_secrets_are_masked() -> None:
    references.remember("s3cret-of-the-alerts", "${env:ALERT_SECRET}")
    text = of_task(replace(ALERT, detail="bad token s3cret-of-the-alerts"), "opened", "a", PLACE, NOW)[1]
    assert "s3cret" not in text
    assert "${env:ALERT_SECRET}" in text


def test_nothing_grows_without_end() -> None:
    long = replace(ALERT, detail="y" * 100_000, task_id="t" * 64)
    title, body = of_task(long, "opened", "n" * 10_000, PLACE, NOW)
    assert len(title) <= LONGEST_TITLE
    assert len(body) <= LONGEST_BODY
    title, body = together([replace(LETTER, title="z" * 150, body="y" * 1800)] * 15)
    assert len(body) <= LONGEST_BODY + 100


def test_several_messages_go_as_one() -> None:
    assert together([LETTER]) == ("a fails", "first line\nsecond")
    title, body = together([LETTER, replace(LETTER, title="b fails")])
    assert title == "2 messages"
    assert body.splitlines() == ["a fails: first line", "b fails: first line"]


def test_a_repeat_says_so() -> None:
    title, body = together([replace(LETTER, repeats=1)])
    assert title == "(repeat) a fails"
    assert "may have arrived before" in body
    body = together([LETTER, replace(LETTER, title="b fails", repeats=1)])[1]
    assert body.splitlines()[:2] == ["a fails: first line", "(repeat) b fails: first line"]


def test_very_many_are_told_by_what_is_wrong() -> None:
    many = [
        replace(LETTER, about=f"task t{i:03}", title=f"t{i:03} fails: 3 runs in a row") for i in range(90)
    ]
    more = [
        replace(LETTER, about="task z", title="z works again"),
        replace(LETTER, about="network", title="No net"),
    ]
    title, body = together([*many, *more])
    assert title == "92 messages"
    lines = body.splitlines()
    assert lines[0].startswith("fails (90): t000, t001, ")
    assert lines[0].endswith(" more")
    assert lines[1:3] == ["works again (1): z", "No net"]
    assert len(body) <= LONGEST_BODY
    assert "may have arrived before" in together([*many, replace(LETTER, repeats=1)])[1]
