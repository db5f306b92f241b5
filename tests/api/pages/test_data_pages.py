"""The pages of runs, records and changes over real sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest

from stoma.api.server import Server
from stoma.records import Record
from stoma.scheduler.base import NewRun, Run, Span, TaskPriority, TaskStatus, backfill_scope, backfill_trigger
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from stoma.stores.logs import Line
from stoma.stores.runs import End
from tests.support.clock import Clock
from tests.support.records import indexed

YAML = """\
version: 1
presets: []
timezone: Asia/Kolkata
tasks:
  papers: {collector: arxiv, config: {search_query: all, base_url: "http://127.0.0.1:1"}, schedule: daily}
"""
PAPER = Record(
    "arxiv", "2605.1", "paper", title="On language models", summary="We study <b>language</b> and language models.",
    url="https://arxiv.org/abs/2605.1", authors=("Ada", "Ben"), tags=("cs.LG",), measures={"stars": 3},
)  # fmt: skip
HOSTILE = Record(
    "papers", "<script>x</script>/../..//é?a=1#b %41", "entry",
    title="<script>alert('t')</script> \u202eevil\u202c \x07 <img src=x onerror=alert(1)>",
    summary="<img src=x onerror=alert(2)> &lt;svg onload=alert(3)&gt; odd " + "W" * 5000,
    url="javascript:alert(4)", authors=("<b>Ann</b>",), tags=("<i>t</i>", "\u202et"),
    attributes={"link": " javascript:alert(5)", "<u>k</u>": {"<s>": ["<u>v</u>"]}, "web": "https://x.org/\"onclick='y"},
)  # fmt: skip


class Site:
    """Asks for pages; forms are sent as a browser does."""

    def __init__(self, scheduler: Scheduler, clock: Clock) -> None:
        self.scheduler, self.clock, self.store = scheduler, clock, scheduler.store
        self.server = Server(scheduler, "127.0.0.1", 0)
        self.server.start()

    def ask(self, path: str, method: str = "GET", body: str = "") -> tuple[int, str, dict[str, str]]:
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        text, found = answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        return answer.status, text, found

    def page(self, path: str, status: int = 200) -> str:
        found, text, headers = self.ask(path)
        assert (found, headers["content-type"]) == (status, "text/html; charset=utf-8"), text[:500]
        # Nothing inline: the policy would refuse it.
        assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=\"", text), text
        return text

    def run(
        self, trigger: str, status: TaskStatus | None = None, error: str = "", task: str = "papers"
    ) -> Run:
        now = self.clock.now
        new = NewRun(task, trigger, TaskPriority.NORMAL, "h", scheduled_for=now)
        run = self.store.runs.add(new, now, owner="pc/b/n/1/2", lease_until=now + timedelta(minutes=1))
        if status is None:
            return run
        started = self.store.runs.claim_one(run.id, "pc/b/n/1/2", now, now + timedelta(hours=9))
        assert started is not None
        if status is not TaskStatus.RUNNING:
            self.store.runs.end(started, End(status, error=error or None), self.clock.forward(seconds=5))
        return self.store.runs.get(run.id)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "stoma.yaml").write_text(YAML)
    clock = Clock()
    # Nothing is at work: what the store holds is what pages show.
    site = Site(Scheduler(load_config(tmp_path / "stoma.yaml"), clock=clock), clock)
    yield site
    site.server.stop()
    site.store.close()


def test_an_empty_store_says_what_to_do_next(site: Site) -> None:
    assert "Nothing has run yet." in site.page("/runs")
    assert "There are no records yet." in site.page("/records")
    assert "Nothing new in this time." in site.page("/changes")


def test_runs_are_listed_newest_first_and_go_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stoma.api.pages.runs.LIMIT", 2)
    for number in range(3):
        site.run(f"hand:{number}", TaskStatus.COMPLETED)
        site.clock.forward(minutes=1)
    site.run("hand:9", TaskStatus.FAILED, "HTTP 503 <b>")
    page = site.page("/runs")
    assert re.findall(r'<tr id="run-(\d+)"', page) == ["4", "3"]
    assert "HTTP 503 &lt;b&gt;" in page
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following
    assert re.findall(r'<tr id="run-(\d+)"', site.page(following[1])) == ["2", "1"]
    failed = site.page("/runs?task=papers&status=failed&since=24h")
    assert re.findall(r'<tr id="run-(\d+)"', failed) == ["4"]
    # An empty field of the form says nothing.
    assert 'id="run-3"' in site.page("/runs?task=&status=&since=")
    # 12:00 UTC is 17:30 in Kolkata.
    assert "1 Mar 17:3" in page
    assert '<rect x="' in page
    assert site.page("/runs?status=great", 400)
    assert "Did you mean" in site.page("/runs?task=paper", 404)


def test_open_runs_stand_on_top_and_are_ended_by_a_form(site: Site) -> None:
    ended, open_ = site.run("hand:1", TaskStatus.COMPLETED), site.run("hand:2")
    page = site.page("/runs")
    assert page.index(f'id="open-{open_.id}"') < page.index(f'id="run-{ended.id}"')
    assert f'id="run-{open_.id}"' not in page
    status, _, headers = site.ask(f"/runs/{open_.id}/cancel", "POST", "back=%2Fruns")
    assert (status, headers["location"]) == (303, "/runs")
    assert site.store.runs.get(open_.id).status is TaskStatus.CANCELLED
    # Over is over, and it is said on a page.
    assert "is over" in site.ask(f"/runs/{open_.id}/cancel", "POST")[1]
    status, _, headers = site.ask(f"/runs/{open_.id}/retry", "POST")
    assert (status, headers["location"]) == (303, f"/runs/{open_.id}")
    assert site.store.runs.get(open_.id).status is TaskStatus.PENDING


def test_only_a_run_that_waits_for_a_moment_may_be_told_to_start_now(site: Site) -> None:
    run = site.run("hand:1")
    assert "Retry" not in site.page(f"/runs/{run.id}")
    now = site.clock.now
    claimed = site.store.runs.claim_one(run.id, "pc/b/n/1/2", now, now + timedelta(minutes=1))
    assert claimed is not None
    until = now + timedelta(minutes=5)
    site.store.runs.end(claimed, End(TaskStatus.PENDING, error="no", not_before=until), now)
    assert "Retry now" in site.page(f"/runs/{run.id}")


def test_one_run_tells_all_of_itself(site: Site) -> None:
    run = site.run("hand:1", TaskStatus.RUNNING)
    site.store.logs.add(
        [Line(run.id, site.clock.now, "WARNING", f"patience {n} \x1b[31m<b>") for n in range(120)]
    )
    indexed(site.store, PAPER, task="papers")
    page = site.page(f"/runs/{run.id}")
    assert 'data-refresh="2"' in page
    assert "patience 119 �[31m&lt;b&gt;" in page
    assert "patience 19 " not in page
    assert "On language models" in page
    assert f'action="/runs/{run.id}/cancel"' in page
    earlier = re.search(r'href="([^"]+log=\d+)#log"', page)
    assert earlier
    assert "patience 19 " in site.page(earlier[1])
    site.clock.forward(minutes=1)
    site.store.runs.end(run, End(TaskStatus.FAILED, error="HTTP 503 <i>"), site.clock.now)
    page = site.page(f"/runs/{run.id}")
    assert 'data-refresh="0"' in page
    assert "HTTP 503 &lt;i&gt;" in page
    assert "process 1 on pc" in page
    assert f'action="/runs/{run.id}/retry"' in page
    assert f'action="/runs/{run.id}/cancel"' not in page
    assert "is not the number of a run" in site.page("/runs/x", 404)
    assert site.page("/runs/999999999999999999", 404)


def test_the_windows_of_a_backfill_are_told_with_each(site: Site) -> None:
    runs = []
    for month in (1, 2):
        span = Span.of(f"2026-{month:02d}-01..2026-{month:02d}-28")
        new = NewRun("papers", backfill_trigger("abcdefabcdef", span), TaskPriority.LOW, "h")
        runs.append(site.store.runs.add(replace(new, scope=backfill_scope("abcdefabcdef")), site.clock.now))
    page = site.page(f"/runs/{runs[0].id}")
    assert re.findall(r'id="window-(\d+)"', page) == [str(run.id) for run in runs]


def test_a_search_marks_what_was_asked_for(site: Site) -> None:
    indexed(
        site.store, PAPER, replace(PAPER, external_id="2605.2", title="Nothing", summary=""), task="papers"
    )
    page = site.page("/records?q=language")
    assert "On <mark>language</mark> models" in page
    assert "We study <mark>language</mark> and" in page
    assert "Nothing" not in page
    assert 'href="/records/arxiv/2605.1"' in page
    assert "On <mark>language</mark> models" in site.page(
        "/records?q=language&kind=paper&source=arxiv&task=papers&since=1h"
    )
    assert 'href="/feed.atom?q=language"' in page
    assert "Search without kind" in site.page("/records?q=language&kind=filing")
    assert "Nothing is found." in site.page("/records?q=zzz")
    # A query that cannot be understood is told where it can be mended.
    wrong = site.page("/records?q=%28language", 400)
    assert 'value="(language"' in wrong
    assert "a ( is not closed" in wrong
    assert "is not a moment" in site.page("/records?since=soon", 400)


def test_records_go_on_below_the_last(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stoma.api.pages.records.LIMIT", 2)
    indexed(site.store, *[replace(PAPER, external_id=str(number)) for number in range(5)], task="papers")
    for begin in ("/records", "/records?task=papers", "/records?q=language&order=newest"):
        path, found = begin, []
        while path:
            page = site.page(path)
            found += re.findall(r'<li id="record-(\d+)"', page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            path = following[1].replace("&amp;", "&") if following else ""
        assert found == ["5", "4", "3", "2", "1"], begin


def test_a_record_tells_versions_measures_and_who_saw_it(site: Site) -> None:
    for number, title in enumerate(("On models", "On language models", "On all language models")):
        indexed(site.store, replace(PAPER, title=title, measures={"stars": 10 * number}), task="papers")
        site.clock.forward(days=1)
    page = site.page("/records/arxiv/2605.1")
    assert "<h1><bdi>On all language models</bdi></h1>" in page
    assert 'href="https://arxiv.org/abs/2605.1"' in page
    assert "On<ins> all</ins> language models" in page
    assert "Ada</bdi>, <bdi>Ben" in page
    assert "We study  language  and language models." in page.replace("\n", " ")
    plot = re.search(r'src="(/plots/[^"]+)"', page)
    assert plot
    status, svg, headers = site.ask(plot[1])
    assert (status, headers["content-type"]) == (200, "image/svg+xml")
    assert "script" not in svg
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    number = re.search(r"record (\d+)</p>", page)
    assert number
    assert "<h1><bdi>On all language models</bdi></h1>" in site.page(f"/records/{number[1]}")
    assert site.page("/records/x", 404)
    assert "Did you mean" in site.page("/records/arxiv/2605.2", 404)
    assert site.ask("/plots/records/1.svg?measure=nope")[0] == 404
    assert site.ask("/plots/records/x.svg?measure=stars")[0] == 404


def test_strangers_records_are_harmless_everywhere(site: Site) -> None:
    run = site.run("hand:1", TaskStatus.RUNNING)
    site.clock.forward(minutes=1)
    indexed(site.store, HOSTILE, task="papers")
    site.clock.forward(minutes=1)
    indexed(site.store, replace(HOSTILE, title="<script>2</script>", tags=()), task="papers")
    address = re.search(r'href="(/records/papers/[^"]+)"', site.page("/records"))
    assert address
    paths = [
        "/records",
        "/records?q=odd",
        "/records?q=%3Cscript%3E",
        "/changes",
        f"/runs/{run.id}",
        address[1],
    ]
    for path in paths:
        page = site.page(path)
        for sign in (
            "<script>",
            "<img src=x",
            "<svg onload",
            "<b>",
            "<u>",
            "\u202e",
            "\x07",
            'href="javascript',
            'href=" java',
        ):
            assert sign not in page, (path, sign)
        assert len(page) < 60_000
    page = site.page(address[1])
    assert "&lt;script&gt;2&lt;/script&gt;" in page
    assert "javascript:alert(4)" in page
    assert "&lt;u&gt;k&lt;/u&gt;" in page


def test_names_that_no_address_carries_are_found_by_number(site: Site) -> None:
    names = ("..", ".", "a\nb", "x/", "/x", "a//b", "100%", "é")
    indexed(site.store, *[replace(PAPER, external_id=name, title=f"named {name!r}") for name in names])
    addresses = re.findall(r'<a href="(/records/[^"?]+)"', site.page("/records"))
    assert len(addresses) == len(names)
    titles = {re.findall(r"<h1><bdi>(.*?)</bdi>", site.page(address))[0] for address in addresses}
    assert len(titles) == len(names)


def test_changes_tell_what_is_new_changed_and_risen(site: Site) -> None:
    indexed(site.store, PAPER, replace(PAPER, external_id="2605.9", title="Old one"), task="papers")
    site.clock.forward(days=10)
    indexed(site.store, replace(PAPER, title="On other models", measures={"stars": 90}), task="papers")
    indexed(site.store, replace(PAPER, external_id="2605.3", title="A new one"), task="papers")
    page = site.page("/changes")
    assert "A new one" in page
    assert "Old one" not in page
    assert re.search(r'id="changed-1".*?On other models.*?title', page, re.DOTALL)
    assert "stars</bdi>: risen most" in page
    assert "+87" in page
    assert "A new one" not in site.page("/changes?since=1h&kind=filing")
    assert site.page("/changes?cursor=x", 400)


def test_plots_of_a_task(site: Site) -> None:
    for number in range(3):
        site.run(f"hand:{number}", TaskStatus.COMPLETED)
        site.clock.forward(days=1)
    for name in ("brought", "seen", "duration", "lateness"):
        for by in ("run", "day"):
            status, svg, headers = site.ask(f"/tasks/papers/plot/{name}.svg?by={by}")
            assert (status, headers["content-type"]) == (200, "image/svg+xml")
            assert svg.startswith("<svg ")
    assert "1 Mar" in site.ask("/tasks/papers/plot/duration.svg?by=day")[1]
    assert site.ask("/tasks/papers/plot/nope.svg")[0] == 404
    assert site.ask("/tasks/nope/plot/seen.svg")[0] == 404
    assert site.ask("/tasks/papers/plot/seen.svg?by=year")[0] == 400


def test_pages_stay_small_however_much_there_is(site: Site) -> None:
    long = replace(
        PAPER,
        title="t " * 5000,
        summary="language " * 2_000,
        authors=("A" * 300,) * 3000,
        tags=("x" * 500,) * 900,
    )
    indexed(site.store, *[replace(long, external_id=f"{n}" * 20) for n in range(40)], task="papers")
    for number in range(50):
        site.run(f"hand:{number}", TaskStatus.FAILED, "e" * 4000)
    run = site.run("hand:x", TaskStatus.RUNNING)
    site.store.logs.add([Line(run.id, site.clock.now, "INFO", "w" * 900) for _ in range(300)])
    for path in ("/runs", "/records", "/records?q=language", "/changes", "/records/1", f"/runs/{run.id}"):
        assert len(site.page(path)) < 100_000, path
