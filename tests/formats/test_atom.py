"""Atom, read back by feedparser as feed readers do, and by lxml as the standard says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from stoma.formats import atom
from stoma.formats.atom import Entry, Feed
from stoma.formats.texts import fit

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
FEED = Feed(
    id=atom.identity("feed", "papers"),
    title="Daily papers",
    updated=AT,
    link="/tasks/papers",
    itself="papers.atom?cursor=7",
    start="papers.atom",
    onward="papers.atom?cursor=3",
)
ENTRY = Entry(
    id=atom.identity("record", "arxiv", "2605.00001"),
    title="On <b>sets</b> & more",
    updated=AT,
    link="https://example.org/abs/1?a=1&b=2",
    published=AT - timedelta(days=2),
    authors=("Ada Lovelace", "Kurt Gödel"),
    tags=("cs.LG", "a, b"),
    summary="First.\r\nSecond <script>alert(1)</script>",
)
NAMES = {"a": atom.NAMESPACE}


def read(text: bytes) -> Any:
    found = feedparser.parse(text, response_headers={"content-type": "application/atom+xml; charset=utf-8"})
    assert not found.bozo, found.get("bozo_exception")
    return found


def test_a_reader_finds_what_was_written() -> None:
    found = read(atom.document(FEED, [ENTRY]))
    assert found.version == "atom10"
    assert (found.feed.title, found.feed.id, found.feed.author) == ("Daily papers", FEED.id, "Stoma")
    assert {link.rel: link.href for link in found.feed.links} == {
        "alternate": "/tasks/papers",
        "self": "papers.atom?cursor=7",
        "first": "papers.atom",
        "next": "papers.atom?cursor=3",
    }
    [entry] = found.entries
    # Plain text stands escaped for who shows it as HTML.
    assert entry.title_detail.type == "text/plain"
    assert (entry.title, entry.link, entry.id) == (ENTRY.title, ENTRY.link, ENTRY.id)
    assert entry.summary == "First.\nSecond <script>alert(1)</script>"
    assert [author.name for author in entry.authors] == ["Ada Lovelace", "Kurt Gödel"]
    assert [tag.term for tag in entry.tags] == ["cs.LG", "a, b"]
    assert (entry.published, entry.updated) == ("2026-11-21T09:30:00Z", "2026-11-23T09:30:00Z")


def test_it_is_what_the_standard_asks_for() -> None:
    root = etree.fromstring(atom.document(FEED, [ENTRY]))
    assert root.tag == f"{{{atom.NAMESPACE}}}feed"
    for parent in [root, *root.findall("a:entry", NAMES)]:
        for one in ("id", "title", "updated"):
            assert len(parent.findall(f"a:{one}", NAMES)) == 1, one
    # Without it an entry would need content.
    assert root.findall("a:entry/a:link[@rel='alternate']", NAMES)
    assert root.findall("a:author/a:name", NAMES)[0].text
    assert {etree.QName(element).namespace for element in root.iter()} == {atom.NAMESPACE}


def test_ids_are_for_ever() -> None:
    # A reader shows everything anew when these change.
    assert atom.identity("record", "arxiv", "1") == "urn:uuid:ab1df26e-f4ef-50c2-b164-f89fd25c5614"
    assert atom.identity("record", "a", "b") != atom.identity("record", "ab", "")


def test_instants_are_told_in_utc() -> None:
    zone = timezone(timedelta(hours=-5))
    text = atom.document(FEED, [Entry("urn:x", "t", datetime(2026, 1, 1, 23, 0, 0, 5, zone), "/r")])
    assert b"<updated>2026-01-02T04:00:00.000005Z</updated>" in text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "file:///etc/passwd", "//example.org",
        "", "http://", "http://a b", "http://a\nb", 'http://a"b', "http://a<b", "ftp://a", " https://a",
        "https://a\u202eb", "https://" + "a" * 3000,
    ],
)  # fmt: skip
def test_only_the_web_is_linked(url: str) -> None:
    assert atom.web_link(url) == ""


@pytest.mark.parametrize(
    "url", ["https://example.org/ä?b=1&c=d#e", "http://127.0.0.1:8000/x", "http://[::1]/"]
)
def test_links_to_the_web_stand(url: str) -> None:
    assert atom.web_link(url) == url


def test_what_steers_is_replaced() -> None:
    entry = Entry("urn:x", "a\x00\x1b[31m\u202eb\ufffe\tc\n d", AT, "/r", summary="one\x0b\ntwo\ud800")
    [found] = read(atom.document(FEED, [entry])).entries
    assert found.title == "a\ufffd\ufffd[31m\ufffdb\ufffd c d"
    assert found.summary == "one\ufffd\ntwo\ufffd"


def test_what_is_long_is_clipped() -> None:
    entry = Entry("urn:x", "t" * 501, AT, "/r", authors=["A"] * 60, tags=["t"] * 60, summary="s" * 5000)
    [found] = read(atom.document(FEED, [entry])).entries
    assert (found.title, found.summary) == ("t" * 499 + "…", "s" * 3999 + "…")
    assert [author.name for author in found.authors] == ["A"] * 50 + ["and 10 more"]
    root = etree.fromstring(atom.document(FEED, [entry]))
    assert len(root.findall("a:entry/a:category", NAMES)) == 50


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_any_text_makes_a_feed(title: str, summary: str, names: list[str]) -> None:
    entry = Entry("urn:x", title, AT, "/r", authors=names, tags=names, summary=summary)
    root = etree.fromstring(atom.document(Feed("urn:f", title, AT, "/", "/", "/", subtitle=title), [entry]))
    told = root.findtext("a:entry/a:summary", None, NAMES)
    assert (told or "") == fit(summary)[:4000]
