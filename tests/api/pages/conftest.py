"""A scheduler at work behind a real server, and somebody who looks at its pages without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
from lxml import html

from stoma.api.server import Server
from stoma.scheduler.config import load_config
from stoma.scheduler.manager import Scheduler
from tests.support.scripted import Script, install

YAML = """\
version: 1
timezone: Europe/Berlin
presets: []
tasks:
  papers:
    name: "<b onmouseover=alert(1)>Papers</b> & \u202emore"
    collector: arxiv
    config: {search_query: all, base_url: "http://127.0.0.1:1"}
    schedule: daily_at_09:00
  repos:
    collector: github
    config: {mode: search, query: x, token: "${env:STOMA_TEST_TOKEN}"}
    schedule: {cron: "*/20 * * * *", skip: [weekends]}
  s:
    collector: scripted
    config: {script: s}
    after: [papers]
"""


@dataclass(frozen=True)
class Page:
    """One answer: what it says, and where it leads."""

    status: int
    text: str
    headers: dict[str, str]

    @cached_property
    def tree(self) -> html.HtmlElement:
        return html.fromstring(self.text)

    def all(self, selector: str) -> list[html.HtmlElement]:
        """The elements that a simple selector finds: tag, #id, .class, [name], [name=value], blanks, commas."""
        return list(self.tree.xpath(" | ".join(map(_xpath, selector.split(",")))))

    def said(self, selector: str = "main") -> str:
        """The words of the first such element, blanks joined."""
        [first, *_] = self.all(selector)
        return " ".join(" ".join(first.itertext()).split())

    def links(self) -> list[str]:
        return [str(link.get("href")) for link in self.all("a")]

    def forms(self) -> dict[str, dict[str, str]]:
        """By address: the hidden fields of each form that changes something."""
        return {
            str(form.get("action")): {field.get("name"): field.get("value") for field in form.iter("input")}
            for form in self.all("form[method=post]")
        }


def _xpath(selector: str) -> str:
    """One of the selectors that `Page.all` takes, as XPath."""
    found = ""
    for step in selector.split():
        tag, rest = re.fullmatch(r"([\w-]*)(.*)", step).groups()  # type: ignore[union-attr]
        found += f"//{tag or '*'}"
        for mark, name, value in re.findall(r"([#.\[])([\w.-]+)(?:=([^\]]*))?\]?", rest):
            if mark == "#":
                found += f"[@id='{name}']"
            elif mark == ".":
                found += f"[contains(concat(' ', @class, ' '), ' {name} ')]"
            else:
                found += f"[@{name}='{value}']" if value else f"[@{name}]"
    return found


class Visitor:
    """Opens pages and sends their forms."""

    def __init__(self, port: int) -> None:
        self.port = port

    def open(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Page:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        if fields is not None:
            usual = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
            headers = {**usual, **headers}
        body = None if fields is None else urlencode(fields)
        connection.request("GET" if fields is None else "POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return Page(answer.status, text, {name.lower(): value for name, value in answer.getheaders()})

    def press(self, path: str, **fields: str) -> str:
        """Send a form; where its answer leads."""
        page = self.open(path, fields)
        assert page.status == 303, page.text
        return page.headers["location"]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.delenv("STOMA_TEST_TOKEN", raising=False)
    return install(monkeypatch)


@pytest.fixture
def scheduler(script: Script, tmp_path: Path) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(YAML)
    with Scheduler(load_config(tmp_path / "stoma.yaml")) as scheduler:
        yield scheduler


@pytest.fixture
def visitor(scheduler: Scheduler) -> Iterator[Visitor]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Visitor(server.port)
    server.stop()
