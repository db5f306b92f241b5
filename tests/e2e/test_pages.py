"""Every page in a real browser: readable for everybody, small, harmless; pictures for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import feedparser
import pytest

from tests.e2e.conftest import SHOTS, Opened
from tests.e2e.stand import HOSTILE, Stoma
from tests.support.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# What a narrow window or other colours may change; the rest holds for all or for none.
NARROW = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block", "region"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def of_run(task: str, suffix: str = "") -> Callable[[Stoma], str]:
    """The address of the last run of a task."""

    def address(one: Stoma) -> str:
        [run] = one.ask("GET", f"/api/scheduler/history?task={task}&limit=1")["runs"]
        return f"/runs/{run['run']}{suffix}"

    return address


PAGES: dict[str, str | Callable[[Stoma], str]] = {
    "overview": "/",
    "tasks": "/tasks",
    "tasks-none": "/tasks?q=nothing-is-called-so",
    "task": "/tasks/works",
    "why": "/tasks/works/why",
    "runs": "/runs",
    "run": of_run("works"),
    "run-under-way": of_run("slow"),
    "run-failed": of_run("gone"),
    "records": "/records",
    "records-found": "/records?q=rings",
    "records-none": "/records?q=nosuchword",
    "record": "/records/works/W4",
    "record-hostile": f"/records/hostile/{quote(str(HOSTILE[0]['id']), safe='')}",
    "record-long": "/records/hostile/long",
    "changes": "/changes",
    "hosts": "/hosts",
    "calendar": "/calendar",
    "config": "/config",
    "api": "/api/docs",
}


ALIKE = {"api": "main .panel:nth-of-type(n+4)"}
"""A long row of things that are made in the same way: the first few speak for all."""


def go(page: Page, one: Stoma, name: str) -> None:
    """Open a page of PAGES."""
    at = PAGES[name]
    answer = page.goto(at if isinstance(at, str) else at(one))
    assert answer is not None
    assert answer.status == 200, f"{name}: {answer.status} {page.inner_text('body')[:300]}"


def axe(page: Page, rules: list[str] | None = None, alike: str = "") -> list[str]:
    """What axe finds wrong, in a line each; what is `alike` what stands before it is passed over."""
    only = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": RULES}
    found = page.evaluate(
        "([exclude, runOnly]) => axe.run({exclude}, {runOnly, resultTypes: ['violations']})",
        [[alike] if alike else [], only],
    )
    return [
        f"{one['id']} {node['target']}: {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def shoot(page: Page, name: str) -> None:
    """Keep a picture for people, of the top of what is very long."""
    height = page.evaluate("document.documentElement.scrollHeight")
    page.screenshot(path=SHOTS / f"{name}.png", full_page=height < 6_000)


def overflow(page: Page) -> int:
    """Pixels by which a page is wider than its window."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide


@pytest.fixture(scope="module")
def axe_script() -> str:
    """axe-core itself; the pages' content policy lets no page load it, so it is handed to the browser."""
    from importlib.resources import files

    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everybody(filled: Stoma, opened: Opened, axe_script: str, name: str) -> None:
    page = opened(filled.url)
    go(page, filled, name)
    # One look decides: what moves on such a page would be another page for each.
    page.evaluate(axe_script)
    alike = ALIKE.get(name, "")
    found: dict[str, Any] = {"light": axe(page, alike=alike)}
    assert overflow(page) <= 0
    shoot(page, f"{name}-light")
    page.emulate_media(color_scheme="dark")
    found["dark"] = axe(page, ["color-contrast"], alike)
    shoot(page, f"{name}-dark")
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="light")
    found["phone"] = axe(page, NARROW, alike)
    shoot(page, f"{name}-phone")
    assert overflow(page) <= 0
    assert found == {"light": [], "dark": [], "phone": []}
    # The reference is one long page, to be searched by a browser.
    assert len(page.content().encode()) < (150_000 if name == "api" else 100_000)
    [heading] = page.locator("h1").all()
    assert heading.is_visible()
    assert page.title().endswith("Stoma")


def test_what_strangers_wrote_is_only_text(filled: Stoma, opened: Opened) -> None:
    page = opened(filled.url)
    for name in (
        "record-hostile",
        "record-long",
        "records",
        "changes",
        "overview",
        "task",
        "run",
        "run-failed",
    ):
        go(page, filled, name)
        for link in page.locator("a[href], form[action], img[src]").all():
            address = link.get_attribute("href") or link.get_attribute("action") or link.get_attribute("src")
            assert re.match(r"/|#|\?|https?://", address or "/"), f"{name}: {address}"
        foreign = (
            "main :is(script, iframe, svg, style), [onerror], [onload], [onmouseover], [onfocus], [autofocus]"
        )
        assert page.locator(foreign).count() == 0, name
    go(page, filled, "record-hostile")
    text = page.inner_text("main")
    assert str(HOSTILE[0]["title"]) in text
    assert "{{ 7*7 }}" in text
    assert "\x1b" not in page.content()
    assert "\u202e" not in page.title()


def test_records_of_strangers_are_found_and_opened(filled: Stoma, opened: Opened) -> None:
    page = opened(filled.url)
    page.goto("/records?task=hostile")
    page.get_by_role("link", name="<script>alert('title')", exact=False).first.click()
    assert page.locator("h1").inner_text().startswith("<script>alert('title')")
    page.go_back()
    page.get_by_role("link", name="WWWWWW", exact=False).first.click()
    assert overflow(page) <= 0


def test_keys_are_enough(fresh: Stoma, opened: Opened) -> None:
    page = opened(fresh.url)
    page.goto("/tasks")
    page.keyboard.press("Tab")
    # The first stop leads past the navigation.
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    page.keyboard.press("Enter")
    name, seen = "", []
    for _ in range(40):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.innerText || document.activeElement.name || ''")
        seen.append(name)
        if name.startswith("Run") and page.evaluate(
            "document.activeElement.closest('form').action.endsWith('/tasks/hostile/run')"
        ):
            break
    else:
        pytest.fail(f"no key leads to the button: {seen}")
    outline = page.evaluate(
        "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
    )
    assert "none" not in outline
    page.keyboard.press("Enter")
    until(lambda: fresh.ask("GET", "/api/scheduler/history?task=hostile")["runs"], 10, "the run")
    page.wait_for_load_state()
    page.goto("/")
    page.keyboard.press("/")
    page.wait_for_url("**/records")


def test_a_search_is_a_key_away(filled: Stoma, opened: Opened) -> None:
    page = opened(filled.url)
    page.goto("/records")
    page.keyboard.press("/")
    page.keyboard.type("rings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/records?*q=rings*")
    assert page.get_by_role("link", name="Sets and rings", exact=False).count() >= 10


def test_what_is_not_there_is_a_page_too(filled: Stoma, opened: Opened, axe_script: str) -> None:
    page = opened(filled.url, excused=("404", "400"))
    for at in ("/tasks/nope", "/runs/999999", "/records/works/nope", "/records?limit=x"):
        answer = page.goto(at)
        assert answer is not None
        assert answer.status in (404, 400)
        page.evaluate(axe_script)
        assert axe(page) == []
        assert page.get_by_role("navigation").count() == 1
    shoot(page, "fault-light")


def test_a_search_is_a_feed(filled: Stoma, opened: Opened) -> None:
    page = opened(filled.url)
    page.goto("/records?q=rings+-part&kind=entry&task=works")
    told = page.locator("link[rel=alternate]").get_attribute("href")
    assert told == "/feeds/works.atom?q=rings+-part&kind=entry"
    assert page.get_by_role("link", name="Feed", exact=True).get_attribute("href") == told
    found = feedparser.parse(page.request.get(f"{filled.url}/feeds/works.atom?q=rings").body())
    assert not found.bozo
    assert len(found.entries) == 12
