"""What may be sent as a body, and how each fault is told."""

from __future__ import annotations

import pytest

from stoma.api.body import DEEPEST, read_body
from stoma.api.tasks import NEW_TASK
from stoma.errors import UsageError

GOOD = b'{"id": "a", "name": "A", "collector": "arxiv"'
NEST = b'{"a": ' * DEEPEST + b"1" + b"}" * DEEPEST


def test_what_fits_comes_back_as_values() -> None:
    sent = GOOD + b', "schedule": ["daily", "hourly"], "config": {"max_results": 5}, "replace": true}'
    assert read_body(NEW_TASK, sent, "application/json; charset=utf-8") == {
        "id": "a",
        "name": "A",
        "collector": "arxiv",
        "schedule": ["daily", "hourly"],
        "config": {"max_results": 5},
        "replace": True,
    }
    # Programs that say no type are believed.
    assert read_body(NEW_TASK, GOOD + b"}")["id"] == "a"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", "the body is empty"),
        (b"  \n", "the body is empty"),
        (b"[]", "the body is a list, expected an object"),
        (b'"text"', "the body is text"),
        (b"null", "the body is nothing"),
        (b'{"id": \n}', "the body is not JSON: Expecting value at line 2, column 1"),
        (b"\xff{}", "the body is not UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (GOOD + b', "config": ' + NEST + b"}", "nested too deep"),
        (b'{"id": ' + b"9" * 5_000 + b"}", "a number that is too long"),
        (b'{"id": 1e999}', "a number that is too great"),
        (b'{"id": NaN}', "NaN is no number"),
        (b'{"id": "\\ud800"}', "half a letter"),
        (b'{"\\udfff": 1}', "half a letter"),
        (b'{"id": "a", "id": "b"}', 'the body says "id" more than once'),
        (b"{}", 'body has no "id"'),
        (b'{"id": 1, "name": "A", "collector": "arxiv"}', "body.id: found the number 1, expected text"),
        (GOOD + b', "prority": "high"}', 'unknown key "prority" in body; did you mean "priority"?'),
        (GOOD + b', "priority": "hihg"}', 'did you mean "high"?'),
        (GOOD + b', "config": []}', "body.config: found a list, expected a mapping"),
        (GOOD + b', "replace": "yes"}', 'body.replace: found the text "yes", expected true or false'),
        (GOOD + b', "schedule": []}', "body.schedule"),
        (GOOD + b', "name2": 1, "x": 2}', "(and 1 more)"),
    ],
)
def test_each_fault_is_told(sent: bytes, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_body(NEW_TASK, sent)
    assert told in caught.value.message


def test_a_form_is_no_json() -> None:
    with pytest.raises(UsageError, match="Content-Type is application/x-www-form-urlencoded") as caught:
        read_body(NEW_TASK, GOOD + b"}", "application/x-www-form-urlencoded")
    assert "Content-Type: application/json" in caught.value.hint
