"""What belongs to what a task collects, and what to what is made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stoma import collectors
from stoma.normalizers.base import BaseNormalizer
from stoma.scheduler import marks
from stoma.scheduler.base import Task
from stoma.scheduler.marks import fingerprint, full_fingerprint
from tests.support.scripted import install

TASK = Task("t", "T", "scripted", config={"query": "a", "page_size": 5})


class Other(BaseNormalizer):
    """Another one."""


@pytest.mark.parametrize(
    ("edit", "collects_another", "makes_another"),
    [
        ({"name": "N", "timeout": None}, False, False),
        ({"config": {"page_size": 5, "query": "a"}}, False, False),
        ({"config": {"query": "a", "page_size": 7}}, False, True),
        ({"config": {"query": "b", "page_size": 5}}, True, True),
        ({"normalizer": "scripted"}, False, True),
        ({"normalizer": Other()}, False, True),
    ],
)
def test_what_an_edit_changes(
    monkeypatch: pytest.MonkeyPatch, edit: dict[str, Any], collects_another: bool, makes_another: bool
) -> None:
    install(monkeypatch)
    collector, other = collectors.make("scripted"), replace(TASK, **edit)
    assert (fingerprint(TASK, collector) != fingerprint(other, collector)) is collects_another
    assert (full_fingerprint(TASK) != full_fingerprint(other)) is makes_another


def test_a_normalizer_is_known_by_its_name_and_another_program_makes_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = full_fingerprint(replace(TASK, normalizer=Other))
    assert before == full_fingerprint(replace(TASK, normalizer=Other()))
    monkeypatch.setattr(marks, "__version__", "0.0.0")
    assert before != full_fingerprint(replace(TASK, normalizer=Other))
