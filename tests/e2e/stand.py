"""A real `stoma-run` in a folder of its own, with sources on loopback that a test holds in its hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stoma.demo.standin import StandIn
from tests.support.api import reply
from tests.support.server import Asked, Reply, Server
from tests.support.waiting import until

BIDI = "\u202e"
HOSTILE = [
    {
        "id": "<script>alert('id')</script>/../ü?a=1#x",
        "title": "<script>alert('title')</script><img src=x onerror=alert('img')>",
        "summary": f"before {BIDI}after\x1b[31m \x07 <iframe src=https://elsewhere.example/></iframe> {{{{ 7*7 }}}}",
        "url": "javascript:alert('link')",
        "authors": ["<b onmouseover=alert('author')>Mallory</b>", f"{BIDI}yroll\u2066aM"],
        "tags": ['"><svg onload=alert("tag")>', "' autofocus onfocus=alert(1) x='"],
    },
    {
        "id": "long",
        "title": "W" * 600,
        "summary": "<p>" + "x" * 3000,
        "url": "data:text/html,<script>alert('data')</script>",
        "authors": ["A" * 300],
        "tags": ["t" * 200],
    },
    {
        "id": "plain",
        "title": "A plain entry",
        "url": "https://elsewhere.example/plain",
        "authors": [],
        "tags": [],
    },
]


class Sources(Server):
    """Works that grow older, a source that waits until it may go on, one that fails, and one that is hostile."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self._works = 0
        super().__init__(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        match asked.path:
            case "/works":
                self._works += 1
                return reply([_work(number, self._works) for number in range(12)])
            case "/slow":
                at = int(asked.query.get("page", 1))
                if at > 1:
                    # As long as a test wants to see it at work.
                    self.go_on.wait(20)
                items = [{"id": 5 * at + n, "title": f"Slow item {5 * at + n}"} for n in range(5)]
                return reply({"total": 50, "items": items})
            case "/hostile":
                return reply(HOSTILE)
            case "/gone":
                return reply({"message": "<b>not here</b>"}, 404)
        return reply({"message": "nothing"}, 404)


def _work(number: int, time: int) -> dict[str, Any]:
    return {
        "id": f"W{number}",
        "title": f"Sets and rings, part {number}" + (", revised" if time > 1 and number % 4 == 0 else ""),
        "summary": f"On the {number}th kind of set, and on the rings that it makes.",
        "url": f"https://elsewhere.example/works/{number}",
        "authors": ["Emmy Noether", "Kurt Gödel"],
        "tags": ["algebra", f"part {number % 3}"],
        "stars": 100 * number + 7 * time,
    }


def yaml(sources: Sources, standin: StandIn, api: str = "{port: 0}") -> str:
    """The configuration; sources are hosts of this machine, whose budget has no gap."""
    texts = "{title: title, summary: summary, url: url, authors: authors, tags: tags}"
    return f"""\
version: 1
timezone: Europe/Berlin
presets: []
api: {api}
scheduler: {{max_concurrent_tasks: 2}}
defaults: {{retry: {{count: 0}}}}
tasks:
  papers:
    name: Daily papers
    collector: arxiv
    config: {{search_query: "cat:cs.LG", max_results: 40, base_url: "{standin.url("arxiv")}"}}
    schedule: daily_at_09:00
  works:
    name: Works with stars
    collector: http_json
    config:
      url: {sources.url}/works
      fields: {texts}
      measures: {{stars: stars}}
    schedule: {{cron: "*/20 * * * *", skip: [weekends]}}
  slow:
    name: Slow but sure
    collector: http_json
    config: {{url: "{sources.url}/slow", items: items, paging: {{page: {{}}, total: total}}, fields: {{title: title}}}}
  hostile:
    name: Letters from strangers
    collector: http_json
    config: {{url: "{sources.url}/hostile", fields: {texts}}}
    schedule: weekly
  gone:
    name: A source that went away
    collector: http_json
    config: {{url: "{sources.url}/gone"}}
    schedule: hourly
    enabled: false
  secret:
    name: Waits for its key
    collector: http_json
    config: {{url: "{sources.url}/works", auth: {{bearer: "${{env:E2E_NEVER_SET}}"}}}}
    schedule: hourly
"""


class Stoma:
    """The process, its folder, and the API as a program uses it."""

    def __init__(self, folder: Path, sources: Sources, env: Mapping[str, str], token: str = "") -> None:
        self.folder, self.sources, self._token = folder, sources, token
        self.file = folder / "stoma.yaml"
        self._said = (folder / "said").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stoma.cli.run"],
            cwd=folder,
            env=dict(env),
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )
        until(lambda: "stop:" in self.said or self.process.poll() is not None, 30, "the start of stoma-run")
        assert self.process.poll() is None, self.said
        self.url = next(word for word in self.said.split() if word.startswith("http://")).rstrip("/")

    @property
    def said(self) -> str:
        """What it wrote to its terminal."""
        return (self.folder / "said").read_text(errors="replace")

    def ask(self, method: str, path: str) -> Any:
        """An answer of the API."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def run(self, task_id: str) -> dict[str, Any]:
        """One run of a task from beginning to end."""
        number = self.ask("POST", f"/api/scheduler/tasks/{task_id}/run")["run"]
        found: list[dict[str, Any]] = []

        def is_final() -> bool:
            history = self.ask("GET", f"/api/scheduler/history?task={task_id}&limit=5")["runs"]
            found[:] = [run for run in history if run["run"] == number]
            return bool(found) and found[0]["status"] not in ("pending", "running")

        until(is_final, 20, f"the end of {task_id}")
        return found[0]

    def stop(self) -> None:
        """End it in order."""
        self.sources.go_on.set()
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self._said.close()


@contextmanager
def stoma(folder: Path, *, api: str = "{port: 0}", token: str = "") -> Iterator[Stoma]:
    """A Stoma with these tasks and nothing collected yet."""
    home = folder / "home"
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("STOMA_")}
    repository = Path(__file__).parents[2]
    env |= {"HOME": str(home), "PYTHONPATH": str(repository), "E2E_TOKEN": token, "NO_COLOR": "1"}
    work = folder / "work"
    work.mkdir()
    with Sources() as sources, StandIn(now=datetime.now(UTC)) as standin:
        (work / "stoma.yaml").write_text(yaml(sources, standin, api))
        one = Stoma(work, sources, env, token)
        try:
            yield one
            assert "Traceback" not in one.said, one.said
        finally:
            one.stop()
