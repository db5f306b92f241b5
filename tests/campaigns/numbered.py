"""A source of numbered items, a scheduler of its own process that collects them, and what must hold of the store.

Whatever is done to the process, to the store or to what lies between them, at each instant:

- the records are exactly the items of the committed pages, none of them twice, none as a second version;
- progress stands right behind the last of them, and there is no cursor before a run has completed;
- the counters of the runs add up to the records, and each page's answer is kept with it;
- each record lies in the index of words, or in the queue before it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stoma.stores import Store, open_store
from tests.support.faults import everything
from tests.support.server import Asked, Reply, Server

PER_PAGE = 40
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
YAML = """\
version: 1
presets: []
store: {{url: "{store}", raw: 30d}}
scheduler: {{lease: 5s, check_interval_seconds: 0.2}}
tasks:
  walk:
    collector: http_json
    config: {{url: "{source}/walk", items: items, key: id, fields: {{title: title, summary: summary}},
      paging: {{cursor: {{path: next, param: cursor}}, max_pages: 1000000}}}}
    schedule: interval_1m
    run_on_start: true
    timeout: 1h
    retry: {{count: 3, first: 1s, backoff: constant, jitter: 0}}
"""


class Numbered(Server):
    """Pages without an end, until `last` says which page is the last one; each takes `delay` seconds."""

    def __init__(self, delay: float = 0.01) -> None:
        self.delay = delay
        self.last: int | None = None
        super().__init__(self._reply)

    def _reply(self, asked: Asked) -> Reply:
        number = int(asked.query.get("cursor") or 0)
        items = [
            {"id": str(n), "title": f"Item {n}", "summary": f"what is told of {n} " * 20}
            for n in range(number * PER_PAGE, (number + 1) * PER_PAGE)
        ]
        is_last = self.last is not None and number >= self.last
        body = {"items": items, "next": None if is_last else str(number + 1)}
        return Reply(body=json.dumps(body).encode(), delay=self.delay)


class Process:
    """A scheduler that collects what `source` has into `store`; its log is a file."""

    def __init__(self, folder: Path, source: Numbered, store: str) -> None:
        self.folder, self.log = folder, folder / "log"
        (folder / "stoma.yaml").write_text(YAML.format(store=store, source=source.url))
        self.start()

    def start(self) -> None:
        """Begin; also again, after a kill."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stoma.scheduler.manager"],
                cwd=self.folder,
                env=ENVIRONMENT,
                stdout=log,
                stderr=log,
            )

    @property
    def is_alive(self) -> bool:
        """True while it runs."""
        return self._process.poll() is None

    def said(self, since: int = 0) -> str:
        """What it has logged, from a number of bytes on."""
        return self.log.read_bytes()[since:].decode(errors="replace")

    def end(self) -> None:
        """Stop it in good order; kill it where it does not."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def collecting(folder: Path, store: str, delay: float = 0.01) -> Iterator[tuple[Process, Numbered]]:
    """A source and a process that collects it."""
    with Numbered(delay) as source:
        process = Process(folder, source, store)
        try:
            yield process, source
        finally:
            process.end()


def held(store: Store) -> int:
    """Hold the store against the source; gives how many records there are. Raises AssertionError."""
    # One statement, for the collection goes on meanwhile.
    [[row]] = everything(store, QUESTION[store.dialect])
    told: dict[str, Any] = dict(zip(NAMES, row, strict=True))
    count = told["records"]
    assert count % PER_PAGE == 0, f"half a page was committed: {told}"
    assert count == told["different"], f"a record is there twice: {told}"
    assert told["greatest"] == count - 1, f"not the first pages: {told}"
    assert told["versions"] == 0, f"a record has a second version: {told}"
    assert told["new"] == count, f"the counters do not add up to the records: {told}"
    assert told["seen"] == count, f"a page came twice: {told}"
    assert told["pages"] * PER_PAGE == count, f"pages and records differ: {told}"
    assert told["raw"] == told["pages"], f"answers and pages differ: {told}"
    assert told["unindexed"] == 0, f"neither in the index nor in the queue: {told}"
    if told["completed"]:
        assert told["progress"] is None, f"a completed run leaves no progress: {told}"
        return int(count)
    assert told["cursors"] == 0, f"the cursor is ahead of the data: {told}"
    place = json.loads(told["progress"])["token"] if told["progress"] else {"cursor": 0}
    assert int(place["cursor"]) * PER_PAGE == count, f"progress is not where the records end: {told}"
    return int(count)


NAMES = (
    "records", "different", "greatest", "versions", "new", "seen", "pages", "raw", "unindexed", "completed",
    "cursors", "progress",
)  # fmt: skip
UNINDEXED = """select count(*) from records r
     where not exists (select 1 from search_entries e where e.record_id = r.id)
       and not exists (select 1 from search_queue q where q.source = r.source and q.stored_at = r.first_seen_at)"""
"""Records that no question would ever find."""

_QUESTION = """
select
    (select count(*) from records),
    (select count(distinct external_id) from records),
    (select coalesce(max(cast(external_id as integer)), -1) from records),
    (select count(*) from record_versions),
    (select coalesce(sum(new), 0) from runs),
    (select coalesce(sum(seen), 0) from runs),
    (select coalesce(sum(pages), 0) from runs),
    (select count(*) from raw_pages),
    ({unindexed}),
    (select count(*) from runs where status = 'completed'),
    (select count(*) from cursors),
    (select {page} from progress)
"""
QUESTION = {
    "sqlite": _QUESTION.format(page="page", unindexed=UNINDEXED),
    "postgres": _QUESTION.format(page="page::text", unindexed=UNINDEXED),
}


def wait(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until it holds; gives how long it took. Raises AssertionError."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def goes_on(url: str, folder: Path, seconds: float) -> float:
    """Wait until pages are committed again; gives how long it took. Raises AssertionError."""
    with open_store(url, folder) as store:
        before = store.records.count()
        return wait(lambda: store.records.count() > before, seconds, "the collection goes on by itself")


def finish(url: str, folder: Path, source: Numbered, seconds: float) -> int:
    """Let the source end, wait until a run has completed, and hold everything once more; gives the records."""
    source.last = max(int(asked.query.get("cursor") or 0) for asked in source.requests) + 5
    with open_store(url, folder) as store:
        wait(
            lambda: any(str(run.status) == "completed" for run in store.runs.history("walk", limit=100)),
            seconds,
            "a run completes",
        )
        assert held(store) == (source.last + 1) * PER_PAGE
        return store.records.count()
