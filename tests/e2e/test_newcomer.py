"""The path of somebody who sees Stoma for the first time, in a real browser, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Opened
from tests.e2e.stand import Stoma, stoma
from tests.e2e.test_pages import shoot
from tests.support.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def new(tmp_path: Path, browser: Browser) -> Iterator[Stoma]:
    with stoma(tmp_path) as one:
        yield one


def anew(page: Page) -> None:
    """Load the page again."""
    visit(page, page.url)


def visit(page: Page, at: str) -> None:
    """Go to an address, also where the page loads itself anew at this very moment, because its run is over."""
    from playwright.sync_api import Error

    with suppress(Error):
        page.goto(at)
        return
    page.wait_for_load_state()
    page.goto(at)


def see(page: Page, *, with_scripts: bool) -> None:
    """What a person does who waits for news: with scripts only look, for then the page asks anew."""
    from playwright.sync_api import Error

    if with_scripts:
        # A page that loads itself anew just now needs no telling.
        with suppress(Error):
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    else:
        anew(page)


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with scripts", "without"])
def test_the_path_of_a_newcomer(new: Stoma, opened: Opened, with_scripts: bool) -> None:
    from playwright.sync_api import expect

    page = opened(new.url, java_script_enabled=with_scripts)
    reloaded: list[str] = []

    # It opens, says how it stands, and what to do while there is nothing.
    visit(page, "/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="Tasks", exact=True).click()
    expect(page.get_by_role("link", name="works", exact=True)).to_be_visible()

    # A task is run, and is seen at work, with its progress.
    page.get_by_role("link", name="slow", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("slow")
    expect(page.get_by_role("main")).to_contain_text("Slow but sure")
    page.get_by_role("button", name=re.compile("^Run")).first.click()
    page.wait_for_load_state()
    until(lambda: new.ask("GET", "/api/scheduler/status")["running_runs"], 10, "the run")
    [run] = new.ask("GET", "/api/scheduler/history?task=slow")["runs"]
    visit(page, f"/runs/{run['run']}")
    until(lambda: new.ask("GET", "/api/scheduler/history?task=slow")["runs"][0]["seen"] == 5, 10, "a page")
    see(page, with_scripts=with_scripts)
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"running\s+for (a moment|\d+ s)"))
    shoot(page, "newcomer-at-work")

    # It finishes before the eyes of who looks.
    page.on("framenavigated", lambda frame: reloaded.append(frame.url))
    new.sources.go_on.set()
    until(lambda: new.ask("GET", "/api/scheduler/history?task=slow")["runs"][0]["status"] == "completed", 10)
    see(page, with_scripts=with_scripts)
    expect(page.locator("main .state").first).to_contain_text("completed")
    assert bool(reloaded) is not with_scripts

    # What it brought is sought and opened.
    new.run("works")
    until(lambda: new.ask("GET", "/api/search?query=rings")["records"], 10, "the index")
    page.get_by_role("navigation").get_by_role("link", name="Records", exact=True).click()
    page.get_by_role("searchbox").fill('"sets and rings" -nothing')
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("link", name="Sets and rings, part 7").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sets and rings, part 7")
    expect(page.get_by_role("main")).to_contain_text("Emmy Noether")
    link = page.get_by_role("link", name=re.compile("source", re.IGNORECASE)).first
    expect(link).to_have_attribute("href", "https://elsewhere.example/works/7")

    # A file is broken: every page says so, where and why, and everything goes on.
    visit(page, "/")
    good = new.file.read_text()
    new.file.write_text(good.replace("collector: arxiv", "colector: arxiv"))
    until(lambda: new.ask("GET", "/api/scheduler/status")["config"]["errors"], 10, "the error")
    see(page, with_scripts=with_scripts)
    banner = page.get_by_role("alert")
    expect(banner).to_be_visible()
    line = next(n for n, text in enumerate(new.file.read_text().split("\n"), 1) if "colector" in text)
    expect(banner).to_contain_text(f"stoma.yaml:{line}:5")
    expect(banner).to_contain_text('unknown key "colector"')
    expect(banner).to_contain_text("collector")
    expect(banner.locator("pre").last).to_contain_text("colector: arxiv\n    ^")
    shoot(page, f"newcomer-broken{'' if with_scripts else '-no-scripts'}")
    visit(page, "/records")
    expect(page.get_by_role("alert")).to_be_visible()
    visit(page, "/")
    assert new.run("works")["status"] == "completed"

    # It is mended, and the banner goes.
    new.file.write_text(good)
    until(lambda: not new.ask("GET", "/api/scheduler/status")["config"]["errors"], 10, "the mending")
    see(page, with_scripts=with_scripts)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_switches_and_the_pause(fresh: Stoma, opened: Opened) -> None:
    from playwright.sync_api import expect

    page = opened(fresh.url)
    visit(page, "/tasks/works")
    page.get_by_role("button", name=re.compile("^Disable")).click()
    expect(page.get_by_role("button", name=re.compile("^Enable"))).to_be_visible()
    assert not next(t for t in fresh.ask("GET", "/api/scheduler/tasks")["tasks"] if t["id"] == "works")[
        "enabled"
    ]
    page.get_by_role("button", name=re.compile("^Enable")).click()
    expect(page.get_by_role("button", name=re.compile("^Disable"))).to_be_visible()
    visit(page, "/")
    page.get_by_role("button", name=re.compile("^Pause")).click()
    expect(page.get_by_text("Everything is paused").first).to_be_visible()
    assert fresh.ask("GET", "/api/scheduler/status")["paused_since"]
    page.get_by_role("button", name=re.compile("^Resume")).first.click()
    expect(page.get_by_text("Everything is paused")).to_have_count(0)


def test_a_run_is_cancelled_and_begun_again(fresh: Stoma, opened: Opened) -> None:
    from playwright.sync_api import expect

    fresh.sources.go_on.clear()
    number = fresh.ask("POST", "/api/scheduler/tasks/slow/run")["run"]
    page = opened(fresh.url)
    visit(page, f"/runs/{number}")
    page.get_by_role("button", name=re.compile("^Cancel")).click()
    fresh.sources.go_on.set()
    until(
        lambda: (
            fresh.ask("GET", "/api/scheduler/history?task=slow&limit=1")["runs"][0]["status"] == "cancelled"
        ),
        20,
    )
    anew(page)
    page.get_by_role("button", name=re.compile("^(Retry|Run again|Begin again)")).click()
    until(
        lambda: (
            fresh.ask("GET", "/api/scheduler/history?task=slow&limit=1")["runs"][0]["status"] == "completed"
        ),
        20,
    )
    anew(page)
    expect(page.locator("main .state").first).to_contain_text("completed")


def test_a_server_that_is_gone_is_told(tmp_path: Path, opened: Opened) -> None:
    from playwright.sync_api import expect

    with stoma(tmp_path) as one:
        page = opened(one.url, excused=("ERR_CONNECTION_REFUSED",))
        visit(page, "/")
    for _ in range(2):
        see(page, with_scripts=True)
        page.wait_for_timeout(100)
    expect(page.get_by_text("The server does not answer")).to_be_visible()


def test_why_a_page_is_not_brought_up_to_date_is_told(fresh: Stoma, opened: Opened) -> None:
    from playwright.sync_api import Route, expect

    page = opened(fresh.url, excused=("404", "503"))
    # What takes seconds in earnest: how long the page waits.
    page.add_init_script(
        "const wait = AbortSignal.timeout; AbortSignal.timeout = (ms) => wait.call(AbortSignal, ms / 40)"
    )
    visit(page, "/")
    for status, words in ((503, "The store does not answer"), (404, "This is not there any more")):
        page.route("**/*", partial(Route.fulfill, status=status, body="no"))
        see(page, with_scripts=True)
        expect(page.locator("#said")).to_contain_text(words)
        page.unroute("**/*")
    page.route("**/*", lambda route: None)
    for _ in range(2):
        see(page, with_scripts=True)
        page.wait_for_timeout(300)
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    page.unroute("**/*")
    see(page, with_scripts=True)
    expect(page.locator("#said")).to_have_text("")

    # A part that is not there any more makes it another page.
    page.evaluate("document.querySelector('[data-live]').id = 'gone'; window.isOld = true")
    with page.expect_navigation():
        see(page, with_scripts=True)
    assert page.evaluate("window.isOld") is None
