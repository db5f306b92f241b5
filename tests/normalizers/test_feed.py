"""Entries of feeds as records: plain text, dates as they are written, what is kept beside them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.collectors.answers import Response
from stoma.collectors.feed_identity import identified
from stoma.collectors.feed_reading import read_feed
from stoma.normalizers.feed import LONGEST_SUMMARY, FeedNormalizer, instant
from stoma.normalizers.feed_html import plain, shortened
from stoma.records import CollectorResult, Record, Reject, checked, sealed

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def normalized(*items: dict[str, Any], **config: Any) -> list[Any]:
    result = CollectorResult("blog", items, "https://x.org/feed", NOW)
    return list(cast("Iterable[Any]", FeedNormalizer().prepared(config).normalize(result)))


def of_capture(path: Path, **config: Any) -> list[Record]:
    items, _ = identified(
        read_feed(Response("https://x.org/feed", 200, {}, path.read_bytes(), NOW)).items, []
    )
    found = normalized(*items, **config)
    assert all(isinstance(one, Record) for one in found)
    for one in found:
        sealed(checked(one))
    return found


def test_an_entry_as_a_record():
    [record] = normalized(
        {
            "key": "k", "id": "k", "link": "https://x.org/1", "title": "<b>Q&amp;A</b>: <i>a</i>b",
            "title_type": "text/html",
            "summary": "a < b", "summary_type": "text/plain", "content": "<p>c</p>", "content_type": "text/html",
            "authors": ["A  B", "A B"], "tags": ["t", " t ", " "], "published": "Mon, 23 Nov 2026 10:00 +0100",
            "updated": "yesterday", "comments": "https://x.org/1#c", "original_link": "https://y.org/",
            "enclosures": [{"url": "https://x.org/a.mp3"}], "measures": {"comments": 3}, "extra": {"dc_type": "x"},
        }
    )  # fmt: skip
    assert record == Record(
        "blog", "k", "entry", title="Q&A: ab", summary="a < b", url="https://x.org/1",
        authors=("A B",), tags=("t",), published_at=NOW,
        attributes={
            "enclosures": [{"url": "https://x.org/a.mp3"}], "comments_url": "https://x.org/1#c",
            "original_url": "https://y.org/", "extra": {"dc_type": "x"}, "updated_raw": "yesterday",
        },
        measures={"comments": 3},
    )  # fmt: skip


def test_what_a_task_wants():
    entry = {"key": "k", "id": "long one", "content": "<p>c</p>", "content_type": "text/html"}
    [plain_one] = normalized(entry)
    assert (plain_one.summary, plain_one.attributes) == ("c", {"guid": "long one"})
    [whole] = normalized(entry, full_content=True, kind="episode")
    assert whole.kind == "episode"
    assert whole.attributes == {"guid": "long one", "content": "<p>c</p>", "content_type": "text/html"}
    # An entry that has only a summary has that for its content.
    [short] = normalized({"key": "k", "summary": "s", "summary_type": "text/plain"}, full_content=True)
    assert short.attributes == {"content": "s", "content_type": "text/plain"}


def test_nothing_but_what_is_there_changes_with_full_content(recorded: Path):
    for name in ("daringfireball.atom", "manton.rss", "feedburner_xhtml.xml"):
        path = recorded / "feeds" / name
        for brief, whole in zip(of_capture(path), of_capture(path, full_content=True), strict=True):
            assert (brief.title, brief.summary, brief.key) == (whole.title, whole.summary, whole.key)


def test_what_has_nothing_to_be_told_by_is_rejected():
    nameless, unreadable = normalized({"authors": ["A"]}, {"unreadable": "text"})
    assert isinstance(nameless, Reject)
    assert nameless.reason == "the entry has no id, link, title or text to be told by"
    assert isinstance(unreadable, Reject)
    assert (unreadable.reason, unreadable.item) == ("it is no entry but plain JSON", "text")


def test_every_capture_becomes_records(recorded: Path):
    for path in sorted((recorded / "feeds").iterdir()):
        for record in of_capture(path, full_content=True):
            assert "<" not in record.title, path.name
            assert "&amp;" not in record.title + record.summary, path.name
            assert record.published_at or record.updated_at, path.name
            assert len(record.summary) <= LONGEST_SUMMARY


def test_dates_of_captures(recorded: Path):
    bad, good = of_capture(recorded / "feeds" / "invalid_date_format.xml")
    assert (bad.updated_at, bad.attributes) == (None, {"updated_raw": "1518478934"})
    assert good.published_at == datetime(2017, 10, 17, 12, 17, tzinfo=UTC)
    chinese = of_capture(recorded / "feeds" / "kc0011_gb2312.rss")[0]
    assert chinese.published_at == datetime(2020, 1, 10, 14, 33, tzinfo=UTC)
    assert of_capture(recorded / "feeds" / "bio.rdf")[0].published_at == datetime(2019, 8, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Sat, 07 Sep 2002 00:00:01 GMT", "2002-09-07T00:00:01"),
        ("07 Sep 2002 00:00 +0200", "2002-09-06T22:00:00"),
        ("Sat, 7 September 02 12:00:00 EST", "2002-09-07T17:00:00"),
        ("Sat, 07-Sep-2002 12:00:00 PDT", "2002-09-07T19:00:00"),
        ("Fri, 24 May 2019 00:00:00 +02:00", "2019-05-23T22:00:00"),
        ("Fri, 24 May 2019 00:00:00 GMT+0200", "2019-05-23T22:00:00"),
        ("Fri, 24 May 2019 12:00:00 CEST", "2019-05-24T10:00:00"),
        ("Fri, 24 May 2019 12:00:00", "2019-05-24T12:00:00"),
        ("Fri, 24 May 99 12:00:00 Z", "1999-05-24T12:00:00"),
        ("Mon, June 26, 2017 3:41 PM EDT", "2017-06-26T19:41:00"),
        ("May 24, 2019", "2019-05-24T00:00:00"),
        ("Sept. 1, 2020 at 12:05 a.m.", "2020-09-01T00:05:00"),
        ("24 May 2019", "2019-05-24T00:00:00"),
        ("2019-05-24", "2019-05-24T00:00:00"),
        ("2019-05-24T10:00Z", "2019-05-24T10:00:00"),
        ("2019-05-24T10:00:00.1234567+02:00", "2019-05-24T08:00:00.123456"),
        ("2019-05-24 10:00:00 +0200", "2019-05-24T08:00:00"),
        ("2019-05-24 10:00:00 UTC", "2019-05-24T10:00:00"),
        ("2019/1/9 14:33:00", "2019-01-09T14:33:00"),
        ("2019-05-24T10:00:60Z", "2019-05-24T10:00:59"),
        (" 2019-05-24T10:00:00-04 ", "2019-05-24T14:00:00"),
    ],
)
def test_dates_as_they_are_written(text: str, found: str):
    assert instant(text) == datetime.fromisoformat(found).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "garbage", "1518478934", "2019", "31 Feb 2019 00:00 GMT", "2019-13-01", "lun., 12 févr. 2018 10:00",
        "Fri, 24 May 2019 12:00:00 IST", "Fri, 24 May 2019 25:00:00 GMT", "0001-01-01T00:00:00", "24 Foo 2019",
        "2019-05-24T10:00:00+99:00", "x" * 5_000, "2019-05-24 " + " " * 5_000 + "10:00",
    ],
)  # fmt: skip
def test_no_instant_is_better_than_a_wrong_one(text: str):
    assert instant(text) is None


@given(st.text(max_size=100))
def test_any_text_is_a_date_or_none(text: str):
    found = instant(text)
    assert found is None or found.utcoffset() == timedelta(0)


@given(
    st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(9998, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_what_iso_writes_is_read(moment: datetime, offset: int):
    from datetime import timezone

    given_one = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert instant(given_one.isoformat()) == (
        given_one if given_one.year >= 1900 and given_one.astimezone(UTC) else None
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a &amp; b&nbsp;&#8217;c", "a & b ’c"),
        ("<p>one</p><p>two<br>three</p>", "one two three"),
        ("<b>un</b>likely <i>so</i>", "unlikely so"),
        ("a<script>alert(1)</script>b<style>x{}</style>c", "a b c"),
        ("<!-- hidden -->shown<?php echo ?>", "shown"),
        ('<img alt="a > b" src=x>after', "after"),
        ("<p>never closed <b>bold", "never closed bold"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1 2"),
        ("a <unknown>b</unknown>", "a b"),
        ("1 < 2", "1 < 2"),
        ("<?xml version='1.0' encoding='latin-1'?><p>é</p>", "é"),
        ("<p>nul\0l</p>", "nul l"),
        ("<li>日本</li><li>語</li>", "日本 語"),
        ("<", "<"),
        ("<>", "<>"),
        ("<title>in the head</title>body", "body"),
    ],
)
def test_markup_as_plain_text(html: str, text: str):
    assert plain(html) == text


def test_plain_text_stays_what_it_is():
    assert plain("a <b> &amp;\n c", "text/plain") == "a <b> &amp; c"


def test_deep_and_long_markup_is_read():
    assert plain("<div>" * 5_000 + "deep" + "</div>" * 5_000) == "deep"
    assert plain("<p>word</p>" * 20_000).split() == ["word"] * 20_000


@given(st.text(alphabet="<>&;/!-ab \"'=\0\ud800", max_size=60))
def test_any_markup_is_read(html: str):
    plain(html)


def test_a_long_summary_is_cut_between_words():
    assert shortened("one two three", 9) == "one two …"
    assert shortened("one two", 7) == "one two"
    assert len(shortened("x" * 5_000, LONGEST_SUMMARY)) == LONGEST_SUMMARY


@pytest.mark.parametrize(
    ("title", "kind", "found"),
    [
        ("<script>alert(1)</script>News", "text/plain", "News"),
        ("News <img src=x onerror=alert(1)>", "text/plain", "News"),
        ("a <b>bold</b> move", "text/plain", "a bold move"),
        ('<a href="javascript:x">go', "text/plain", "go"),
        ("&lt;script&gt;alert(1)&lt;/script&gt; News", "text/html", "News"),
        ("Using <dialog> and a < b > c", "text/plain", "Using <dialog> and a < b > c"),
    ],
)
def test_a_title_is_plain_text_whatever_it_says_of_itself(title: str, kind: str, found: str):
    [record] = normalized({"key": "1", "title": title, "title_type": kind})
    assert record.title == found


def test_a_long_title_is_cut():
    [record] = normalized({"key": "1", "title": "word " * 1_000, "title_type": "text/plain"})
    assert 490 < len(record.title) <= 500
    [record] = normalized({"key": "1", "title": "<" * 200_000, "title_type": "text/plain"})
    assert len(record.title) == 500
