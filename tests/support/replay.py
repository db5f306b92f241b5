"""Plays arXiv's query API from true captures, and misbehaves on request.

    with Replay(recorded / "arxiv", faults={3: "reset"}) as replay:
        config = {"base_url": replay.url, "search_query": "testing"}

`search_query` decides what is played: `testing` the captured walk of 100 entries (verbatim where a capture fits);
`cat:astro-ph*`, `au:del_maestro` and `nlp` their captures; any other query the long walk, which is made of every
captured entry, `copies` times over with new ids. In a process of its own:

    python -m tests.support.replay --port 8123 --copies 20 --fault 3:reset --fault 5:status=503,Retry-After=2
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import sys
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.support.server import Asked, Reply, Server

ENTRY = re.compile(rb"<entry>.*?</entry>", re.DOTALL)
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
ID = re.compile(rb"<id>http://arxiv\.org/abs/([^<]*?)(v\d+)?</id>")
ATOM = {"Content-Type": "application/atom+xml; charset=utf-8"}

HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom"\
 xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/replayed</id>
  <title>arXiv Query: replayed</title>
  <updated>2026-04-12T22:09:27Z</updated>
  <opensearch:itemsPerPage>{size}</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
"""

FAULTS = (
    "reset", "drop", "hang", "drip", "truncated", "truncated-xml", "reset-body", "garbage", "html", "empty",
    "empty-zero", "repeat", "gzip", "gzip-cut", "gzip-broken", "bomb",
)  # fmt: skip
"""Beside these, `status=CODE[,HEADER=VALUE…]`."""


class Replay(Server):
    """The API over the captures in `folder`; `faults` by number of the request, from 1."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        copies: int = 1,
        delay: float = 0.0,
        faults: Mapping[int, str] | None = None,
        every: Mapping[int, str] | None = None,
    ) -> None:
        """`every` injects a fault into each n-th request; `delay` is how long each answer takes, in seconds."""
        self.captures = {path.name: path.read_bytes() for path in sorted(folder.glob("api_*.xml"))}
        self.faults = dict(faults or {})
        self.every = dict(every or {})
        self.delay = delay
        self.walk = _walk(self.captures, copies)
        self._last = b""
        super().__init__(self._reply, port=port)

    def entries(self, *names: str) -> list[bytes]:
        """The entries of some captures, in order."""
        return [entry for name in names for entry in ENTRY.findall(self.captures[name])]

    def _reply(self, asked: Asked) -> Reply:
        if asked.path != "/api/query":
            return Reply(404, b"Not Found")
        reply = replace(self._answer(asked.query), delay=self.delay)
        fault = self.faults.get(asked.number)
        for number, kind in self.every.items():
            if asked.number % number == 0:
                fault = fault or kind
        reply = self._spoiled(reply, fault) if fault else reply
        if fault is None:
            self._last = reply.body
        return reply

    def _answer(self, query: Mapping[str, str]) -> Reply:
        start, size = int(query.get("start") or 0), int(query.get("max_results") or 10)
        words = query.get("search_query", "")
        ids = [one for one in query.get("id_list", "").split(",") if one]
        if ids:
            return self._by_ids(ids, start, size)
        if words in ("testing", "all:testing"):
            verbatim = self.captures.get(f"api_2026_testing_start{start:02}_max{size}.xml")
            if verbatim is not None:
                return Reply(200, verbatim, ATOM)
            return _page(self.entries("api_2026_testing_start00_max100.xml"), start, size)
        for part, name in (
            ("cat:astro-ph*", "api_2026_astro-ph_63.xml"),
            ("au:del_maestro", "api_2016_del_maestro.xml"),
            ("nlp", "api_2020_ml_nlp_20.xml"),
        ):
            if part in words:
                entries = self.entries(name)
                if start == 0 and size == len(entries):
                    return Reply(200, self.captures[name], ATOM)
                return _page(entries, start, size)
        walk = self.walk if query.get("sortOrder") != "ascending" else self.walk[::-1]
        return _page(walk, start, size)

    def _by_ids(self, ids: list[str], start: int, size: int) -> Reply:
        if any(not re.fullmatch(r"(\d{4}\.\d{4,5}|[a-z-]+/\d{7})(v\d+)?", one) for one in ids):
            return Reply(400, self.captures["api_2026_error_400_bad_id.xml"], ATOM)
        known = {re.sub(r"v\d+$", "", _id(entry)): entry for entry in self.walk}
        found = [known[bare] for one in ids if (bare := re.sub(r"v\d+$", "", one)) in known]
        return _page(found, start, size)

    def _spoiled(self, reply: Reply, fault: str) -> Reply:
        if fault.startswith("status="):
            status, *headers = fault.removeprefix("status=").split(",")
            return Reply(int(status), b"Rate exceeded.", dict(one.split("=", 1) for one in headers))
        zero = re.sub(rb"(totalResults[^>]*>)\d+", rb"\g<1>0", ENTRY.sub(b"", reply.body))
        packed = gzip.compress(reply.body)
        zipped = {**reply.headers, "Content-Encoding": "gzip"}
        spoiled = {
            "reset": Reply(reset=True),
            "drop": Reply(drop=True),
            "hang": Reply(hang=True),
            "drip": replace(reply, drip=0.02),
            "truncated": replace(reply, cut=len(reply.body) // 2),
            "truncated-xml": replace(reply, body=reply.body[: len(reply.body) // 2]),
            "reset-body": replace(reply, cut=len(reply.body) // 2, reset=True),
            "garbage": replace(reply, body=bytes(range(256)) * 8),
            "html": Reply(200, b"<!DOCTYPE html><html><body>Down<br>for now</body></html>", ATOM),
            "empty": replace(reply, body=ENTRY.sub(b"", reply.body)),
            "empty-zero": replace(reply, body=zero),
            "repeat": replace(reply, body=self._last),
            "gzip": replace(reply, body=packed, headers=zipped),
            "gzip-cut": replace(reply, body=packed[: len(packed) // 2], headers=zipped),
            "gzip-broken": replace(reply, body=packed[:20] + b"\0" * 40 + packed[60:], headers=zipped),
            "bomb": replace(reply, body=bomb(), headers=zipped),
        }
        return spoiled[fault]


@cache
def bomb(megabytes: int = 200) -> bytes:
    """A gzip body that unpacks into much more than anybody should keep."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def _walk(captures: Mapping[str, bytes], copies: int) -> list[bytes]:
    """Every captured paper once, newest first; further copies carry ids of their own."""
    found: dict[str, bytes] = {}
    for name, body in captures.items():
        if "error" not in name:
            for entry in ENTRY.findall(COMMENT.sub(b"", body)):
                found.setdefault(re.sub(r"v\d+$", "", _id(entry)), entry)
    papers = sorted(found.values(), key=_published, reverse=True)
    return [
        ID.sub(b"<id>http://arxiv.org/abs/%04d.%05dv1</id>" % (copy, number), paper) if copy else paper
        for copy in range(copies)
        for number, paper in enumerate(papers)
    ]


def _id(entry: bytes) -> str:
    match = ID.search(entry)
    return (match[1] + (match[2] or b"")).decode()


def _published(entry: bytes) -> bytes:
    return re.search(rb"<published>([^<]*)", entry)[1]


def _page(entries: list[bytes], start: int, size: int) -> Reply:
    head = HEAD.format(size=size, total=len(entries), start=start).encode()
    return Reply(200, head + b"\n".join(entries[start : start + size]) + b"\n</feed>\n", ATOM)


def _numbered(texts: Iterable[str]) -> dict[int, str]:
    return {int(number): kind for number, _, kind in (text.partition(":") for text in texts)}


def main() -> None:
    """Serve until killed; says its address on stdout, and each request on stderr with `--log`."""
    default = Path(__file__).resolve().parents[2].parent / "shared" / "recorded"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--recorded", type=Path, default=Path(os.environ.get("STOMA_RECORDED") or default))
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fault", action="append", default=[], metavar="NUMBER:KIND", help=", ".join(FAULTS))
    parser.add_argument("--every", action="append", default=[], metavar="NUMBER:KIND")
    parser.add_argument("--log", action="store_true")
    given = parser.parse_args()
    with Replay(
        given.recorded / "arxiv",
        port=given.port,
        copies=given.copies,
        delay=given.delay,
        faults=_numbered(given.fault),
        every=_numbered(given.every),
    ) as replay:
        print(f"{replay.url} plays {len(replay.walk)} papers", flush=True)
        told = 0
        try:
            while True:
                time.sleep(0.2)
                for asked in replay.requests[told:] if given.log else ():
                    print(asked.number, asked.path, asked.query, file=sys.stderr, flush=True)
                    told += 1
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
