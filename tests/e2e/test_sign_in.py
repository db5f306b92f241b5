"""Signing in with a token, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Opened
from tests.e2e.stand import Stoma, stoma
from tests.e2e.test_pages import PHONE, axe, overflow, shoot
from tests.e2e.test_pages import axe_script as axe_script
from tests.support.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TOKEN = "a-long-token-for-the-browser"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Stoma]:
    """A Stoma that wants a token."""
    api = '{port: 0, tokens: ["${env:E2E_TOKEN}"]}'
    with stoma(tmp_path_factory.mktemp("closed"), api=api, token=TOKEN) as one:
        yield one


@pytest.mark.parametrize("with_scripts", [True, False], ids=["with scripts", "without"])
def test_in_and_out_again(closed: Stoma, opened: Opened, axe_script: str, with_scripts: bool) -> None:
    from playwright.sync_api import expect

    page = opened(closed.url, java_script_enabled=with_scripts, excused=("401",))
    page.goto("/tasks?state=blocked")
    page.wait_for_url("**/sign-in*")
    if with_scripts:
        page.evaluate(axe_script)
        assert axe(page) == []
        shoot(page, "sign-in-light")
        page.emulate_media(color_scheme="dark")
        assert axe(page, ["color-contrast"]) == []
        page.set_viewport_size(PHONE)
        shoot(page, "sign-in-phone-dark")
        assert overflow(page) <= 0
    field = page.get_by_label(re.compile("token", re.IGNORECASE)).first
    field.fill("a-wrong-token")
    field.press("Enter")
    page.wait_for_load_state()
    expect(page.get_by_role("alert")).to_be_visible()
    field = page.get_by_label(re.compile("token", re.IGNORECASE)).first
    assert field.input_value() == ""
    field.fill(TOKEN)
    field.press("Enter")
    # Where they wanted to go.
    page.wait_for_url("**/tasks?state=blocked")
    expect(page.get_by_role("link", name="secret", exact=True)).to_be_visible()
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert TOKEN not in cookie["value"] + page.content()
    # What changes anything works signed in.
    page.goto("/tasks/works")
    page.get_by_role("button", name=re.compile("^Run")).first.click()
    until(lambda: closed.ask("GET", "/api/scheduler/history?task=works")["runs"], 10, "the run")
    page.get_by_role("button", name=re.compile("sign out", re.IGNORECASE)).click()
    page.wait_for_load_state()
    page.goto("/")
    page.wait_for_url("**/sign-in*")
    assert "sign in:      with the token of env:E2E_TOKEN" in closed.said
    assert TOKEN not in closed.said
