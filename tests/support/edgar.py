"""EDGAR on loopback: files by path, a feed of entries, and its refusals, told apart by their bodies only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from zoneinfo import ZoneInfo

from tests.support.server import Asked, Reply, Server

NEW_YORK = ZoneInfo("America/New_York")
ABSENT = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code><Message>No</Message></Error>'
HEADING = (
    "Description:           Daily Index of EDGAR Dissemination Feed\n \n"
    "CIK|Company Name|Form Type|Date Filed|File Name\n" + "-" * 80 + "\n"
)
ENTRY = """<entry>
<title>{form} - {name} ({cik}) ({role})</title>
<link rel="alternate" type="text/html" href="https://www.sec.gov/x/{accession}-index.htm"/>
<summary type="html">
 &lt;b&gt;Filed:&lt;/b&gt; {filed} &lt;b&gt;AccNo:&lt;/b&gt; {accession} &lt;b&gt;Size:&lt;/b&gt; 13 KB
</summary>
<updated>{accepted}</updated>
<category scheme="https://www.sec.gov/" label="form type" term="{form}"/>
<id>urn:tag:sec.gov,2008:accession-number={accession}</id>
</entry>
"""


def accession(number: int) -> str:
    """An accession number of the year 2025."""
    return f"0001000000-25-{number:06}"


def row(
    number: int, form: str = "8-K", cik: int = 320193, filed: str = "20251211", name: str = "A CO"
) -> str:
    """A row of a master index."""
    return f"{cik}|{name}|{form}|{filed}|edgar/data/{cik}/{accession(number)}.txt"


def entry(
    number: int,
    accepted: str,
    form: str = "8-K",
    cik: int = 320193,
    name: str = "A CO",
    role: str = "Filer",
    filed: str | None = None,
) -> str:
    """An entry of the feed; `accepted` is New York's time without offset."""
    moment = datetime.fromisoformat(accepted).replace(tzinfo=NEW_YORK)
    return ENTRY.format(
        form=form, name=name, cik=f"{cik:010}", role=role, accession=accession(number),
        filed=filed or accepted[:10], accepted=moment.isoformat(),
    )  # fmt: skip


def feed(entries: list[str]) -> bytes:
    """A page of the feed."""
    head = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
    return (head + "".join(entries) + "</feed>").encode("latin-1")


def master(*rows: str) -> bytes:
    """A master index."""
    return (HEADING + "".join(f"{one}\n" for one in rows)).encode("latin-1")


@dataclass
class Edgar:
    """What is there; change it while it serves. `entries` is the feed, newest first."""

    files: dict[str, bytes | Reply] = field(default_factory=dict)
    entries: list[str] = field(default_factory=list)
    # Called before each page of the feed is made.
    on_feed: Callable[[], None] = lambda: None
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        self.server = Server(self._answer)

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.server.url

    @property
    def paths(self) -> list[str]:
        """The last part of each path that was asked for, in order; the feed with its form and start."""
        return [
            f"feed {asked.query['type']}@{asked.query['start']}".replace(" @", "@")
            if asked.path == "/cgi-bin/browse-edgar"
            else asked.path.rpartition("/")[2]
            for asked in self.server.requests
        ]

    def put(self, day: str, body: bytes | Reply, kind: str = "master") -> None:
        """The index of a day, given as YYYYMMDD."""
        quarter = (int(day[4:6]) + 2) // 3
        self.files[f"/Archives/edgar/daily-index/{day[:4]}/QTR{quarter}/{kind}.{day}.idx"] = body

    def _answer(self, asked: Asked) -> Reply:
        if asked.path in self.files:
            found = self.files[asked.path]
            if isinstance(found, Reply):
                return found
            tag = f'"{md5(found, usedforsecurity=False).hexdigest()}"'
            if asked.headers.get("if-none-match") == tag:
                return Reply(304, headers={"ETag": tag})
            return Reply(body=found, headers={"ETag": tag})
        if asked.path == "/cgi-bin/browse-edgar":
            self.on_feed()
            start = int(asked.query["start"])
            if start > 5000:
                return Reply(503, b"<html><title>SEC.gov | File Unavailable</title></html>")
            matching = [one for one in self.entries if f'term="{asked.query["type"]}' in one]
            return Reply(body=feed(matching[start : start + int(asked.query["count"])]))
        if asked.path.startswith("/submissions"):
            return Reply(404, ABSENT % b"NoSuchKey")
        return Reply(403, ABSENT % b"AccessDenied")
