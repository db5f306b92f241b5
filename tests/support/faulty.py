"""Every source on loopback, small enough for hundreds of runs: what it answers before and after something new came.

A source is collected twice. The first run leaves a cursor; the second, a day later, has several pages: where a fault
strikes it is the second one that falls ill. `at` names requests of the second run by their number, from 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from stoma.demo.arxiv import Arxiv
from stoma.demo.github import Github as Trending
from tests.support import edgar, github
from tests.support.api import Api, items
from tests.support.arxiv import paper
from tests.support.edgar import Edgar
from tests.support.server import Asked, Handler, Reply

SECRET = "hush/4c1f&token"
REFERENCE = "${env:FAULTY_TOKEN}"
"""A secret in each config, with letters that an address spells in another way."""

NOW = (datetime(2025, 12, 9, 23, 5, tzinfo=UTC), datetime(2025, 12, 12, 23, 5, tzinfo=UTC))
"""When each run begins: a Tuesday and a Friday, in New York before midnight too."""


class Verdict:
    """What a run makes of a fault."""

    AGAIN = "tried again"
    OVER = "failed at once"
    COOLED = "tried again when the source allows it"
    FINE = "no fault to it"


Truth = Callable[[str, int], Handler]
"""What is answered, by the address of the server and the number of the run, 0 or 1."""


@dataclass(frozen=True)
class Source:
    """`again` counts the requests that a resumed run repeats, by where it was interrupted.

    `form` is what its answers are made of: xml, json, html, index or text.
    """

    name: str
    collector: str
    config: Mapping[str, Any]
    truth: Truth
    form: str
    at: Mapping[str, int]
    again: Mapping[str, int] = field(default_factory=dict)
    # How its pages follow each other: by `number`, by `token`, or none that could go wrong.
    paging: str = ""
    # Where it means something else by a fault than others do: fields of the fault, by its name.
    otherwise: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # False where only those faults are tried that another way of paging could make something else of.
    is_whole: bool = True

    def __str__(self) -> str:
        return self.name


# -- arXiv ---------------------------------------------------------------------------------------------------

_TITLE = "Émile & the graph {}"


def _papers(count: int, until: datetime, first: int = 1) -> list[Any]:
    return [
        paper(first + n, until - timedelta(minutes=10 * (count - n)), title=_TITLE.format(first + n))
        for n in range(count)
    ]


def _arxiv(before: int, after: int) -> Truth:
    papers = _papers(before, NOW[0]) + _papers(after, NOW[1], before + 1)

    def truth(url: str, run: int) -> Handler:
        arxiv = Arxiv(NOW[run])
        arxiv.papers = papers[: before + after * run]

        def answer(asked: Asked) -> Reply:
            found = arxiv.answer(asked.path, asked.query)
            return Reply(
                found.status, found.body, {"Content-Type": found.content_type, **dict(found.headers)}
            )

        return answer

    return truth


# -- GitHub --------------------------------------------------------------------------------------------------


def _trending(url: str, run: int) -> Handler:
    site = Trending(NOW[run])

    def answer(asked: Asked) -> Reply:
        found = site.answer(asked.path, asked.query)
        return Reply(found.status, found.body, {"Content-Type": found.content_type})

    return answer


def _search(url: str, run: int) -> Handler:
    found = [
        github.repository(number, description=_TITLE.format(number)) for number in range(1, 121 + 84 * run)
    ]
    site = github.Github(found)
    site.close()
    site.url = url
    return site._answer


# -- EDGAR ---------------------------------------------------------------------------------------------------


def _rows(first: int, count: int, day: str, form: str = "8-K") -> bytes:
    numbers = range(first, first + count)
    return edgar.master(*(edgar.row(one, form, 1000 + one, day, _name(one)) for one in numbers))


def _name(number: int) -> str:
    return f"ÉMILE CO {number}"


def _entries(first: int, count: int, day: str) -> list[str]:
    return [
        edgar.entry(first + n, f"{day}T17:{40 + n // 60:02}:{n % 60:02}", cik=1000 + first + n)
        for n in reversed(range(count))
    ]


def _by_form(url: str, run: int) -> Handler:
    site = Edgar()
    site.server.close()
    site.put("20251208", _rows(1, 4, "20251208"))
    site.entries = _entries(5, 3, "2025-12-09")
    if run:
        site.put("20251209", _rows(5, 3, "20251209"))
        site.put("20251210", _rows(8, 4, "20251210"))
        site.put("20251211", _rows(12, 4, "20251211"))
        # More than a page of the feed.
        site.entries = _entries(16, 110, "2025-12-12")
    return site._answer


def _form4(number: int) -> bytes:
    return (
        "<SEC-DOCUMENT>\n<SEC-HEADER>\n<ACCEPTANCE-DATETIME>20251211180000\n</SEC-HEADER>\n<XML>\n"
        "<ownershipDocument><documentType>4</documentType><issuer><issuerCik>320193</issuerCik>"
        f"<issuerName>A CO</issuerName><issuerTradingSymbol>{escape('A&B')}</issuerTradingSymbol></issuer>"
        "<nonDerivativeTable><nonDerivativeTransaction><securityTitle><value>Common</value></securityTitle>"
        f"<transactionAmounts><transactionShares><value>{number}</value></transactionShares></transactionAmounts>"
        "</nonDerivativeTransaction></nonDerivativeTable></ownershipDocument>\n</XML>\n</SEC-DOCUMENT>\n"
    ).encode()


def _details(url: str, run: int) -> Handler:
    site = Edgar()
    site.server.close()
    site.put("20251208", _rows(1, 2, "20251208", "4"))
    site.put("20251209", _rows(3, 1, "20251209", "4"))
    site.put("20251210", edgar.master())
    numbers = range(1, 31)
    if run:
        site.put("20251211", _rows(4, 27, "20251211", "4"))
    for number in numbers:
        path = f"/Archives/edgar/data/{1000 + number}/{edgar.accession(number)}.txt"
        site.files[path] = _form4(number)
    return site._answer


def _companies(url: str, run: int) -> Handler:
    site = Edgar()
    site.server.close()
    for cik in (1, 2, 3):
        numbers = range(cik * 100, cik * 100 + 2 + 3 * run)
        recent = {
            "accessionNumber": [edgar.accession(number) for number in numbers],
            "filingDate": [f"2025-12-{8 + number % 100:02}" for number in numbers],
            "form": ["8-K" for _ in numbers],
            "primaryDocDescription": [_TITLE.format(number) for number in numbers],
        }
        body = {"name": _name(cik), "filings": {"recent": recent, "files": []}}
        site.files[f"/submissions/CIK{cik:010}.json"] = json.dumps(body, ensure_ascii=False).encode()
    return site._answer


# -- declared sources and feeds ------------------------------------------------------------------------------


def _api(url: str, run: int) -> Handler:
    found = [one | {"title": _TITLE.format(one["id"])} for one in items(4 + 7 * run)]
    site = Api(found, most=3)
    site.close()

    def answer(asked: Asked) -> Reply:
        # A list is whole, and the pages of it are not.
        site.most = 3 if asked.path != "/list" else 100
        reply = site._answer(asked)
        return replace(reply, body=json.dumps(json.loads(reply.body), ensure_ascii=False).encode())

    return answer


def _declared(
    name: str, way: str, paging: Any, again: int = 0, is_whole: bool = False, **config: Any
) -> Source:
    given = {
        "url": f"{{url}}/{way}",
        "items": "items" if way != "list" else None,
        "paging": paging,
        "cursor": {"field": "updated_at", "param": "since"},
        "auth": {"bearer": REFERENCE},
        **config,
    }
    given = {key: value for key, value in given.items() if value is not None}
    return Source(
        f"http_json {name}",
        "http_json",
        given,
        _api,
        "json",
        {"first": 1} | ({"middle": 3} if paging else {}),
        {"middle": again},
        ("number" if again else "token") if paging else "",
        is_whole=is_whole,
    )


def _entries_of(run: int) -> range:
    return range(1, 4 + 3 * run)


def _rss(url: str, run: int) -> Handler:
    entries = "".join(
        f"<item><guid>{number}</guid><title>{escape(_TITLE.format(number))}</title>"
        f"<link>https://example.org/{number}</link></item>\n"
        for number in reversed(_entries_of(run))
    )
    body = (
        "<?xml version='1.0' encoding='UTF-8'?>\n<rss version=\"2.0\"><channel><title>T</title>\n"
        f"{entries}</channel></rss>\n"
    )
    return lambda asked: Reply(
        body=body.encode(), headers={"Content-Type": "application/rss+xml", "ETag": f'"{run}"'}
    )


def _json_feed(url: str, run: int) -> Handler:
    entries = [
        {"id": str(number), "title": _TITLE.format(number), "content_text": "x"}
        for number in reversed(_entries_of(run))
    ]
    body = {"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": entries}
    text = json.dumps(body, ensure_ascii=False).encode()
    return lambda asked: Reply(
        body=text, headers={"Content-Type": "application/feed+json", "ETag": f'"{run}"'}
    )


_TOTAL = {"total": "total"}
SIZE = {"size_param": "size", "size": 3}
_POST = {"body": {"find": "all"}, "auth": {"basic": {"user": "me", "password": REFERENCE}}}

# Without the words that a file is not there, it shuts everybody out for ten minutes.
_SHUT_OUT = {
    "verdict": Verdict.COOLED, "cool": (600, 600), "asks": 1, "words": "answers 403 Forbidden: EDGAR shuts the caller"
}  # fmt: skip
_EDGAR = {"403": _SHUT_OUT, "403 with Retry-After": _SHUT_OUT}

SOURCES = (
    Source(
        "arxiv search", "arxiv",
        {"base_url": "{url}", "search_query": "cat:cs.LG", "page_size": 3, "max_results": 100},
        _arxiv(4, 7), "xml", {"first": 1, "middle": 3}, {"middle": 1}, "number",
    ),
    Source(
        "arxiv oai", "arxiv", {"base_url": "{url}", "mode": "oai", "set": ["cs", "stat"]},
        _arxiv(5, 102), "xml", {"first": 1, "middle": 2, "second set": 3}, {}, "token",
    ),
    Source(
        "github trending", "github", {"base_url": "{url}", "limit": 100, "token": REFERENCE},
        _trending, "html", {"first": 1},
    ),
    Source(
        "github search", "github",
        {"base_url": "{url}", "mode": "search", "query": "graph", "limit": 1000, "token": REFERENCE},
        _search, "json", {"first": 1, "middle": 3}, {"middle": 1}, "number",
    ),
    Source(
        "sec_edgar by form", "sec_edgar", {"base_url": "{url}", "days_back": 2},
        _by_form, "index", {"first": 1, "middle": 3, "feed": 5, "feed, second page": 6}, otherwise=_EDGAR,
    ),
    Source(
        "sec_edgar by company", "sec_edgar", {"base_url": "{url}", "days_back": 9, "ciks": [1, 2, 3]},
        _companies, "json", {"first": 1, "middle": 3}, {"middle": 1}, otherwise=_EDGAR,
    ),
    Source(
        "sec_edgar form4_details", "sec_edgar",
        {"base_url": "{url}", "days_back": 2, "filing_type": "4", "form4_details": True},
        _details, "index", {"form": 6, "middle": 31}, {"middle": 1}, otherwise=_EDGAR,
    ),
    _declared("page", "page", {"page": SIZE, **_TOTAL}, again=1, is_whole=True,
              auth={"query": {"name": "k", "value": REFERENCE}}),
    _declared("offset", "offset", {"offset": SIZE, **_TOTAL}, again=1,
              auth={"header": {"name": "X-Key", "value": REFERENCE}}),
    _declared("cursor", "cursor", {"cursor": {"path": "next", "param": "cursor"}}),
    _declared("next_url", "next", {"next_url": "links.next"}),
    _declared("link_header", "link", "link_header"),
    _declared("page, POST", "page", {"page": SIZE, **_TOTAL}, again=1, **_POST),
    _declared("cursor, POST", "cursor", {"cursor": {"path": "next", "param": "cursor"}}, is_whole=True, **_POST),
    _declared("one answer", "list", None, is_whole=True, cursor=None),
    _declared("one answer, POST", "list", None, **_POST),
    Source("feed RSS", "feed", {"url": "{url}/rss", "headers": {"X-Key": REFERENCE}}, _rss, "xml", {"first": 1}),
    Source("feed JSON", "feed", {"url": "{url}/json", "headers": {"X-Key": REFERENCE}}, _json_feed, "json",
           {"first": 1}),
)  # fmt: skip
