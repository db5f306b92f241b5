"""Feeds as they come: every capture, every format, everything that is wrong with them, and what is no feed at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from stoma.collectors.answers import Response
from stoma.collectors.feed_identity import identified
from stoma.collectors.feed_manners import Rest
from stoma.collectors.feed_reading import LARGEST, Feed, read_feed
from stoma.errors import BadAnswer, SourceRefused

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

# Entries by file, and the key of the first.
CAPTURES = {
    "amazonwebservicesblog_leading_newline.xml": (10, "tag:typepad.com,2003:post-61484736"),
    "bio.rdf": (30, "http://biorxiv.org/cgi/content/short/743294v1?rss=1"),
    "daringfireball.atom": (48, "tag:daringfireball.net,2017:/linked//6.33853"),
    "davidbau.atom": (15, "http://davidbau.com/archives/2024/03/28/the_right_kind_of_openness_for_ai.html"),
    "donthitsave_bom.xml": (10, "https://donthitsave.com/comic/2019/05/24/skipping-around"),
    "duplicate_content.atom": (10, "http://www.tablix.org/~avian/blog/archives/2014/07/down_time/"),
    "feedburner_xhtml.xml": (10, "tag:typepad.com,2003:post-6a00d834515b9a69e201a511ad051e970c"),
    "google_alerts.atom": (20, "tag:google.com,2013:googlealerts/feed:8974135267215335962"),
    "inessential.json": (20, "http://inessential.com/2017/06/02/james_dempsey_and_the_breakpoints_benefi"),
    "invalid_date_format.xml": (2, "http://example.com/item0"),
    "kagi_leading_newline.xml": (35, "https://kagifeedback.org/d/5340/1"),
    "katiefloyd.rss": (20, "50c628b3e4b07b56461546c5:50c658a6e4b0cc9aa9ce4405:57bcbe83e4fcb567fdffc020"),
    "kc0011_gb2312.rss": (20, "http://www.kc0011.net/dispbbs.asp?BoardID=10&ID=25164257&Page=1"),
    "manton.rss": (10, "http://www.manton.org/?p=3071"),
    "onefootsunami.atom": (25, "http://onefoottsunami.com/?p=14863"),
    "phpxml_broken_declaration.rss": (20, "https://www.fcutrecht.net/nieuws/"),
    "scriptingnews.rss": (50, "http://scripting.com/2017/06/26.html#a080605"),
    "spaces_around_equals.xml": (1, "http://alerts.weather.gov/cap/wwacapget.php?x=ME124CCF70CDD4."),
    "stackoverflow.atom": (2, "https://stackoverflow.com/q/28509965"),
    "theomnishow.rss": (4, "https://theomnishow.omnigroup.com/episode/andrea-mcvittie-user-experience-designer/"),
    "utf16_label.xml": (1, "https://example.com/entry1"),
    "youtube.atom": (15, "yt:video:5shykyfmb28"),
    "osm_pl_truncated_cdata.xml": (7, "https://openstreetmap.org.pl/?p=2645"),
    "allthis-partial_truncated.json": (2, "http://leancrew.com/all-this/2017/11/last-thoughts-on-modifier-keys/"),
}  # fmt: skip
CUT_OFF = {"osm_pl_truncated_cdata.xml", "allthis-partial_truncated.json"}


def read(body: bytes | str, url: str = "https://x.org/a/feed", **headers: str) -> Feed:
    raw = body if isinstance(body, bytes) else body.encode()
    return read_feed(Response(url, 200, headers, raw, NOW))


def rss(items: str = "", channel: str = "", end: str = "</channel></rss>") -> str:
    return f'<rss version="2.0"><channel><title>T</title>{channel}{items}{end}'


@pytest.mark.parametrize("name", sorted(CAPTURES))
def test_a_capture_is_read_whole(name: str, recorded: Path):
    count, first = CAPTURES[name]
    feed = read((recorded / "feeds" / name).read_bytes())
    items, _ = identified(feed.items, [])
    assert len(feed.items) == len(items) == count
    assert items[0]["key"].startswith(first)
    assert bool(feed.fault) == (name in CUT_OFF)
    assert all(item.get("title") or item.get("summary") or item.get("content") for item in items)
    json.dumps(items)  # plain values: what is rejected of them can be kept


def test_every_capture_is_in_the_table(recorded: Path):
    assert {path.name for path in (recorded / "feeds").iterdir()} == set(CAPTURES)


def test_arxivs_feed_of_the_day(recorded: Path):
    feed = read((recorded / "arxiv" / "rss_2026_four_announce_types.xml").read_bytes())
    assert feed.rest == Rest(days=(5, 6))
    told = [item["extra"]["arxiv_announce_type"] for item in feed.items]
    assert told == [item["summary"].split("Announce Type: ")[1].split()[0] for item in feed.items]
    # The same with an empty weekend.
    body = (recorded / "arxiv" / "rss_2026_four_announce_types.xml").read_text()
    empty = body[: body.index("<item>")] + "</channel></rss>"
    assert (read(empty).items, read(empty).fault) == ([], "")


def test_edgars_list_has_one_id_for_several_entries(recorded: Path):
    feed = read((recorded / "sec_edgar" / "getcurrent_20251212_count100_start0000.atom").read_bytes())
    items, shared = identified(feed.items, [])
    assert len(feed.items) == len(items) == 100
    assert len({item["id"] for item in items}) < 100
    assert shared


def test_links_that_count_clicks(recorded: Path):
    alerts = read((recorded / "feeds" / "google_alerts.atom").read_bytes())
    assert all(not item["link"].startswith("https://www.google.com/url") for item in alerts.items)
    burned = read((recorded / "feeds" / "feedburner_xhtml.xml").read_bytes())
    assert burned.items[0]["link"].startswith("http://feedproxy.google.com/")
    assert burned.items[0]["original_link"].startswith("http://www.rotoauthority.com/")


def test_chinese_and_dates_as_they_are_written(recorded: Path):
    item = read((recorded / "feeds" / "kc0011_gb2312.rss").read_bytes()).items[0]
    assert (item["title"], item["authors"]) == ("建国35周年纪念，华表，和平鸽", ["大鱼儿"])
    assert item["published"] == "2020/1/10 14:33:00"


def test_measures_and_enclosures(recorded: Path):
    assert read((recorded / "feeds" / "youtube.atom").read_bytes()).items[0]["measures"] == {"views": 251497}
    assert read((recorded / "feeds" / "manton.rss").read_bytes()).items[5]["measures"].keys() == {"comments"}
    [sound] = read((recorded / "feeds" / "theomnishow.rss").read_bytes()).items[0]["enclosures"]
    assert (sound["type"], sound["length"] > 1_000_000) == ("audio/mpeg", True)


def test_the_manners_of_the_document():
    feed = read(
        rss(channel="<ttl>90</ttl><skipHours>\n<hour>3</hour><hour> 4 </hour></skipHours>"),
        **{"cache-control": "max-age=60"},
    )
    assert feed.rest == Rest(5_400, "ttl", hours=(3, 4))


@pytest.mark.parametrize(
    "body",
    [
        rss("<item><guid>1</guid></item>"),
        " \n\t" + rss("<item><guid>1</guid></item>"),
        "\ufeff" + rss("<item><guid>1</guid></item>"),
        "<br /><b>Warning</b>: include() failed" + rss("<item><guid>1</guid></item>"),
        "<!-- made by --><?xml-stylesheet href='x'?><!DOCTYPE rss>" + rss("<item><guid>1</guid></item>"),
        rss("<item><guid>1</guid><title>a & b &nbsp; <unknown:x/></title></item>"),
        rss("<item><guid>1</guid><title>a \x08\x00 b</title></item>"),
        rss("<item><guid>1</guid></item>") + "<!-- cached --> trailing <junk>",
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        '<channel rdf:about="x"/><item rdf:about="1"><title>t</title></item></rdf:RDF>',
        '<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:id>1</a:id></a:entry></a:feed>',
        '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><entry><id>1</id></entry></feed>',
        "<feed><entry><id>1</id></entry></feed>",
        '{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": 1}]}',
        '\ufeff {"items": [{"id": "1"}], "version": "https://jsonfeed.org/version/1"}',
    ],
)  # fmt: skip
def test_what_is_read_all_the_same(body: str):
    feed = read(body)
    assert [item["id"] for item in feed.items] == ["1"]
    assert "\x08" not in str(feed.items[0].get("title", ""))
    assert not feed.fault


def test_an_entity_reads_no_file_and_does_not_grow(tmp_path: Path):
    (tmp_path / "secret").write_text("SECRET")
    declared = f'<!DOCTYPE rss [<!ENTITY f SYSTEM "{(tmp_path / "secret").as_uri()}"><!ENTITY a "aaaaaaaaaa">'
    declared += "".join(
        f'<!ENTITY {n} "{f"&{m};" * 10}">' for m, n in zip("abcdefgh", "bcdefghi", strict=True)
    )
    feed = read(f"{declared}]>{rss('<item><guid>1</guid><title>x &f; &i;</title></item>')}")
    assert "SECRET" not in str(feed.items)
    assert len(str(feed.items)) < 1_000


def test_the_body_is_never_taken_for_the_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "feed").write_text(rss("<item><guid>1</guid></item>"))
    with pytest.raises(BadAnswer, match="is no feed; it begins 'feed'"):
        read("feed")
    (tmp_path / "<feed").mkdir()
    (tmp_path / "<feed" / ">").write_text(rss("<item><guid>1</guid></item>"))
    assert read("<feed/>").items == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "https://x.org/a/feed is empty"),
        (b" \n", "is empty"),
        (b"nothing", "is no feed; it begins 'nothing'"),
        (b"\x00\x01\x02", "is no feed; it begins"),
        (b"<urlset><url/></urlset>", "is no feed; its root is <urlset>"),
        (b'<feed xmlns="urn:other"><entry/></feed>', "its root is <feed>"),
        (b"<Error><Code>AccessDenied</Code></Error>", "its root is <Error>"),
        (b"<!DOCTYPE html><title>502 Bad Gateway</title>", "is a web page, not a feed: '502 Bad Gateway'"),
        (b"<html><body>Please wait \xe2\x80\xa6", "is a web page, not a feed: 'Please wait"),
        (b"<rss></rss>", "begins like a feed and is none"),
        (b"<rss version='2.0'><channel><title>T", "is cut off before its first entry"),
        (b"<rss version='2.0'><channel><item><title>T", "is cut off behind its first 0 entries"),
        (b'{"error": "no such feed"}', "is JSON, but no JSON Feed"),
        (b'{"items": [{"id": 1}]}', "is JSON, but no JSON Feed"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": {}}', "is JSON, but no JSON Feed"),
        (b"[1, 2]", "is JSON, but no JSON Feed"),
        (b'{"version": "https://jsonfeed.org/version/1", "it', "is not JSON"),
        (b'{"results": 1, "items": [{"id": 1}, {"i', "is not JSON"),
        (b'{"items": [{"content_html": "half', "is not JSON"),
        (b"{" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_feed_says_what_it_is(body: bytes, fault: str):
    with pytest.raises(BadAnswer) as found:
        read(body)
    assert fault in found.value.message


@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        (
            "<a " + " ".join(f'a{n}="1"' for n in range(200_000)) + "/>",
            "a tag with more than 1,000 attributes",
        ),
        ("<a " + " ".join(f"a{n}" for n in range(2_000)) + ">", "a tag with more than 1,000 attributes"),
        ("<a>" * 200_000, "200,000 tags that are not closed"),
        ("<a></a>" * 300_000, "600,010 tags"),
    ],
)
def test_markup_that_no_feed_has_never_reaches_the_parser(markup: str, fault: str):
    begun = perf_counter()
    with pytest.raises(BadAnswer) as found:
        read(rss(f"<item><guid>1</guid>{markup}</item>"))
    assert fault in found.value.message
    assert "no feed's markup" in found.value.message
    assert perf_counter() - begun < 1


def test_much_text_with_markup_is_a_feed():
    content = '<p class="a">x<br>' * 10_000 + "</p>" * 10_000
    items = "".join(
        f"<item><guid>{n}</guid><description>a &lt; b = c</description></item>" for n in range(500)
    )
    feed = read(rss(f"{items}<item><guid>x</guid><description><![CDATA[{content}]]></description></item>"))
    assert len(feed.items) == 501


@pytest.mark.parametrize(
    "link", ["file:///etc/passwd", "javascript:x", "blob:https://x.org/1", "about:blank"]
)
def test_links_that_lead_into_the_readers_machine_are_left_away(link: str):
    feed = read(rss(f"<item><guid>1</guid><link>{link}</link><enclosure url='{link}'/></item>"))
    assert not {"link", "enclosures"} & feed.items[0].keys()


def test_a_feed_has_16_mb():
    with pytest.raises(SourceRefused, match="more than 16 MB"):
        read(rss("<item><guid>1</guid></item>") + " " * LARGEST)


def test_a_web_page_tells_its_feeds():
    page = """<!doctype html><head><link rel="stylesheet" href="x.css">
        <link rel="alternate" type="application/rss+xml" href="/feed.xml?a=1&amp;b=2">
        <link href=https://y.org/atom type=application/atom+xml rel=alternate></head>
        <!-- <rdf:RDF xmlns="http://web.resource.org/cc/"></rdf:RDF> -->"""
    with pytest.raises(BadAnswer) as found:
        read(page)
    assert found.value.hint == (
        "the page names https://x.org/feed.xml?a=1&b=2 and https://y.org/atom: write that as url"
    )


@pytest.mark.parametrize(
    ("body", "count", "fault", "remark"),
    [
        # Cut off inside an entry: the whole ones stay.
        (rss("<item><guid>1</guid></item><item><guid>2</guid><title>ha", end=""), 1, "first 1 entries", ""),
        (
            rss("<item><guid>1</guid></item><item><guid>2</guid><title><![CDATA[ha", end=""),
            1,
            "first 1 entries",
            "",
        ),
        # Behind an entry: some programs never write the end.
        (
            rss("<item><guid>1</guid></item>", end=""),
            1,
            "",
            "it ends without </rss>; its 1 entries are whole",
        ),
        (rss("<item><guid>1</guid></item>", end="</channel>"), 1, "", "it ends without </rss>"),
        (rss("<item><guid>1</guid></item>", end="</chan"), 1, "", "it ends without </rss>"),
        (
            '<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id></entry><entry><id>2',
            1,
            "first 1 entries",
            "",
        ),
    ],
)
def test_what_is_cut_off(body: str, count: int, fault: str, remark: str):
    feed = read(body)
    assert [item["id"] for item in feed.items] == [str(n + 1) for n in range(count)]
    assert feed.fault.endswith(fault) if fault else not feed.fault
    assert remark in feed.remark


def test_a_whole_feed_cut_anywhere_never_gives_a_half_entry():
    whole = rss("".join(f"<item><guid>{n}</guid><title>title {n}</title></item>" for n in range(3)))
    expected = read(whole).items
    for length in range(len(whole)):
        try:
            feed = read(whole[:length])
        except BadAnswer:
            continue
        assert feed.items == expected[: len(feed.items)]
        assert feed.items
        assert feed.fault or feed.remark or len(feed.items) == 3


def test_a_feed_that_is_not_well_formed_says_when_entries_are_lost(monkeypatch: pytest.MonkeyPatch):
    # feedparser's parser for broken documents takes what follows for a part of the comment.
    feed = read(
        rss("<item><guid>1</guid></item><!-- & <item><guid>2</guid></item><item><guid>3</guid></item>")
    )
    assert len(feed.items) < 3
    assert "of 3 entries could be read" in feed.remark


def test_relative_links_count_from_the_feed_and_carry_nothing_secret():
    item = "<item><guid isPermaLink='false'>1</guid><link>{}</link></item>"
    url = "https://me:pass@x.org/a/feed?token=abc"
    for link, whole in [
        ("b", "https://x.org/a/b"),
        ("/b", "https://x.org/b"),
        ("?p=1", "https://x.org/a/feed?p=1"),
    ]:
        assert read(rss(item.format(link)), url).items[0]["link"] == whole
    # An id that feedparser takes for a link is none, unless it is an address; the id stays as it is written.
    for given in ("7", "tag:x.org,2026:7", "https://x.org/7"):
        [entry] = read(rss(f"<item><guid>{given}</guid></item>"), url).items
        assert (entry["id"], entry.get("link", "")) == (given, given if given.startswith("https") else "")
    for link in ("javascript:alert(1)", "data:text/html,x"):
        assert "link" not in read(rss(item.format(link)), url).items[0]


def test_an_atom_entry_has_the_authors_of_its_feed():
    feed = read(
        '<feed xmlns="http://www.w3.org/2005/Atom"><author><name>All</name></author>'
        "<entry><id>1</id></entry><entry><id>2</id><author><name>One</name></author></entry></feed>"
    )
    assert [item["authors"] for item in feed.items] == [["All"], ["One"]]


def test_the_forms_of_json_feed():
    items: list[Any] = [
        {"id": 7, "url": "/p/7", "title": "a < b", "content_text": "x < y", "date_published": "2026-01-01T00:00:00Z",
         "authors": [{"name": "A"}, {"url": "x"}], "tags": ["t", 3], "external_url": "https://y.org/",
         "attachments": [{"url": "https://x.org/a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 5}, {"url": 1}]},
        {"id": "8", "external_url": "https://y.org/8", "content_html": "<p>h</p>", "summary": "s",
         "author": {"name": "B"}, "date_modified": "2026-01-02T00:00:00Z", "attachments": 5, "url": ["x"]},
        "no item",
    ]  # fmt: skip
    given = {"version": "https://jsonfeed.org/version/1.1", "authors": [{"name": "All"}], "items": items}
    first, second, third = read(json.dumps(given)).items
    assert first["link"] == "https://x.org/p/7"
    assert first["original_link"] == "https://y.org/"
    assert (first["authors"], first["tags"], first["content_type"]) == (["A"], ["t"], "text/plain")
    assert first["enclosures"] == [{"url": "https://x.org/a.mp3", "type": "audio/mpeg", "length": 5}]
    assert (second["link"], second["authors"], second["updated"]) == (
        "https://y.org/8",
        ["B"],
        "2026-01-02T00:00:00Z",
    )
    assert "original_link" not in second
    assert third == {"unreadable": "no item"}
