"""What the HTTP client does so that nobody is banned: conditions, patience, addresses, keeping."""

from __future__ import annotations

import gzip
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from stoma.collectors.base import Validator
from stoma.collectors.http import Response, request_key
from stoma.errors import BadAnswer, HostWait, SourceBusy, SourceRefused, Unreachable
from stoma.hosts import ANSWERED, Allowance, Outcome
from stoma.references import remember
from tests.support.budget import START
from tests.support.server import Asked, Handler, Reply, Server
from tests.support.world import Serve, World

EPOCH = int(START.timestamp())
DATE = "Mon, 23 Nov 2026 08:00:00 GMT"


class Known:
    """The validators of a run, as the pipeline hands them in."""

    def __init__(self) -> None:
        self.rows: dict[str, Validator] = {}
        self.noted: list[tuple[str, str, str]] = []

    def known(self, page: str) -> Validator | None:
        return self.rows.get(page)

    def note(self, page: str, etag: str, last_modified: str) -> None:
        self.noted.append((page, etag, last_modified))


def in_turn(*replies: Reply) -> Handler:
    return lambda asked: replies[min(asked.number, len(replies)) - 1]


def ask(world: World, url: str, **more: object) -> object:
    """The body, or the number of items that had been there before."""
    return world.client().get(url, parse=lambda r: r.body, unchanged=lambda count: count, **more)  # type: ignore[arg-type]


class TestConditions:
    @pytest.fixture
    def known(self, world: World) -> Known:
        world.validators = known = Known()
        return known

    def remembered(self, known: Known, url: str, etag: str = '"1"', modified: str = DATE) -> None:
        known.rows[request_key("GET", f"{url}/")] = Validator(etag, modified, 7)

    def test_what_has_not_changed_is_not_sent_again(self, world: World, serve: Serve, known: Known):
        server = serve(lambda a: Reply(304 if a.headers.get("if-none-match") == '"1"' else 200))
        self.remembered(known, server.url)
        assert ask(world, server.url) == 7
        assert server.requests[0].headers["if-modified-since"] == DATE
        # What was known of it stays; that it was not modified is kept, so that a replay can walk the same way.
        assert (known.noted, [kept.status for kept in world.kept]) == ([], [304])
        assert world.budget.outcomes == [Outcome(is_unmodified=True)]

    @pytest.mark.parametrize(("etag", "modified"), [('W/"1"', ""), ("", DATE), ("bare", "")])
    def test_either_is_enough(self, world: World, serve: Serve, known: Known, etag: str, modified: str):
        server = serve(Reply(304))
        self.remembered(known, server.url, etag, modified)
        assert ask(world, server.url) == 7
        sent = {k: v for k, v in server.requests[0].headers.items() if k.startswith("if-")}
        assert sent == {k: v for k, v in {"if-none-match": etag, "if-modified-since": modified}.items() if v}

    def test_a_server_that_ignores_them(self, world: World, serve: Serve, known: Known):
        server = serve(Reply(body=b"all", headers={"ETag": 'W/"2"', "Last-Modified": DATE}))
        self.remembered(known, server.url)
        assert ask(world, server.url) == b"all"
        assert known.noted == [(request_key("GET", f"{server.url}/"), 'W/"2"', DATE)]

    def test_without_validators_those_from_before_go(self, world: World, serve: Serve, known: Known):
        server = serve(Reply(body=b"all", headers={"ETag": "\x07"}))
        self.remembered(known, server.url)
        ask(world, server.url)
        assert known.noted == [(request_key("GET", f"{server.url}/"), "", "")]

    def test_only_what_was_accepted_is_noted(self, world: World, serve: Serve, known: Known):
        def parse(response: Response) -> bytes:
            assert known.noted == []
            if response.body == b"odd":
                raise BadAnswer("odd")
            return response.body

        server = serve(
            in_turn(
                Reply(body=b"odd", headers={"ETag": '"odd"'}), Reply(body=b"even", headers={"ETag": '"e"'})
            )
        )
        world.client().get(server.url, parse=parse, unchanged=lambda count: b"")
        assert [etag for _, etag, _ in known.noted] == ['"e"']
        assert [one.body for one in world.kept] == [b"even"]

    @pytest.mark.parametrize("is_known", [False, True])
    def test_nothing_is_asked_conditionally_unless_wished(
        self, world: World, serve: Serve, known: Known, is_known: bool
    ):
        server = serve(Reply(body=b"x", headers={"ETag": '"1"'}))
        if is_known:
            self.remembered(known, server.url)
        world.get(server.url)
        assert not any(name.startswith("if-") for name in server.requests[0].headers)
        assert known.noted == []

    def test_a_304_that_nobody_asked_for(self, world: World, serve: Serve, known: Known):
        server = serve(Reply(304))
        with pytest.raises(BadAnswer, match=r"304 Not Modified, though nobody asked .* \(asked 3 times\)"):
            ask(world, server.url)
        with pytest.raises(BadAnswer, match="304"):
            world.get(server.url)

    def test_another_accept_is_another_page(self, world: World, serve: Serve, known: Known):
        server = serve(Reply())
        self.remembered(known, server.url)
        ask(world, server.url, headers={"accept": "application/json"})
        assert "if-none-match" not in server.requests[0].headers

    def test_also_where_a_redirect_leads(self, world: World, serve: Serve, known: Known):
        there = serve(lambda a: Reply(304 if "if-none-match" in a.headers else 200))
        here = serve(Reply(301, headers={"Location": there.url}))
        self.remembered(known, here.url)
        assert ask(world, here.url) == 7

    def test_a_304_may_say_that_nothing_more_is_allowed(self, world: World, serve: Serve, known: Known):
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH + 60)}
        server = serve(Reply(304, headers=headers))
        self.remembered(known, server.url)
        assert ask(world, server.url) == 7
        assert world.budget.cooling == {"127.0.0.1": START + timedelta(seconds=61)}


class TestWishes:
    def test_found_in_a_page_with_any_status(self, world: World, serve: Serve):
        server = serve(Reply(body=b"slow down"))

        def parse(response: Response) -> None:
            raise SourceBusy("it says: slow down", START + timedelta(minutes=9))

        with pytest.raises(SourceBusy, match="slow down") as busy:
            world.client().get(server.url, parse=parse)
        assert len(server.requests) == 1
        assert world.budget.cooling == {"127.0.0.1": START + timedelta(minutes=9)}
        assert "127.0.0.1 is not asked before 2026-11-23 09:09:00 UTC" in busy.value.hint
        assert world.kept == []

    def test_found_in_a_refusal(self, world: World, serve: Serve):
        server = serve(Reply(404, b"come back later"))

        def explain(response: Response) -> str:
            raise SourceBusy("come back later", START + timedelta(minutes=9), "or never")

        with pytest.raises(SourceBusy) as busy:
            world.client().get(server.url, parse=lambda r: r, explain=explain)
        assert (busy.value.until, busy.value.hint) == (START + timedelta(minutes=9), "or never")
        assert world.budget.cooling == {"127.0.0.1": busy.value.until}
        assert world.budget.outcomes == [Outcome(is_busy=True)]

    @pytest.mark.parametrize(
        ("said", "after", "seconds"),
        [(30, "600", 600), (900, "600", 900), (10**9, "", 86_400), (5, "99999999", 86_400)],
    )
    def test_the_longer_of_both_counts_and_a_day_at_most(
        self, world: World, serve: Serve, said: int, after: str, seconds: int
    ):
        server = serve(Reply(403, headers={"Retry-After": after} if after else {}))

        def explain(response: Response) -> str:
            raise SourceBusy("wait", START + timedelta(seconds=said))

        with pytest.raises(SourceBusy) as busy:
            world.client().get(server.url, parse=lambda r: r, explain=explain)
        assert busy.value.until == START + timedelta(seconds=seconds)
        assert world.budget.cooling == {"127.0.0.1": busy.value.until}

    def test_a_moment_that_is_over_cools_nothing(self, world: World):
        client = world.client()
        assert client.cool("a.example", START - timedelta(seconds=1), "x") < START
        assert world.budget.cooling == {}

    def test_by_hand_for_everybody(self, world: World):
        remember("s3cret-reason", "${env:R}")
        client = world.client()
        client.cool("a.example", START + timedelta(hours=1), "s3cret-reason\n" + "x" * 900)
        # A moment without a zone is one of UTC.
        client.cool("b.example", datetime(2026, 11, 23, 10, 0), "y")
        assert world.budget.cooling == dict.fromkeys(("a.example", "b.example"), START + timedelta(hours=1))
        (_, _, reason) = world.budget.events[0]
        assert reason.startswith("${env:R}")
        assert len(reason) < 310

    def test_what_a_source_says_is_masked_cleaned_and_short(self, world: World, serve: Serve):
        remember("s3cret-said", "${env:S}")
        server = serve(Reply(400))
        with pytest.raises(SourceRefused) as refused:
            world.client().get(
                server.url, parse=lambda r: r, explain=lambda r: "s3cret-said\x1b[31m\n" + "long " * 900
            )
        assert "s3cret-said" not in refused.value.message
        assert "${env:S} [31m long" in refused.value.message
        assert len(refused.value.message) < 400

    def test_the_last_request_that_is_allowed(self, world: World, serve: Serve):
        headers = {
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(EPOCH + 60),
            "X-RateLimit-Limit": "10",
        }
        server = serve(Reply(body=b"here", headers=headers))
        answer = world.get(server.url)
        # Its answer counts; the next request has to wait.
        assert (answer.body, answer.spent_until) == (b"here", START + timedelta(seconds=61))
        assert world.budget.events[-2][:2] == ("cool", "127.0.0.1")
        with pytest.raises(HostWait):
            world.get(server.url)
        assert len(server.requests) == 1
        assert world.budget.outcomes == [Outcome(told=Allowance(0, 10, START + timedelta(seconds=61)))]

    def test_as_long_as_one_is_left_nothing_waits(self, world: World, serve: Serve):
        headers = {"RateLimit-Remaining": "1", "RateLimit-Reset": "60"}
        answer = world.get(serve(Reply(headers=headers)).url)
        assert (answer.spent_until, world.budget.cooling) == (None, {})

    @pytest.mark.parametrize("status", [403, 429])
    def test_a_limit_that_is_spent_waits_for_its_reset(self, world: World, serve: Serve, status: int):
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(EPOCH + 600)}
        with pytest.raises(SourceBusy) as busy:
            world.get(serve(Reply(status, headers=headers)).url)
        assert busy.value.until == START + timedelta(seconds=601)
        assert world.budget.cooling == {"127.0.0.1": busy.value.until}

    def test_a_short_one_is_waited_for_in_place(self, world: World, serve: Serve):
        headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": "8"}
        server = serve(in_turn(Reply(403, headers=headers), Reply(body=b"here")))
        assert world.get(server.url).body == b"here"
        assert world.clock.waits == [9]
        assert world.budget.outcomes[0].is_busy

    @pytest.mark.parametrize(("attempt", "seconds"), [(1, 60), (2, 120), (4, 480)])
    def test_a_limit_in_words_alone_waits_longer_each_time(
        self, world: World, serve: Serve, attempt: int, seconds: int
    ):
        server = serve(Reply(403, b'{"message": "You have exceeded a secondary rate limit."}'))
        with pytest.raises(SourceBusy) as busy:
            world.client(attempt).get(server.url, parse=lambda r: r)
        assert seconds <= (busy.value.until - START).total_seconds() <= seconds * 1.2


class TestAddresses:
    @pytest.mark.parametrize(
        "host",
        [
            "169.254.169.254",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "2852039166",
            "metadata.google.internal",
        ],
    )
    def test_metadata_is_not_asked_even_if_it_is_named(
        self, world: World, serve: Serve, host: str, monkeypatch: pytest.MonkeyPatch
    ):
        # Also not through a proxy that would do it.
        proxy = serve(Reply(body=b"credentials"))
        monkeypatch.setenv("http_proxy", proxy.url)
        world.named = frozenset({host.strip("[]")})
        with pytest.raises(SourceRefused, match=r"leads to where it may not: .* never asked") as refused:
            world.get(f"http://{host}/latest")
        assert (refused.value.hint, proxy.requests, world.budget.events) == ("", [], [])

    def test_a_redirect_there_names_what_was_asked(self, world: World, serve: Serve):
        target = "http://169.254.169.254/latest"
        server = serve(Reply(302, headers={"Location": target}))
        with pytest.raises(
            SourceRefused, match=rf"^{server.url}/x redirects: {target} leads to where it may"
        ):
            world.get(f"{server.url}/x")

    def test_a_private_address_that_nobody_named(self, world: World, serve: Serve):
        server = serve(Reply())
        world.named = frozenset()
        with pytest.raises(SourceRefused, match=rf"{server.url}/x leads to where it may not: 127") as refused:
            world.get(f"{server.url}/x")
        assert "write this address into the config" in refused.value.hint
        assert server.requests == []

    def test_a_name_that_leads_to_one(self, world: World, serve: Serve):
        server = serve(Reply())
        url = server.url.replace("127.0.0.1", "localhost")
        world.named = frozenset({"127.0.0.1"})
        with pytest.raises(SourceRefused, match=r"127\.0\.0\.1 is a private address"):
            world.get(url)
        assert server.requests == []
        # Not even a connection is kept that it could be asked by.
        world.named = frozenset({"localhost"})
        assert world.get(url).status == 200

    def test_before_tls_begins(self, world: World, serve: Serve):
        server = serve(Reply())
        world.named = frozenset({"127.0.0.1"})
        with pytest.raises(SourceRefused, match="private address"):
            world.get(server.url.replace("http://127.0.0.1", "https://localhost"))

    def test_a_redirect_names_nothing(self, world: World, serve: Serve):
        inside = serve(Reply(body=b"secret"))
        here = serve(Reply(302, headers={"Location": inside.url.replace("127.0.0.1", "localhost")}))
        world.named = frozenset({"127.0.0.1"})
        with pytest.raises(SourceRefused, match="private address"):
            world.get(here.url)
        assert inside.requests == []
        world.named = frozenset({"127.0.0.1", "localhost"})
        assert world.get(here.url).body == b"secret"

    def test_a_redirect_to_metadata(self, world: World, serve: Serve):
        here = serve(Reply(302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}))
        with pytest.raises(SourceRefused, match=r"169\.254\.169\.254/latest/meta-data/ leads .* never asked"):
            world.get(here.url)


class TestRedirects:
    @pytest.mark.parametrize(
        ("statuses", "moved"), [([301], True), ([308, 301], True), ([301, 302], False), ([], False)]
    )
    def test_where_a_page_has_moved(self, world: World, serve: Serve, statuses: list[int], moved: bool):
        def handler(asked: Asked) -> Reply:
            if asked.number > len(statuses):
                return Reply(body=b"here")
            return Reply(statuses[asked.number - 1], headers={"Location": f"/{asked.number}"})

        server = serve(handler)
        answer = world.get(server.url)
        assert answer.moved_to == (f"{server.url}/{len(statuses)}" if moved else None)

    def test_a_body_is_sent_again_within_a_place_only(self, world: World, serve: Serve):
        there = serve(Reply())
        here = serve(lambda a: Reply(307, headers={"Location": "/b" if a.path == "/" else f"{there.url}/c"}))
        with pytest.raises(SourceRefused, match="redirects what was sent to another place"):
            world.client().ask("POST", here.url, body=b"{}", parse=lambda r: r)
        assert [(asked.path, asked.body) for asked in here.requests] == [("/", b"{}"), ("/b", b"{}")]
        assert there.requests == []


class TestKeeping:
    def test_what_is_accepted(self, world: World, serve: Serve):
        server = serve(
            lambda a: (
                Reply(302, headers={"Location": "/b"})
                if a.path == "/"
                else Reply(body=gzip.compress(b"all"), headers={"Content-Encoding": "gzip", "ETag": '"1"'})
            )
        )
        world.get(f"{server.url}/")
        (one,) = world.kept
        assert (one.body, one.status, one.url) == (b"all", 200, f"{server.url}/b")
        # By the address that was asked for first, which a replay knows.
        assert one.key == request_key("GET", f"{server.url}/")
        assert one.headers == {"content-type": "text/plain", "etag": '"1"'}

    def test_lasting_refusals_where_somebody_explains_them(self, world: World, serve: Serve):
        server = serve(Reply(404, b"no such file"))
        for explain in (None, lambda r: "none"):
            with pytest.raises(SourceRefused):
                world.client().get(server.url, parse=lambda r: r, explain=explain)
        assert [(one.status, one.body) for one in world.kept] == [(404, b"no such file")]

    @pytest.mark.parametrize("reply", [Reply(500), Reply(429), Reply(304), Reply(reset=True)])
    def test_nothing_that_passes(self, world: World, serve: Serve, reply: Reply):
        server = serve(reply)
        with pytest.raises((BadAnswer, SourceBusy, Unreachable)):
            world.client().get(server.url, parse=lambda r: r, explain=lambda r: "x")
        assert world.kept == []


class TestCounting:
    @pytest.mark.parametrize(
        ("reply", "outcome"),
        [
            (Reply(), ANSWERED),
            (Reply(302, headers={"Location": "/b"}), ANSWERED),
            (Reply(404), Outcome(is_failed=True)),
            (Reply(500), Outcome(is_failed=True)),
            (Reply(reset=True), Outcome(is_failed=True)),
            (Reply(429), Outcome(is_busy=True)),
            (Reply(503, headers={"Retry-After": "5"}), Outcome(is_busy=True)),
            (Reply(304), Outcome(is_failed=True)),
        ],
    )
    def test_what_became_of_a_request(self, world: World, serve: Serve, reply: Reply, outcome: Outcome):
        server: Server = serve(in_turn(reply, Reply()))
        with suppress(BadAnswer, SourceBusy, SourceRefused):
            world.get(server.url)
        assert world.budget.outcomes[0] == outcome
