"""Whether a process still lives."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from stoma.scheduler.owner import Owner, is_gone, this_process

ASK = "from stoma.scheduler.owner import this_process; print(this_process(), flush=True); input()"


def test_this_process_lives() -> None:
    assert Owner.parse(str(this_process())) == this_process()
    assert not is_gone(str(this_process()))


@pytest.mark.parametrize("text", ["", "x", "a/b/c/d/e", "a/b/c/1/x"])
def test_what_is_no_owner_counts_as_alive(text: str) -> None:
    assert not is_gone(text)


def test_a_killed_process_is_gone_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        owner = process.stdout.readline().strip()
        assert not is_gone(owner)
        process.kill()
        # Not yet reaped: a zombie does not work any more.
        for _ in range(1000):
            if is_gone(owner):
                break
        assert is_gone(owner)
        process.wait()
    assert is_gone(owner)


def test_a_reused_number_is_another_process() -> None:
    assert is_gone(str(replace(this_process(), started=this_process().started - 1)))


@pytest.mark.parametrize("field", ["hostname", "boot", "namespace"])
def test_what_cannot_be_seen_from_here_counts_as_alive(field: str) -> None:
    elsewhere = replace(this_process(), pid=2**22 + 1, **{field: "elsewhere"})
    assert not is_gone(str(elsewhere))
