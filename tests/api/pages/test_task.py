"""One task's page: how it stands, what it is declared to do, why it ran or did not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from stoma.scheduler.base import NewRun, Skip, SkipReason, Task, TaskPriority
from stoma.scheduler.manager import Scheduler
from tests.api.pages.conftest import Visitor
from tests.support.waiting import until


def run(visitor: Visitor, scheduler: Scheduler, task_id: str) -> int:
    number = int(visitor.press(f"/tasks/{task_id}/run").removeprefix("/runs/"))
    until(lambda: scheduler.store.runs.get(number).status.is_final)
    return number


def test_a_task_tells_where_it_is_declared_and_what_it_does(visitor: Visitor) -> None:
    page = visitor.open("/tasks/papers")
    said = page.said()
    assert "stoma.yaml:5" in said
    assert "config.search_query all" in said
    assert "every day at 09:00 Europe/Berlin" in said
    assert "Followed by s" in said
    assert len(page.all("#standing .bare li")) == 5
    assert "/feeds/papers.atom" in page.links()
    # What nobody wrote is there, and out of the way.
    assert "retry.count 3" in page.said("details")


def test_secrets_are_shown_as_references_and_what_was_written_out_is_starred(
    visitor: Visitor, scheduler: Scheduler
) -> None:
    assert "${env:STOMA_TEST_TOKEN}" in visitor.open("/tasks/repos").said()
    secret = "hunter2hunter2"
    config = {
        "url": f"http://me:{secret}@127.0.0.1:1/x?api_key={secret}&q=1",
        "headers": {"Authorization": secret},
        "password": secret,
    }
    scheduler.add_task(Task("own", "Own", "scripted", config={"script": "s", **config}))
    until(lambda: "own" in scheduler.config.tasks)
    page = visitor.open("/tasks/own")
    assert page.status == 200
    assert secret not in page.text
    assert "config.password ****" in page.said()
    assert "q=1" in page.said()


def test_runs_cursor_and_plots_are_there_once_it_has_run(visitor: Visitor, scheduler: Scheduler) -> None:
    assert "It has not run yet" in visitor.open("/tasks/s").said("#runs")
    number = run(visitor, scheduler, "s")
    page = visitor.open("/tasks/s")
    assert "completed" in page.said(f"#run-{number}")
    assert f"/runs/{number}" in page.links()
    assert "page 2 moved" in page.said("#where")
    plots = [image.get("src") for image in page.all("img.plot")]
    assert plots
    assert all(visitor.open(plot).headers["content-type"].startswith("image/svg+xml") for plot in plots)


def test_a_day_is_told_and_so_is_what_was_skipped(visitor: Visitor, scheduler: Scheduler) -> None:
    number = run(visitor, scheduler, "s")
    zone_today = visitor.open("/tasks/s/why").said("h1")
    assert zone_today.startswith("s on ")
    page = visitor.open("/tasks/s/why?date=today")
    assert "by hand" in page.said()
    assert f"/runs/{number}" in page.links()
    tomorrow = visitor.open("/tasks/papers/why?date=tomorrow")
    assert "09:00:00" in tomorrow.said()
    assert "to come" in tomorrow.said()
    assert visitor.open("/tasks/papers/why?date=soon").status == 400
    then = datetime.now(UTC) - timedelta(days=1)
    with scheduler.store.database.transaction() as tx:
        skip = Skip(then, then, 1, SkipReason.PAUSED, "<b>why</b>")
        tx.execute(
            "skip_insert",
            task_id="papers",
            first=skip.first,
            last=skip.last,
            count=1,
            reason=str(skip.reason),
            detail=skip.detail,
        )
    page = visitor.open("/tasks/papers")
    assert "paused: <b>why</b>" in page.said()
    assert "<b>why</b>" not in page.text


def test_one_that_is_declared_no_more_shows_what_it_left(visitor: Visitor, scheduler: Scheduler) -> None:
    new = NewRun("left", "hand:1", TaskPriority.NORMAL, "", reason="<i>asked</i>")
    number = scheduler.store.runs.add(new, scheduler.store.now()).id
    page = visitor.open("/tasks/left")
    assert "declared no more" in page.said()
    assert f"/runs/{number}" in page.links()
    assert "<i>asked" not in page.text
    assert not page.forms()
    assert "declared no more" in visitor.open("/tasks/left/why").said()
