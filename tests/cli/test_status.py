"""The exit codes of `stoma scheduler status`, by real processes: 0 well, 1 not running, 3 somebody has to act."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stoma.scheduler.base import TaskStatus
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.runs import End
from tests.campaigns.disks import private

YAML = """\
version: 1
presets: []
defaults: {retry: {count: 0}}
tasks:
  papers: {collector: arxiv, config: {search_query: all, base_url: "http://127.0.0.1:1"}, schedule: daily}
"""
BROKEN = YAML.replace("schedule:", "shedule:")


def status(*words: str) -> tuple[int, str]:
    """Exit code, and what it said."""
    command = [sys.executable, "-m", "stoma.cli.main", "scheduler", "status", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@contextmanager
def running(folder: Path) -> Iterator[Scheduler]:
    (folder / "stoma.yaml").write_text(YAML)
    with Scheduler(load_config(folder / "stoma.yaml")) as scheduler:
        yield scheduler


def test_a_failing_task_is_no_reason_to_act(tmp_path: Path) -> None:
    with running(tmp_path) as scheduler:
        scheduler.pause()
        run = scheduler.queue(scheduler.config.tasks["papers"])
        scheduler.store.runs.settle(run, TaskStatus.FAILED, "no", scheduler.store.now())
        code, said = status()
        assert (code, "failed: papers: " in said) == (0, True), said


def test_a_task_fails_also_while_it_waits_for_its_next_try(tmp_path: Path) -> None:
    with running(tmp_path) as scheduler:
        scheduler.pause()
        scheduler.queue(scheduler.config.tasks["papers"])
        runs, now = scheduler.store.runs, scheduler.store.now()
        claimed = runs.claim("me", now, now + timedelta(minutes=1))
        assert claimed is not None
        again = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)
        runs.end(claimed, End(TaskStatus.PENDING, error="no", not_before=again, attempt_status="failed"), now)
        code, said = status()
        assert (code, "failed: papers: no; tried again at 2099-01-02 03:04:05 UTC" in said) == (0, True), said


def test_a_rejected_file(tmp_path: Path) -> None:
    with running(tmp_path) as scheduler:
        (tmp_path / "stoma.yaml").write_text(BROKEN)
        scheduler.rescan()
        code, said = status()
        assert code == 3
        assert "stoma.yaml:5:" in said


@pytest.mark.parametrize("text", [YAML, BROKEN])
def test_a_dead_database(text: str, tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(text + 'store: {url: "postgresql://127.0.0.1:1/x"}\n')
    code, said = status()
    assert (code, "127.0.0.1:1/x" in said) == (3, True)
    assert ("shedule" in said) == (text == BROKEN)


def test_a_dead_database_as_json(tmp_path: Path) -> None:
    (tmp_path / "stoma.yaml").write_text(BROKEN + 'store: {url: "postgresql://127.0.0.1:1/x"}\n')
    code, said = status("--json")
    found = json.loads(said)
    assert (code, found["running"]) == (3, None)
    assert "shedule" in found["config"]["errors"][0]["message"]


INSIDE = """
import os, shutil, subprocess, sys
disk = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
try:
    os.chdir(disk)
    open("stoma.yaml", "w").write(sys.argv[2])
    status = [sys.executable, "-m", "stoma.cli.main", "scheduler", "status"]
    print(subprocess.run(status).returncode, flush=True)
    with open("filler", "wb") as file:
        file.write(b"x" * (shutil.disk_usage(disk).free - 500_000))
    print(subprocess.run(status).returncode, flush=True)
finally:
    os.chdir("/")
    subprocess.run(["umount", disk], check=True)
"""


@pytest.mark.skipif(not private(), reason="no disk can be mounted here")
def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        [*private(), sys.executable, "-c", INSIDE, str(disk), YAML],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stdout.splitlines() if line.isdigit()] == ["1", "3"], done.stderr
    assert "is full" in done.stderr
