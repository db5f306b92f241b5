"""One real Chromium for these tests. They are skipped, with the reason, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stand import Stoma, stoma
from tests.support.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
"""Every page as it looked in the last run, for people."""


def chromium() -> str | None:
    """STOMA_CHROMIUM, else the Chromium of this machine."""
    return os.environ.get("STOMA_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


CHROMIUM = chromium()


# Of this folder alone: as long as it is open, nothing else in the process can have an event loop.
@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: install it (apt-get install chromium), or name it in STOMA_CHROMIUM")
    from playwright.sync_api import sync_playwright

    home = tmp_path_factory.mktemp("browser")
    env: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0, args=list(FLAGS), env=env
        )
        yield opened
        opened.close()


class Witness:
    """Sees what no page may do: dialogs, requests to elsewhere, errors, breaches of the content policy."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.found: list[str] = []
        context.on("console", lambda message: self._if(message.type in ("error", "warning"), message.text))
        context.on("weberror", lambda error: self.found.append(f"error: {error.error}"))
        context.on("dialog", self._dialog)
        context.on("request", lambda request: self._if(not request.url.startswith(url), request.url))

    def _if(self, is_bad: bool, text: str) -> None:
        if is_bad:
            self.found.append(text)

    def _dialog(self, dialog: Any) -> None:
        self.found.append(f"dialog: {dialog.message}")
        dialog.dismiss()


Opened = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """Opens a page of a server in a browser of its own; what such a page may not do fails the test at its end."""
    with ExitStack() as stack:
        witnesses = []

        def open_page(url: str, *, excused: tuple[str, ...] = (), **options: Any) -> Page:
            options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"} | options
            context = browser.new_context(base_url=url, **options)
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            witnesses.append((Witness(context, url), excused))
            return context.new_page()

        yield open_page
        for witness, excused in witnesses:
            found = [text for text in witness.found if not any(word in text for word in excused)]
            assert found == []


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Stoma]:
    """A Stoma that has collected nothing yet."""
    with stoma(tmp_path_factory.mktemp("fresh")) as one:
        yield one


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Stoma]:
    """A Stoma with records of all kinds, two versions of some, a run that failed and one that is under way."""
    with stoma(tmp_path_factory.mktemp("filled")) as one:
        for task_id in ("papers", "works", "works", "hostile", "gone"):
            one.run(task_id)
        one.ask("POST", "/api/scheduler/tasks/slow/run")
        until(lambda: one.ask("GET", "/api/search?query=rings")["records"], 10, "the index")
        yield one
