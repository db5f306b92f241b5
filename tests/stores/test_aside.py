"""Questions that nobody must hang on: each kind of them stands for itself."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from stoma.errors import StoreUnavailable
from stoma.stores import aside, open_store


def test_a_slow_question_says_nothing_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "PATIENCE_SECONDS", 0.1)
    gate = threading.Event()
    with open_store("sqlite:///stoma.db", tmp_path) as store:
        with pytest.raises(StoreUnavailable):
            aside.answered(store.database, lambda: gate.wait(10), "slow")
        assert aside.answered(store.database, lambda: 1, "other") == 1
        # The same is not asked again while it waits.
        with pytest.raises(StoreUnavailable):
            aside.answered(store.database, lambda: 1, "slow")
        gate.set()
        monkeypatch.setattr(aside, "PATIENCE_SECONDS", 5)
        for thread in threading.enumerate():
            if thread.name == "looking":
                thread.join(5)
        assert aside.answered(store.database, lambda: 1, "slow") == 1
