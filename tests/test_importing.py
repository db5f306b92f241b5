"""Modules of strangers that hang, dawdle or leave threads behind when they are imported."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from time import monotonic

import pytest

from stoma import collectors, importing, own
from stoma.errors import Blocked
from tests.support.waiting import until
from tests.test_own import GOOD, fault, folder

__all__ = ["folder"]

GATED = """\
from tests import test_importing

assert test_importing.GATE.wait(30)
"""
GATE = threading.Event()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(own, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(own, "_under_way", {})
    GATE.clear()
    yield
    GATE.set()
    until(lambda: not imports())
    for name in ("slow", "slower", "stubborn"):
        sys.modules.pop(name, None)


def imports() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "import slow"]


def test_nobody_waits_for_a_module_that_hangs_and_its_line_is_told(folder: Path) -> None:
    (folder / "slow.py").write_text(GATED + GOOD)
    found = fault("slow:Mine")
    assert found.message == "slow:Mine cannot be used: its module does not finish importing (slow.py, line 3)"
    assert "as soon as it is there" in found.hint
    # However often it is asked for, one thread waits, and nobody waits for it again.
    began = monotonic()
    for path in ("slow:Mine", "slow:Demanding", "slow:Mine"):
        assert "does not finish importing" in fault(path).message
    assert monotonic() - began < 0.15
    assert len(imports()) == 1
    assert own.find("my_source:Mine", collectors.KIND).__name__ == "Mine"


def test_a_slow_module_is_used_once_it_is_there(folder: Path) -> None:
    (folder / "slow.py").write_text(GATED + GOOD)
    fault("slow:Mine")
    GATE.set()
    until(lambda: not imports())
    assert own.find("slow:Mine", collectors.KIND).__name__ == "Mine"
    assert own.find("slow:Mine.Inner", collectors.KIND).__name__ == "Inner"


def test_without_waiting_it_only_begins(folder: Path) -> None:
    (folder / "slow.py").write_text(GATED + GOOD)
    began = monotonic()
    assert isinstance(fault("slow:Mine", wait=False), own.Beginning)
    assert monotonic() - began < 0.1
    assert "does not finish" in fault("slow:Mine").message
    # It has had its time: whoever does not wait is told as well.
    assert "does not finish" in fault("slow:Mine", wait=False).message
    GATE.set()
    until(lambda: not imports())
    assert own.find("slow:Mine", collectors.KIND)


def test_what_is_tried_again_holds_up_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "AGAIN_SECONDS", 0.0)
    (folder / "slow.py").write_text("raise RuntimeError('not yet')\n")
    assert "not yet" in fault("slow:Mine", monotonic=lambda: 0.0).message
    (folder / "slow.py").write_text(GATED + GOOD)
    # The reason of before stands until something else is known.
    assert "not yet" in fault("slow:Mine", monotonic=lambda: 99.0).message


def test_threads_of_a_module_hold_up_no_exit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_lingering", [])
    start = "import threading\nfrom tests import test_importing\n"
    wait = "threading.Thread(target=test_importing.GATE.wait, args=(30,), name='theirs'{}).start()\n"
    (folder / "slow.py").write_text(start + wait.format("") + GOOD)
    own.find("slow:Mine", collectors.KIND)
    theirs = [thread for thread in threading.enumerate() if thread.name == "theirs"]
    assert [thread.daemon for thread in theirs] == [True]
    assert not importing.holds_up_exit()
    (folder / "stubborn.py").write_text(start + wait.format(", daemon=False") + GOOD)
    own.find("stubborn:Mine", collectors.KIND)
    assert importing.holds_up_exit()
    GATE.set()
    until(lambda: not importing.holds_up_exit())


def test_who_only_looks_imports_nothing(folder: Path) -> None:
    (folder / "slow.py").write_text("raise AssertionError('it was imported')\n")
    with own.unread():
        assert own.is_unread()
        with pytest.raises(own.Unread):
            own.find("slow:Mine", collectors.KIND)
    assert not own.is_unread()
    assert "it was imported" in fault("slow:Mine").message


def test_what_leaves_or_interrupts_at_import_is_a_fault(folder: Path) -> None:
    (folder / "slow.py").write_text("raise KeyboardInterrupt\n")
    assert "KeyboardInterrupt (slow.py, line 1)" in fault("slow:Mine").message
    (folder / "slower.py").write_text("raise BaseException('odd')\n")
    with pytest.raises(Blocked, match=r"BaseException: odd \(slower.py, line 1\)"):
        own.find("slower:Mine", collectors.KIND)
