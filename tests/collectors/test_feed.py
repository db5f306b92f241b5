"""The feed collector against a server: what a run asks, what it remembers, and when it asks nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from stoma.collectors.base import Progress, Span, Validator
from stoma.collectors.feed import FeedCollector, address
from stoma.errors import BadAnswer, SourceGone, SourceRefused, Unreachable, UsageError
from stoma.records import CollectorResult
from stoma.references import remember
from tests.support.server import Asked, Handler, Reply
from tests.support.world import Serve, World


def rss(*names: str, channel: str = "", end: str = "</channel></rss>") -> bytes:
    items = "".join(f"<item><guid>{name}</guid><title>Entry {name}</title></item>" for name in names)
    return f'<rss version="2.0"><channel><title>T</title>{channel}{items}{end}'.encode()


def keys(page: CollectorResult) -> list[str]:
    return [item["key"] for item in page.items]


def answered(body: bytes, _: Asked) -> Reply:
    return Reply(body=body)


class Runs:
    """Runs of one task, each with the cursor that the one before left."""

    def __init__(self, world: World, serve: Serve) -> None:
        self.world = world
        self.answer: Handler = lambda _: Reply(body=rss("1"))
        self.server = serve(lambda asked: self.answer(asked))
        self.cursor: Mapping[str, Any] | None = None
        self.progress: Progress | None = None

    def __call__(self, **config: Any) -> CollectorResult:
        config = {"url": f"{self.server.url}/feed", **config}
        self.world.told.clear()
        pages = []
        for page in FeedCollector().collect(
            self.world.collection(config, cursor=self.cursor, progress=self.progress)
        ):
            pages.append(page)
            self.progress = page.next_page and Progress(page.window, page.next_page)
        [page] = pages
        self.cursor = page.cursor or self.cursor
        return page

    def forward(self, **by: float) -> None:
        # The time of day goes on, without any run that waits for it.
        self.world.clock.start += timedelta(**by)

    @property
    def asked(self) -> list[Asked]:
        return self.server.requests

    @property
    def said(self) -> str:
        """What the last run said."""
        return "\n".join(self.world.told)


@pytest.fixture
def runs(world: World, serve: Serve) -> Runs:
    return Runs(world, serve)


def test_a_run_brings_what_the_feed_lists(runs: Runs):
    runs.answer = lambda _: Reply(body=rss("2", "1"), headers={"Content-Type": "text/html"})
    page = runs(headers={"X-Key": "abc"})
    assert (page.source, keys(page), page.next_page, page.expected) == ("test", ["2", "1"], None, 2)
    assert page.url == f"{runs.server.url}/feed"
    [asked] = runs.asked
    assert "application/atom+xml" in asked.headers["accept"]
    assert asked.headers["x-key"] == "abc"
    assert runs(source="blog").source == "blog"


def test_base_url_replaces_scheme_and_host():
    config = {"url": "https://x.org/a/b?c=d#e", "base_url": "http://127.0.0.1:1/"}
    assert address(config) == "http://127.0.0.1:1/a/b?c=d"
    assert address({"url": "https://x.org/a?b"}) == "https://x.org/a?b"
    assert address({"url": "https://x.org", "base_url": "http://y"}) == "http://y/"


def test_a_feed_has_no_past(runs: Runs, world: World):
    days = Span(datetime(2026, 1, 1).date(), datetime(2026, 1, 31).date())
    collection = world.collection({"url": runs.server.url}, span=days)
    for ask in (FeedCollector().estimate, lambda given: list(FeedCollector().collect(given))):
        with pytest.raises(UsageError, match="cannot collect days of the past"):
            ask(collection)
    assert runs.asked == []


def test_an_empty_feed_is_a_good_answer(runs: Runs):
    runs()
    runs.answer = lambda _: Reply(body=rss())
    assert (keys(runs()), runs.cursor["items"]) == ([], 0)
    assert FeedCollector.may_be_empty


def test_no_request_while_the_feed_rests(runs: Runs):
    runs.answer = lambda _: Reply(body=rss("2", "1", channel="<ttl>60</ttl>"))
    runs()
    runs.forward(minutes=50)
    resting = runs()
    assert (keys(resting), resting.unmodified, resting.cursor, len(runs.asked)) == ([], 2, None, 1)
    assert (
        "/feed is not asked before 2026-11-23 09:54 UTC: it asks for that (ttl: it stays the same for 60"
        in runs.said
    )
    # Nine tenths of the hour are over: an hourly task is never a second too early.
    runs.forward(minutes=5)
    assert (keys(runs()), len(runs.asked)) == (["2", "1"], 2)


def test_cache_control_counts_too_and_for_no_longer_than_a_day(runs: Runs):
    runs.answer = lambda _: Reply(body=rss("1"), headers={"Cache-Control": "max-age=31536000"})
    runs()
    runs.forward(hours=21)
    assert runs().unmodified == 1
    runs.forward(hours=1)
    assert keys(runs()) == ["1"]


def test_a_weekend_to_skip(runs: Runs):
    runs.answer = lambda _: Reply(
        body=rss("1", channel="<skipDays><day>Saturday</day><day>Sunday</day></skipDays>")
    )
    runs.forward(hours=4 * 24)  # Friday
    runs()
    for _ in range(2):
        runs.forward(hours=24)
        assert runs().unmodified == 1
        assert "skipDays" in runs.said
    runs.forward(hours=24)
    assert keys(runs()) == ["1"]
    assert len(runs.asked) == 2


class Known:
    """Validators that one test holds in its hand."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []

    def known(self, page: str) -> Validator | None:
        return Validator('"v1"', "", 7)

    def note(self, page: str, etag: str, last_modified: str) -> None:
        self.noted.append((etag, last_modified))


def test_what_has_not_changed_counts_as_before(runs: Runs, world: World):
    runs.answer = lambda _: Reply(body=rss("1", channel="<ttl>60</ttl>"))
    runs()
    before = dict(runs.cursor)
    world.validators = Known()
    runs.answer = lambda asked: Reply(304 if asked.headers.get("if-none-match") == '"v1"' else 500)
    runs.forward(hours=1)
    page = runs()
    assert (keys(page), page.unmodified) == ([], 7)
    # What the feed said when it last came whole still holds, from now on.
    assert runs.cursor == before | {"asked_at": world.clock.now().isoformat(), "items": 7}
    runs.forward(minutes=50)
    assert (runs().unmodified, len(runs.asked)) == (7, 2)


def test_a_feed_that_moved_for_good_is_asked_where_it_is(runs: Runs):
    def answer(asked: Asked) -> Reply:
        return Reply(301, headers={"Location": "/new"}) if asked.path == "/feed" else Reply(body=rss("1"))

    runs.answer = answer
    runs()
    assert f"/feed has moved for good to {runs.server.url}/new: write that as url" in runs.said
    runs()
    assert f"/feed has moved for good to {runs.server.url}/new: write that as url" in runs.said
    assert [asked.path for asked in runs.asked] == ["/feed", "/new", "/new"]


def test_a_passing_redirect_is_not_remembered(runs: Runs):
    runs.answer = lambda asked: (
        Reply(302, headers={"Location": "/new"}) if asked.path == "/feed" else Reply(body=rss("1"))
    )
    runs()
    assert (runs.cursor["moved_to"], "moved" in runs.said) == ("", False)


@pytest.mark.parametrize("status", [404, 410])
def test_a_new_address_that_died_is_forgotten(runs: Runs, status: int):
    moved = True

    def answer(asked: Asked) -> Reply:
        if moved:
            return Reply(308, headers={"Location": "/new"}) if asked.path == "/feed" else Reply(body=rss("1"))
        return Reply(body=rss("2")) if asked.path == "/feed" else Reply(status)

    runs.answer = answer
    runs()
    moved = False
    assert keys(runs()) == ["2"]
    assert runs.cursor["moved_to"] == ""
    assert f"/new answers {status}" in runs.said
    runs()
    assert runs.asked[-1].path == "/feed"


def test_a_new_address_that_cannot_be_reached_neither(runs: Runs, serve: Serve):
    other = serve(Reply(body=rss("1")))
    runs.answer = lambda _: Reply(301, headers={"Location": other.url})
    runs()
    assert runs.cursor["moved_to"] == f"{other.url}/"
    other.close()
    runs.answer = lambda _: Reply(body=rss("2"))
    assert keys(runs()) == ["2"]


def test_no_secret_moves_into_the_store(runs: Runs):
    remember("feed-secret-1", "${env:FEED_TOKEN}")
    runs.answer = lambda asked: (
        Reply(301, headers={"Location": "/new?token=feed-secret-1"})
        if asked.path == "/feed"
        else Reply(body=rss("1"))
    )
    page = runs(url=f"{runs.server.url}/feed?token=feed-secret-1")
    assert "feed-secret-1" not in f"{page}{runs.world.told}"
    assert runs.cursor["moved_to"] == ""


def test_headers_never_go_to_another_origin(runs: Runs, serve: Serve):
    other = serve(Reply(body=rss("1")))
    runs.answer = lambda _: Reply(301, headers={"Location": other.url})
    for _ in range(2):
        runs(headers={"Authorization": "Bearer abc"})
    assert runs.cursor["moved_to"] == ""
    assert ["authorization" in asked.headers for asked in other.requests] == [False, False]


def test_a_feed_that_is_gone_says_so(runs: Runs):
    runs.answer = lambda _: Reply(410, b"The feed was closed.")
    with pytest.raises(SourceGone) as gone:
        runs()
    assert "/feed answers 410 Gone: The feed was closed.: the feed is gone for good" in gone.value.message
    assert "disable it" in gone.value.hint
    runs.answer = lambda _: Reply(404)
    with pytest.raises(SourceRefused) as refused:
        runs()
    assert not isinstance(refused.value, SourceGone)
    assert len(runs.asked) == 2


def test_whole_entries_of_a_feed_that_is_cut_off_are_saved_and_the_run_fails(runs: Runs):
    runs.answer = lambda _: Reply(body=rss("3", "2", "1", end="")[:-12])
    collection = runs.world.collection({"url": f"{runs.server.url}/feed"})
    pages = FeedCollector().collect(collection)
    page = next(pages)
    assert keys(page) == ["3", "2"]
    # It is not the last page, so the run goes on, and fails: older entries are missing.
    assert page.next_page is not None
    assert page.cursor is None
    with pytest.raises(BadAnswer, match=r"/feed is cut off behind its first 2 entries \(asked 3 times\)"):
        next(pages)
    # The next try does not count the same ones again.
    progress = Progress(page.window, page.next_page)
    with pytest.raises(BadAnswer):
        list(FeedCollector().collect(runs.world.collection(collection.config, progress=progress)))
    runs.answer = lambda _: Reply(body=rss("4", "3", "2", "1", end="")[:-12])
    pages = FeedCollector().collect(runs.world.collection(collection.config, progress=progress))
    assert keys(next(pages)) == ["4", "3", "2"]


def test_a_feed_that_is_whole_when_asked_again_is_no_fault(runs: Runs):
    runs.answer = lambda asked: Reply(body=rss("2", "1") if asked.number > 1 else rss("2", "1", end="")[:-9])
    assert keys(runs()) == ["2", "1"]
    assert "cut off behind its first 1 entries; asking again" in runs.said


def test_entries_that_came_and_went_are_told(runs: Runs):
    for names, told in (
        (("2", "1"), False),
        (("3", "2"), False),
        (("6", "5"), True),
        ((), False),
        (("9",), False),
    ):
        body = rss(*names)
        runs.answer = partial(answered, body)
        runs()
        assert ("none of the 2 entries of the last run" in runs.said) == told


def test_a_limit_says_what_it_leaves_out(runs: Runs):
    runs.answer = lambda _: Reply(body=rss("3", "2", "1"))
    page = runs(limit=1)
    assert (keys(page), page.expected, runs.cursor["items"]) == (["3"], 1, 1)
    assert "limit" not in runs.said  # the first run decides where collecting begins
    runs.answer = lambda _: Reply(body=rss("5", "4", "3", "2"))
    assert keys(runs(limit=1)) == ["5"]
    assert "limit: 1 leaves out 1 new entries" in runs.said


def test_an_entry_keeps_its_key_when_the_other_of_its_id_has_left(runs: Runs):
    item = "<item><guid isPermaLink='false'>a</guid><link>{}</link></item>"
    runs.answer = lambda _: Reply(body=rss(channel=item.format("http://x/1") + item.format("http://x/2")))
    assert keys(runs()) == ["a http://x/1", "a http://x/2"]
    runs.answer = lambda _: Reply(body=rss(channel=item.format("http://x/2")))
    assert keys(runs()) == ["a http://x/2"]


def test_a_cursor_of_another_address_is_not_used(runs: Runs):
    runs.answer = lambda _: Reply(body=rss("1", channel="<ttl>60</ttl>"))
    runs()
    runs(url=f"{runs.server.url}/other")
    assert [asked.path for asked in runs.asked] == ["/feed", "/other"]


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(body=b"<!doctype html><title>Sign in</title>"), BadAnswer, "is a web page, not a feed: 'Sign in'"),
        (Reply(body=b""), BadAnswer, "is empty"),
        (Reply(body=b'{"a": 1}'), BadAnswer, "is JSON, but no JSON Feed"),
        (Reply(body=b"\x1f\x8b broken", headers={"Content-Encoding": "gzip"}), BadAnswer, "broken gzip"),
        (Reply(500, rss("1")), BadAnswer, "500 Internal Server Error"),
        (Reply(403, rss("1")), SourceRefused, "403 Forbidden"),
        (Reply(301, headers={"Location": "/feed"}), SourceRefused, "redirects more than 5 times"),
        (Reply(body=rss("1"), cut=20), (BadAnswer, Unreachable), "/feed"),
        (Reply(reset=True), Unreachable, "/feed"),
        (Reply(304), BadAnswer, "304"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_an_error_that_names_the_address(runs: Runs, reply: Reply, error: Any, words: str):
    runs.answer = lambda _: reply
    with pytest.raises(error) as found:
        runs()
    assert words in found.value.message
    assert f"{runs.server.url}/feed" in found.value.message
    assert runs.cursor is None


def test_the_cursor_is_plain_and_small(runs: Runs):
    import orjson

    runs.answer = lambda _: Reply(body=rss(*map(str, range(1_000))))
    assert len(runs().items) == 1_000
    assert len(orjson.dumps(dict(runs.cursor))) < 4_000
    assert datetime.fromisoformat(runs.cursor["asked_at"]).tzinfo == UTC


def test_a_credential_in_the_address_is_not_told(runs: Runs):
    plain = "f33d-wr1tt3n-k3y"
    page = runs(url=f"{runs.server.url}/feed?token={plain}&n=1")
    assert runs.asked[0].query == {"token": plain, "n": "1"}
    assert plain not in f"{page} {runs.said}"
    runs.answer = lambda _: Reply(403, f"{plain} is blocked".encode())
    with pytest.raises(SourceRefused) as error:
        runs(url=f"{runs.server.url}/feed?token={plain}&n=2")
    assert plain not in str(error.value)
