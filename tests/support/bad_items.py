"""One bad item among good ones, at every source: what a page looks like with it, and whether it can be a record.

body = spoiled(source, "no id", body)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.support import edgar

HUGE = "huge " * (1 << 20)
"""5 MB of text."""

DEEP = 500
"""So deep is an item nested that no database keeps it; XML that is nested like this is no XML for anybody."""


def nested(depth: int = DEEP) -> Any:
    """A list in a list in a list."""
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


Make = Callable[[bytes], bytes]


def _listed(name: str, item: Any) -> Make:
    """Another item at the end of a list in JSON."""

    def make(body: bytes) -> bytes:
        given = json.loads(body)
        if isinstance(given, list):
            return json.dumps([*given, item]).encode()
        return json.dumps(given | {name: [*given[name], item]}).encode()

    return make


def _before(end: str, entry: str) -> Make:
    """Another entry where the list ends."""
    return lambda body: body.replace(end.encode(), entry.encode() + end.encode(), 1)


def _row(row: str) -> Make:
    return lambda body: body + row.encode("latin-1") + b"\n"


def _column(**values: Any) -> Make:
    """Another row of a table of columns."""

    def make(body: bytes) -> bytes:
        given = json.loads(body)
        for name, column in given["filings"]["recent"].items():
            column.append(values.get(name, column[-1]))
        return json.dumps(given).encode()

    return make


def _atom(**fields: str) -> Make:
    given = {
        "id": "http://arxiv.org/abs/2601.99999v1",
        "published": "2025-12-12T10:00:00Z",
        "updated": "2025-12-12T10:00:00Z",
        "title": "t",
    } | fields
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in given.items() if value)
    return _before("</feed>", f"<entry>{inner}<author><name>A B</name></author></entry>")


def _oai(id: str = "2601.99999", created: str = "2025-12-12", title: str = "t", more: str = "") -> Make:
    return _before(
        "</ListRecords>",
        f"<record><header><identifier>{'oai:arXiv.org:' + id if id else ''}</identifier>"
        "<datestamp>2025-12-12</datestamp></header><metadata>"
        f'<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{id}</id><created>{created}</created>'
        f"<title>{title}</title><categories>cs.LG</categories>{more}</arXiv></metadata></record>",
    )


def _trending(name: str, about: str = "x") -> Make:
    return _before(
        "</html>",
        f'<article class="Box-row"><h2><a href="{name}">{name}</a></h2><p>{about}</p>'
        f'<a href="{name}/stargazers">7</a></article>',
    )


def _rss(inner: str) -> Make:
    return _before("</channel>", f"<item>{inner}</item>")


def _entry(change: Callable[[str], str]) -> Make:
    entry = edgar.entry(999, "2025-12-12T17:59:59")
    assert change(entry) != entry
    # The first of all, so that the page is as long as before.
    return lambda body: body.replace(b"<entry>", change(entry).encode() + b"<entry>", 1)


def _form4(make: Make) -> Make:
    return lambda body: make(body) if b"<ownershipDocument>" in body else body


def _deep_xml(depth: int = 200) -> str:
    return "<x>" * depth + "</x>" * depth


BAD = "\x00\ud800"
"""What no database can hold."""

REJECTED: Mapping[str, Mapping[str, tuple[Make, str]]] = {
    "arxiv search": {
        "no id": (_atom(id=""), "the entry has no id"),
        "wrong types": (_atom(published="yesterday"), "'yesterday' is not a date"),
        "huge id": (_atom(id=HUGE), "no arXiv id in"),
    },
    "arxiv oai": {
        "no id": (_oai(id=""), "the record has no id"),
        "wrong types": (_oai(created="yesterday"), "'yesterday' is not a date"),
        "huge id": (_oai(id=HUGE), "no arXiv id in"),
    },
    "github trending": {
        "no id": (_trending("/login"), "it has no name"),
        "huge id": (_trending("/o/" + HUGE), "it has no name"),
    },
    "github search": {
        "no id": (_listed("items", {"id": 9_999}), "it has no name"),
        "wrong types": (_listed("items", {"id": "nine", "full_name": "a/b"}), "id: 'nine' is not the number"),
        "no mapping": (_listed("items", "word"), "this is no repository"),
        "huge id": (_listed("items", {"id": 9_999, "full_name": HUGE}), "is not owner/name"),
    },
    "sec_edgar by form": {
        "no id": (_row("320193|A CO|8-K|20251208|edgar/data/320193/.txt"), "the index has a row"),
        "wrong types": (
            _row(f"x|A CO|8-K|20251208|edgar/data/1/{edgar.accession(999)}.txt"),
            "the index has a row",
        ),
        "no date": (_row(edgar.row(999, filed="yesterday")), "the filing date 'yesterday' is not a day"),
        "huge id": (_row(f"1|A CO|8-K|20251208|edgar/data/1/{HUGE}.txt"), "the index has a row"),
    },
    "sec_edgar by form, feed": {
        "no id": (_entry(lambda one: one.replace("accession-number=", "number=")), "the feed has an entry"),
        "no form": (_entry(lambda one: re.sub("<category.*?/>", "", one)), "the feed has an entry"),
        "wrong types": (_entry(lambda one: re.sub("(<updated>)2", r"\1x", one)), "the feed has an entry"),
        "huge id": (
            _entry(lambda one: re.sub("<title>.*?</title>", f"<title>{HUGE}</title>", one)),
            "the feed has",
        ),
    },
    "sec_edgar by company": {
        "no id": (_column(accessionNumber=""), "'' is not an accession number"),
        "wrong types": (
            _column(accessionNumber=edgar.accession(999), filingDate="2025-12-99"),
            "the filing date '2025-12-99' is not a day",
        ),
        "huge id": (_column(accessionNumber=HUGE), "is not an accession number"),
    },
    "sec_edgar form4_details": {
        "wrong types": (
            _form4(lambda body: re.sub(rb"<value>\d+</value>", b"<value>many</value>", body)),
            "shares: 'many' is not a number",
        ),
        "no form": (
            _form4(lambda body: body.replace(b"ownershipDocument", b"otherDocument")),
            "its XML is a otherDocument",
        ),
        "half a form": (
            _form4(lambda body: body[: body.index(b"</ownershipDocument>")]),
            "its text file holds no XML",
        ),
        "no form at all": (_form4(lambda body: b""), "its text file has no header"),
        "deep nesting": (
            _form4(lambda body: body.replace(b"<issuer>", _deep_xml(400).encode() + b"<issuer>")),
            "the form .* cannot be read",
        ),
    },
    "http_json page": {
        "no id": (_listed("items", {"name": "no key"}), "it has no id"),
        "wrong types": (_listed("items", {"id": {"a": 1}}), "it has no id"),
        "no mapping": (_listed("items", [1, 2]), "it has no id"),
        "huge id": (_listed("items", {"id": HUGE}), "characters"),
        "deep nesting": (_listed("items", {"id": 999, "x": nested()}), "nested|[Rr]ecursion"),
    },
    "feed RSS": {"no id": (_rss("<category>x</category>"), "no id, link, title or text")},
    "feed JSON": {
        "no id": (_listed("items", {"tags": []}), "no id, link, title or text"),
        "no mapping": (_listed("items", "word"), "no entry but plain JSON"),
    },
}

KEPT: Mapping[str, Mapping[str, Make]] = {
    "arxiv search": {
        "huge text": _atom(summary=HUGE),
        "no characters": _atom(title="a\x00b&#0;c&#xD800;d"),
        "deep nesting": _atom(x=_deep_xml()),
    },
    "arxiv oai": {
        "huge text": _oai(title=HUGE),
        "no characters": _oai(title="a\x00b&#0;c&#xD800;d"),
        "deep nesting": _oai(more=_deep_xml()),
    },
    "github trending": {
        "huge text": _trending("/o/n", HUGE),
        "no characters": _trending("/o/n", "a\x00b&#0;c&#xD800;d"),
        "deep nesting": _trending("/o/n", "<b>" * 200),
    },
    "github search": {
        "huge text": _listed("items", {"id": 9_999, "full_name": "a/b", "description": HUGE}),
        "no characters": _listed("items", {"id": 9_999, "full_name": "a/b", "description": BAD}),
        "deep nesting": _listed("items", {"id": 9_999, "full_name": "a/b", "x": nested()}),
    },
    "sec_edgar by form": {
        "huge text": _row(edgar.row(999, filed="20251208", name=HUGE)),
        "no characters": _row(edgar.row(999, filed="20251208", name="a\x00b")),
    },
    "sec_edgar by company": {
        "huge text": _column(accessionNumber=edgar.accession(999), primaryDocDescription=HUGE),
        "no characters": _column(accessionNumber=edgar.accession(999), primaryDocDescription=BAD),
    },
    "http_json page": {
        "huge text": _listed("items", {"id": 999, "title": HUGE}),
        "no characters": _listed("items", {"id": 999, "title": BAD}),
    },
    "feed RSS": {
        "huge text": _rss(f"<guid>999</guid><title>{HUGE}</title>"),
        "no characters": _rss("<guid>999</guid><title>a\x00b&#0;c&#xD800;d</title>"),
        "deep nesting": _rss(f"<guid>999</guid>{_deep_xml()}"),
    },
    "feed JSON": {
        "huge id": _listed("items", {"id": HUGE, "title": "t"}),
        "wrong types": _listed("items", {"id": 999, "title": ["t"], "tags": 5}),
        "huge text": _listed("items", {"id": "999", "title": HUGE}),
        "no characters": _listed("items", {"id": "999", "title": BAD}),
        "deep nesting": _listed("items", {"id": "999", "title": "t", "x": nested()}),
    },
}
