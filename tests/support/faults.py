"""What goes wrong with a source, and the one judge of what a run makes of it.

    stand = Stand(source)                    # the source on loopback, and a run of it that nothing disturbs
    Case(stand, fault, "middle", folder).judge()

A source falls ill with one request, stays ill for all that follow, and is well again for the next try.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import socket
import sqlite3
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, quote_plus, unquote, urlencode
from xml.sax.saxutils import escape

from stoma.collectors.base import Deadline
from stoma.collectors.http import Limits
from stoma.log import logger
from stoma.scheduler.base import NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.scheduler.runlog import RunLog
from stoma.stores import Store, open_store
from tests.support.clock import Clock
from tests.support.faulty import NOW, REFERENCE, SECRET, Source, Verdict
from tests.support.server import Asked, Handler, Reply, Server

LEASE = timedelta(minutes=5)
QUICK = Limits(asks=2, pauses=(0.0,), patience=0.05, connect=5, silence=10, request=20, body=1 << 20)
SLOW = replace(QUICK, asks=1, silence=0.6, request=1.0)
"""Patience of tests: pages are asked for twice; where time itself is the fault, once, and not for long."""
UNHURRIED = replace(QUICK, asks=1)

LONGEST = 8.0
"""Seconds within which every run has to end."""

DISEASE = re.compile(
    r"Traceback|\b[A-Za-z]+(Error|Exception|Busy|Refused|Answer|Gone)\(|\b[A-Z][a-z]+[A-Za-z]*(Error|Exception)\b"
    r"|<class|<bound|<string>|object at 0x|urllib3|HTTPConnection|[Ee]rrno|Error -?\d|None\b"
)
"""What no person should have to read."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: what is answered in place of the truth, and what should come of it.

    `words` is a pattern that the error has to hold. `asks` is how often the page is asked for in vain.
    """

    name: str
    spoil: Callable[[Ill, Asked, Reply], Reply]
    verdict: str = Verdict.AGAIN
    words: str = ""
    asks: int = 2
    # The least number of seconds for which the host is left alone, and the most.
    cool: tuple[float, float] = (0, 0)
    # The network that leads to the source is what is ill: `refused` or `nameless`.
    network: str = ""
    # Seconds that the run has.
    timeout: float = LONGEST
    # Requests more than usual of a run that completes all the same.
    extra: int = 0
    # True where what is whole in a broken answer may be kept, or some pages pass before it is noticed.
    is_loose: bool = False

    def __str__(self) -> str:
        return self.name


class Ill(Server):
    """Tells the truth of a source until it falls ill; below a path that is a secret."""

    def __init__(self) -> None:
        self.truth: Handler = lambda asked: Reply(500)
        self.fault: Fault | None = None
        self.since = 0
        # What was answered to the request before.
        self.before: Reply | None = None
        self.is_nameless = False
        super().__init__(self._reply)
        self.host = f"127.0.0.1:{self.port}"

    def fall_ill(self, fault: Fault, since: int) -> None:
        """All requests from number `since` on are answered like this."""
        self.requests.clear()
        self.before = None
        self.fault, self.since = fault, since
        if since == 1:
            self._lose()

    def recover(self) -> None:
        """Be as before."""
        if self.fault and self.fault.network == "refused":
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
            self._start(self._accept)
        self.fault, self.is_nameless = None, False
        self.requests.clear()

    def _lose(self) -> None:
        """From now on nobody gets here."""
        assert self.fault
        if self.fault.network == "refused":
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.is_nameless = self.fault.network == "nameless"

    def _reply(self, asked: Asked) -> Reply:
        try:
            true = self.truth(replace(asked, path=unquote(asked.path).removeprefix(f"/{SECRET}")))
        except KeyError:  # a redirect led to a request that nobody would send
            true = Reply(400)
        fault = self.fault
        if fault is None or asked.number < self.since:
            self.before = true
            if fault is not None and fault.network and asked.number == self.since - 1:
                self._lose()
                return replace(true, headers={**true.headers, "Connection": "close"})
            return true
        return fault.spoil(self, asked, true)

    def _send(self, sock: socket.socket, reply: Reply) -> bool:
        return super()._send(sock, reply) and reply.headers.get("Connection") != "close"


@contextmanager
def nameless(ill: Callable[[], Iterator[Ill]]) -> Iterator[None]:
    """Let the names of servers that are nameless not be found."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if any(one.is_nameless and one.port == port for one in ill()):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, port, *arguments, **options)

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = real


# -- faults --------------------------------------------------------------------------------------------------

PAGE_FOR_PEOPLE = (
    b"<!DOCTYPE html><html><head><title>We'll be back</title></head><body><p>Maintenance</p></body></html>"
)
GARBAGE = bytes(range(256)) * 8


def _status(code: int, retry_after: str = "") -> Callable[[Ill, Asked, Reply], Reply]:
    def spoil(ill: Ill, asked: Asked, true: Reply) -> Reply:
        # A source that repeats what it was asked, secrets and all.
        told = [asked.path, *asked.query.values(), *map(asked.headers.get, ("authorization", "x-key"))]
        said = json.dumps({"message": " ".join(filter(None, ["no", *told]))})
        headers = {"Retry-After": retry_after} if retry_after else {}
        return Reply(code, said.encode(), {"Content-Type": "application/json", **headers})

    return spoil


def _always(**fields: Any) -> Callable[[Ill, Asked, Reply], Reply]:
    return lambda ill, asked, true: replace(true, **fields)


def _body(make: Callable[[bytes], bytes]) -> Callable[[Ill, Asked, Reply], Reply]:
    return lambda ill, asked, true: replace(true, body=make(true.body))


def _headed(**headers: str) -> Callable[[Ill, Asked, Reply], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda ill, asked, true: replace(true, headers={**true.headers, **named})


def _bomb(ill: Ill, asked: Asked, true: Reply) -> Reply:
    body = gzip.compress(b" " * (3 << 20) + true.body)
    return replace(true, body=body, headers={**true.headers, "Content-Encoding": "gzip"})


def _circle(ill: Ill, asked: Asked, true: Reply) -> Reply:
    return Reply(302, headers={"Location": f"{asked.path}?n={asked.number}"})


def _until_closed(ill: Ill, asked: Asked, true: Reply) -> Reply:
    """Without a length, in pieces, and cut in the middle of one."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Reply(raw=head + b"%x\r\n" % len(true.body) + true.body[: len(true.body) // 2])


def _again(ill: Ill, asked: Asked, true: Reply) -> Reply:
    assert ill.before
    return ill.before


def _declared(encoding: bytes) -> Callable[[Ill, Asked, Reply], Reply]:
    """XML that says of itself that it is encoded in another way; all else is as it was."""
    return _body(lambda body: re.sub(rb"encoding=(['\"])[\w-]+", rb"encoding=\1" + encoding, body, count=1))


STATUSES = [
    Fault(
        f"{code}{' with Retry-After' if wait else ''}",
        _status(code, wait),
        *_meaning,
    )
    for code in (400, 401, 403, 404, 410, 422, 429, 500, 503)
    for wait in ("", "120")
    for _meaning in [
        (Verdict.COOLED, f"answers {code} ", 1, (120, 120) if wait else (60, 72))
        if code in (429, 503) or (wait and code in (403, 500))
        else (Verdict.AGAIN, f"answers {code} ", 2)
        if code == 500
        else (Verdict.OVER, f"answers {code} ", 1)
    ]
]

WIRE = [
    Fault("refused connection", _always(), words="connection was refused", network="refused", asks=0),
    Fault("DNS failure", _always(), words="name of the host cannot be resolved", network="nameless", asks=0),
    Fault("reset", _always(reset=True), words="connection was reset"),
    Fault("reset within the body", _always(reset=True, cut=20), words="connection was reset|was cut off"),
    Fault("closed without an answer", _always(drop=True), words="closed without an answer"),
    Fault("truncated body", _always(cut=20), words=r"cut off after 20 bytes, \d+ are missing"),
    Fault("truncated body in pieces", _until_closed, words="cut off"),
    Fault("no HTTP", _always(raw=b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), words="not HTTP as it should be"),
    Fault("endless redirect", _circle, Verdict.OVER, "redirects more than 5 times", 6),
    Fault("gzip bomb", _bomb, Verdict.OVER, "answers with more than 1 MB", 1),
    Fault("broken gzip", _headed(Content_Encoding="gzip"), words="is broken gzip"),
    Fault("unknown encoding", _headed(Content_Encoding="br"), words="encoded as br, which was not asked for"),
    Fault("wrong content type", _headed(Content_Type="image/png"), Verdict.FINE),
    Fault("wrong charset", _headed(Content_Type="text/plain; charset=utf-16"), Verdict.FINE),
]

CONTENT = [
    Fault("garbage", _body(lambda body: GARBAGE)),
    Fault("HTML instead of data", _body(lambda body: PAGE_FOR_PEOPLE)),
    Fault("an empty body", _body(lambda body: b"")),
    Fault("half a body", _body(lambda body: body[: len(body) // 2]), is_loose=True),
    Fault("another answer", _body(lambda body: b'{"hello": "world"}')),
]

# What feeds get wrong, and others do not: the bytes tell.
DECLARED = [
    Fault(f"declared as {name}", _declared(name.encode()), Verdict.FINE) for name in ("ISO-8859-1", "UTF-16")
]
MISDECLARED = Fault("declared as UTF-16", _declared(b"UTF-16"), words="is not XML")

SLOWLY = [
    Fault("hang", _always(hang=True), words="no sign of life for 0.6 s", asks=1),
    Fault("slow drip", _always(drip=0.1), words="took more than 1 s for one answer", asks=1),
    Fault(
        "slow drip of the head",
        _always(drip_head=0.1),
        words="took more than 1 s for one answer",
        asks=1,
    ),
]
UNTIL_THE_DEADLINE = Fault(
    "slow drip until the deadline",
    _always(drip=0.1),
    words="time of the run was up while",
    asks=1,
    timeout=1.5,
)


def _without_items(ill: Ill, asked: Asked, true: Reply) -> Reply:
    """The page as it is, but for the items; the promise of more stays."""
    body = re.sub(rb"<entry>.*</entry>", b"", true.body, flags=re.DOTALL)
    if body.startswith(b"{"):
        body = json.dumps(json.loads(body) | {"items": []}).encode()
    return replace(true, body=body)


def _nothing_matches(ill: Ill, asked: Asked, true: Reply) -> Reply:
    error = b'<error code="noRecordsMatch">nothing</error></OAI-PMH>'
    return replace(true, body=re.sub(rb"<ListRecords>.*", error, true.body, flags=re.DOTALL))


def _one_more(ill: Ill, asked: Asked, true: Reply) -> Reply:
    """Once, a page without items that leads on to the true one: the same number in other digits."""
    if asked.number > ill.since:
        return true
    onward = f"0{asked.query.get('cursor') or json.loads(asked.body)['cursor']}"
    link = f"{asked.path.removeprefix('/' + SECRET)}?{urlencode(asked.query | {'cursor': onward})}"
    body = json.dumps({"items": [], "next": onward, "links": {"next": link}}).encode()
    return replace(true, body=body, headers={**true.headers, "Link": f'<{link}>; rel="next"'})


def _leads_back(ill: Ill, asked: Asked, true: Reply) -> Reply:
    """The page as it is, but it says that it comes next itself."""
    if b"resumptionToken" in true.body or "resumptionToken" in asked.query:
        token = f"<resumptionToken>{escape(asked.query['resumptionToken'])}</resumptionToken>".encode()
        body = re.sub(rb"<resumptionToken>.*</resumptionToken>", b"", true.body)
        return replace(true, body=body.replace(b"</ListRecords>", token + b"</ListRecords>"))
    link = f"{asked.path.removeprefix('/' + SECRET)}?{urlencode(asked.query)}"
    given = json.loads(true.body)
    if "next" in given or "links" in given:
        cursor = asked.query.get("cursor") or (json.loads(asked.body)["cursor"] if asked.body else "")
        given |= {"next": cursor, "links": {"next": link}}
    headers = {**true.headers, "Link": f'<{link}>; rel="next"'}
    return replace(true, body=json.dumps(given).encode(), headers=headers)


REPEATED = Fault("repeated page", _again, words="is the page before it once more|leads back to a page")
EMPTY = Fault("empty page in the middle", _without_items, words="is an empty page, though .* promised")
NOTHING = Fault("nothing in the middle of a list", _nothing_matches, words="nothing matches")
ONE_MORE = Fault("an empty page that leads on", _one_more, Verdict.FINE, extra=1)
ENDLESS = Fault(
    "endless paging", _leads_back, words="leads back to a page|before it once more", is_loose=True
)

# -- a source with a run that nothing disturbs ----------------------------------------------------------------


@dataclass(frozen=True)
class Snap:
    """What the store holds after a page: how many requests it took, the records, and where it goes on."""

    requests: int
    titles: Mapping[str, str]
    progress: Any
    seen: int


@dataclass
class Stand:
    """A source on loopback, the store that its first run left, and what its second run comes to."""

    source: Source
    folder: Path
    server: Ill = field(default_factory=Ill)
    snaps: list[Snap] = field(default_factory=list)
    truths: dict[int, Handler] = field(default_factory=dict)
    # What the second run left: all records, the cursor, and how it counted.
    cursor: Any = None
    run: Run | None = None
    log: RunLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = RunLog(self)
        self.log.install()

    def close(self) -> None:
        """Let go of the server and the log."""
        self.server.close()
        self.log.close()

    def prepare(self) -> Stand:
        """Collect twice without any fault; the store behind the first run becomes the template of every case."""
        clock = Clock()
        with open_store("sqlite:///stoma.db", self.folder, clock=clock) as store:
            self.begin(store, clock)
        shutil.copytree(self.folder, self.template)
        with open_store("sqlite:///stoma.db", self.folder, clock=clock) as store:
            self.second(clock)
            self.snaps = [self._snap(store, 0)]
            control = Control(deadline=Deadline(LONGEST))
            control.on_page = lambda tally: self.snaps.append(self._snap(store, tally.seen))
            self.run = go(store, self, control)
            assert self.run.status is TaskStatus.COMPLETED, self.run.error
            self.cursor = cursor_of(store)
            assert store.records.rejects("t") == []
        return self

    def begin(self, store: Store, clock: Clock) -> None:
        """The first run: without it there is no cursor that could be moved wrongly."""
        self.server.truth = self._truth(0)
        clock.now = NOW[0]
        first = go(store, self, Control(deadline=Deadline(LONGEST)))
        assert first.status is TaskStatus.COMPLETED, (first.status, first.reason, first.error)

    def second(self, clock: Clock) -> None:
        """Something new has come, and it is time for the second run."""
        self.server.truth = self._truth(1)
        self.server.requests.clear()
        clock.now = NOW[1]

    @property
    def template(self) -> Path:
        return self.folder.with_name(f"{self.folder.name} template")

    @property
    def all(self) -> Snap:
        return self.snaps[-1]

    def committed(self, since: int) -> Snap:
        """What is in the store when request number `since` fails."""
        return [snap for snap in self.snaps if snap.requests < since or snap.requests == 0][-1]

    def task(self, name: str = "t") -> Task:
        url = f"{self.server.url}/{REFERENCE}"
        config = {
            key: value.replace("{url}", url) if isinstance(value, str) else value
            for key, value in self.source.config.items()
        }
        return Task(name, "T", self.source.collector, config=config)

    def _truth(self, run: int) -> Handler:
        if run not in self.truths:
            self.truths[run] = self.source.truth(self.server.url, run)
        return self.truths[run]

    def _snap(self, store: Store, seen: int) -> Snap:
        return Snap(len(self.server.requests), titles_of(store), progress_of(store), seen)


def go(store: Store, stand: Stand, control: Control, name: str = "t") -> Run:
    """The open run of the task, or a new one, through the real pipeline, with its log."""
    task = stand.task(name)
    around = Surroundings(
        store, stand.folder, LEASE, "me", contact="Jane Doe jane@example.org", raw=timedelta(days=1)
    )
    if not store.runs.open_of(name):
        store.runs.add(NewRun(name, hand_trigger(), task.priority, "0"), store.now())
    claimed = store.runs.claim("me", store.now(), store.now() + LEASE)
    assert claimed is not None
    assert claimed.task_id == name
    with logger.contextualize(run=claimed.id, worker=stand):
        ended = execute(claimed, task, around, control)
    stand.log.flush(store, store.now())
    assert ended is not None
    return ended


# -- the judge -----------------------------------------------------------------------------------------------


@dataclass
class Case:
    """One fault at one request of one source."""

    stand: Stand
    fault: Fault
    place: str

    def __post_init__(self) -> None:
        self.fault = replace(self.fault, **self.stand.source.otherwise.get(self.fault.name, {}))

    def __str__(self) -> str:
        return f"{self.stand.source} / {self.fault} / {self.place}"

    @property
    def since(self) -> int:
        return self.stand.source.at[self.place]

    def on_sqlite(self, folder: Path) -> None:
        """Judge with the store that the first run left."""
        shutil.copytree(self.stand.template, folder)
        clock = Clock(NOW[0])
        with open_store("sqlite:///stoma.db", folder, clock=clock) as store:
            self.judge(store, clock)

    def judge(self, store: Store, clock: Clock) -> None:
        """What the fault does to the second run, and what the next try makes of it."""
        stand, fault, server = self.stand, self.fault, self.stand.server
        stand.second(clock)
        cursor = cursor_of(store)
        server.fall_ill(fault, self.since)
        began = time.monotonic()
        try:
            run = go(store, stand, Control(deadline=Deadline(fault.timeout)))
            took = time.monotonic() - began
            requests = len(server.requests)
            if fault.verdict is not Verdict.FINE:
                assert cursor_of(store) == cursor, "the cursor has moved"
                self._failed(store, run, clock, requests)
        finally:
            server.recover()
        assert took < LONGEST, f"it took {took:.1f} s"
        no_secret(store)
        if fault.verdict is Verdict.FINE:
            assert requests == stand.all.requests + fault.extra
            self._complete(store, [run])
            return
        clock.now = run.not_before or clock.forward(minutes=1)
        again = go(store, stand, Control(deadline=Deadline(LONGEST)))
        self._complete(store, [run, again] if again.id != run.id else [again])
        assert again.attempt == (2 if again.id == run.id else 1)
        left = stand.all.requests - stand.committed(self.since).requests
        repeated = stand.source.again.get(self.place, 0)
        if not fault.is_loose:
            assert len(server.requests) == left + repeated, [one.path for one in server.requests]
        no_secret(store)

    def _failed(self, store: Store, run: Run, clock: Clock, requests: int) -> None:
        stand, fault = self.stand, self.fault
        error = run.error or ""
        # How it stands, and when it goes on.
        over = fault.verdict is Verdict.OVER
        assert run.status is (TaskStatus.FAILED if over else TaskStatus.PENDING), (run.status, error)
        wait = (run.not_before - clock.now).total_seconds() if run.not_before else None
        if over:
            assert wait is None
        elif fault.verdict is Verdict.AGAIN:
            assert wait is not None
            assert 24 <= wait <= 36, wait
        # What is told of it.
        assert stand.server.host in error, error
        assert re.search(fault.words, error), error
        assert not DISEASE.search(error), error
        assert len(error) < 900, error
        [*_, attempt] = store.runs.attempts(run.id)
        assert attempt["error"] == error
        # What came before is there, and where it goes on.
        committed = stand.committed(self.since)
        if fault.is_loose:
            assert committed.titles.items() <= titles_of(store).items() <= stand.all.titles.items()
        else:
            assert titles_of(store) == committed.titles
            assert progress_of(store) == committed.progress
            assert run.seen == committed.seen
            assert requests == self.since - 1 + fault.asks, [one.path for one in stand.server.requests]
        assert requests < self.since + 10
        self._host(store, run, clock, requests)

    def _host(self, store: Store, run: Run, clock: Clock, requests: int) -> None:
        """A source that asks for patience is left alone by every task, and no other one is."""
        fault = self.fault
        [row] = [row for row in store.hosts.all(clock.now) if row["host"] == "127.0.0.1"]
        cooling = (row["cooling_until"] - clock.now).total_seconds()
        if fault.verdict is not Verdict.COOLED:
            assert cooling <= 0, f"cools for {cooling} s"
            return
        least, most = fault.cool
        assert least <= cooling <= most, cooling
        assert run.not_before == row["cooling_until"]
        other = go(store, self.stand, Control(deadline=Deadline(LONGEST)), "other")
        assert (other.status, other.reason, other.not_before) == (
            TaskStatus.PENDING, "host busy", row["cooling_until"],
        )  # fmt: skip
        assert len(self.stand.server.requests) == requests
        store.runs.ask_cancel(other.id, clock.now)

    def _complete(self, store: Store, runs: list[Run]) -> None:
        """All is there, once, and as if nothing had happened."""
        stand = self.stand
        last = runs[-1]
        assert (last.status, last.error) == (TaskStatus.COMPLETED, None)
        found = titles_of(store)
        assert found == stand.all.titles, found.keys() ^ stand.all.titles.keys()
        assert store.records.count() == len(found)
        assert all(store.records.get(*key.split(" ", 1))["version"] == 1 for key in [*found][:3])
        assert stand.run
        assert sum(run.new for run in runs) == stand.run.new
        assert sum(run.changed for run in runs) == 0
        assert cursor_of(store) == stand.cursor
        assert progress_of(store) is None
        assert store.records.rejects("t") == []


TABLES = (
    *("runs", "attempts", "run_logs", "rejects", "records", "progress", "cursors", "gone"),
    *("host_budgets", "http_validators", "raw_pages", "raw_attempts", "raw_given"),
)
SPELLINGS = {SECRET, quote(SECRET, safe=""), quote(SECRET), quote_plus(SECRET), json.dumps(SECRET)[1:-1]} | {
    b64encode(f"me:{SECRET}".encode()).decode()
}


def titles_of(store: Store) -> dict[str, str]:
    """Every record by its source and id."""
    [rows] = everything(store, "select source, external_id, title from records")
    return {f"{row[0]} {row[1]}": row[2] for row in rows}


def cursor_of(store: Store) -> Any:
    """The cursor, but for the moment of the last question."""
    row = store.runs.cursor("t")
    return row and {name: value for name, value in row["position"].items() if name != "asked_at"}


def progress_of(store: Store) -> Any:
    row = store.runs.progress("t", "live")
    return row and (row["fingerprint"], row["window"], row["page"])


def everything(store: Store, *queries: str) -> list[list[tuple[Any, ...]]]:
    """The rows of queries of the test's own."""
    if store.dialect == "sqlite":
        with closing(sqlite3.connect(cast(Any, store.database).path)) as connection:
            return [connection.execute(query).fetchall() for query in queries]
    import psycopg

    with psycopg.connect(cast(Any, store.database)._conninfo) as connected:
        return [connected.execute(query).fetchall() for query in queries]


def no_secret(store: Store) -> None:
    """No row of any table holds the secret, in whatever spelling, compressed or not."""
    rows = everything(store, *(f"select * from {table}" for table in TABLES))
    for table, found in zip(TABLES, rows, strict=True):
        text = repr([[_plain(value) for value in row] for row in found])
        for spelled in SPELLINGS:
            at = text.find(spelled)
            assert at < 0, f"a secret lies in {table}: {text[max(0, at - 200) : at + 200]}"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        try:
            return zlib.decompress(bytes(value))
        except zlib.error:
            return bytes(value)
    return value
