"""Code of your own that hangs, prints, leaves threads behind or goes away: processes that live with it all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from stoma import own
from stoma.scheduler.base import NewRun, TaskPriority, TaskStatus, hand_trigger
from stoma.scheduler.config import blocked_reason, load_config
from stoma.scheduler.judging import judge
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.parts import connect
from tests.scheduler.test_owncode import CODE, folder
from tests.support.waiting import until

__all__ = ["folder"]

HANGING = "import threading\nthreading.Event().wait(60)\n"
TWO = 'version: 1\ntasks:\n  plain: {{collector: "own_code:Plain"}}\n  mine: {{{}}}\n'


def stoma(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    module = "stoma.cli.run" if words[0].startswith("--") else "stoma.cli.main"
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=folder, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(own, "_under_way", {})


def written(folder: Path, entry: str) -> Path:
    (folder / "stoma.yaml").write_text(TWO.format(entry))
    return folder / "stoma.yaml"


def test_a_module_that_hangs_blocks_its_task_and_holds_up_no_other(folder: Path, quick: None) -> None:
    (folder / "hanging.py").write_text(HANGING)
    path = written(folder, "collector: github, enabled: false")
    with Scheduler(path) as scheduler:
        scheduler.rescan()
        written(folder, 'collector: "hanging:Mine", schedule: hourly')
        began = monotonic()
        scheduler.rescan()
        assert scheduler.config.tasks["mine"].collector == "hanging:Mine"
        assert monotonic() - began < 2
        assert scheduler.is_alive
        told = scheduler.task("mine").blocked or ""
        assert "its module does not finish importing (hanging.py, line 2)" in told
        run = scheduler.queue(scheduler.config.tasks["plain"])
        until(lambda: scheduler.store.runs.get(run.id).status is TaskStatus.COMPLETED)
        # Who only looks asks the scheduler.
        scheduler.beat()
        listed = stoma(folder, "scheduler", "list-tasks", "--json")
        [plain, mine] = json.loads(listed.stdout)
        assert plain["status"] == "completed"
        assert (mine["status"], mine["reason"]) == ("blocked", told)


def test_the_loop_waits_for_no_module_and_a_run_that_is_due_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "_under_way", {})
    path = written(folder, "collector: github, enabled: false")
    with Scheduler(path) as scheduler:
        (folder / "slow.py").write_text("import threading\nthreading.Event().wait(1)\n" + CODE)
        written(folder, 'collector: "slow:Plain", schedule: hourly')
        began = monotonic()
        scheduler.rescan()
        task, switches = scheduler.config.tasks["mine"], scheduler.store.agenda.switches()
        with scheduler.store.database.reader() as reader:
            now = scheduler.store.now()
            assert judge(task, scheduler.config, switches, reader, now)(now) is None
        assert monotonic() - began < 0.8
        scheduler.store.runs.add(NewRun("mine", hand_trigger(), TaskPriority.NORMAL, "0"), now)
        scheduler.look_again()
        until(lambda: scheduler.store.runs.history("mine")[0].status is TaskStatus.COMPLETED)


def test_an_edit_with_code_that_is_not_there_yet_is_judged_when_it_is(folder: Path, quick: None) -> None:
    path = written(folder, "collector: github, enabled: false")
    with Scheduler(path) as scheduler:
        written(folder, 'collector: "own_code:Strict", config: {limit: 0}')
        scheduler.rescan()
        until(lambda: 'has no "url"' in str([scheduler.task("mine").blocked, scheduler.errors]))


def test_looking_imports_nothing(folder: Path) -> None:
    (folder / "loud.py").write_text("open('imported', 'w').close()\n" + CODE)
    written(folder, 'collector: "loud:Plain", schedule: hourly')
    for words in (
        ["scheduler", "list-tasks"],
        ["scheduler", "status"],
        ["next"],
        ["runs"],
        ["why", "mine", "today"],
        ["hosts"],
        ["scheduler", "disable-task", "mine"],
    ):
        assert stoma(folder, *words).returncode in (0, 1), words
        assert not (folder / "imported").exists(), words
    assert stoma(folder, "--check").returncode == 0
    assert (folder / "imported").exists()


def test_check_and_once_end_although_a_module_began_a_thread(folder: Path) -> None:
    began = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=False).start()\n"
    (folder / "loud.py").write_text(
        "print('loud')\n" + began + CODE.replace("items = ", "print('here'); items = ")
    )
    written(folder, 'collector: "loud:Plain"')
    checked = stoma(folder, "--check", "--json")
    assert (checked.returncode, json.loads(checked.stdout)["ok"]) == (0, True)
    ran = stoma(folder, "--once", "mine", "--json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)[0]["status"] == "completed"
    assert "loud" in ran.stderr
    assert "here" in ran.stderr
    ran = stoma(folder, "scheduler", "run-task", "mine", "--json")
    assert json.loads(ran.stdout)[0]["status"] == "completed"


def test_a_hanging_module_is_a_fault_for_check(folder: Path) -> None:
    (folder / "hanging.py").write_text(HANGING)
    written(folder, 'collector: "hanging:Mine"')
    checked = stoma(folder, "--check")
    assert checked.returncode == 2
    assert (
        "stoma.yaml:4:21: collector: hanging:Mine cannot be used: its module does not finish"
        in checked.stderr
    )


@pytest.mark.parametrize("entry", ["config: {source: arxiv}", "config: {source: sec_edgar}"])
def test_a_source_that_comes_with_stoma_is_taken(folder: Path, entry: str) -> None:
    config = load_config(written(folder, f'collector: "own_code:Plain", {entry}'))
    reason = blocked_reason(config.tasks["mine"], config) or ""
    assert "that comes with Stoma (name another one: `source` of the class, or config.source" in reason
    assert blocked_reason(config.tasks["plain"], config) is None
    checked = stoma(folder, "--check")
    assert "stoma.yaml:4:21: collector: the source" in checked.stderr


def test_a_restart_without_the_file_blocks_its_task_and_loses_nothing(folder: Path) -> None:
    path = written(folder, 'collector: "going:Plain", schedule: hourly')
    (folder / "going.py").write_text(CODE)
    assert stoma(folder, "--once", "mine", "--json").returncode == 0
    with connect(load_config(path)) as store:
        store.runs.add(NewRun("mine", hand_trigger(), TaskPriority.NORMAL, "0"), store.now())
    (folder / "going.py").unlink()
    for key in [key for key in own._found if key[1].startswith("going:")]:
        del own._found[key]
    sys.modules.pop("going", None)
    with Scheduler(path) as scheduler:
        assert 'there is no module "going"' in (scheduler.task("mine").blocked or "")
        until(lambda: not scheduler.store.runs.open())
        [run, *_] = scheduler.store.runs.history("mine")
        assert run.status is TaskStatus.SKIPPED
        assert 'there is no module "going"' in (run.reason or "")
        assert scheduler.is_alive
        plain = scheduler.queue(scheduler.config.tasks["plain"])
        until(lambda: scheduler.store.runs.get(plain.id).status is TaskStatus.COMPLETED)
