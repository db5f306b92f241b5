"""The HTTP client against a server that misbehaves. Waits pass on a clock of the test's own; sockets are real."""

from __future__ import annotations

import errno
import gzip
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from stoma import __version__
from stoma.collectors.base import Deadline
from stoma.collectors.http import Response, user_agent
from stoma.errors import (
    BadAnswer,
    DeadlineExceeded,
    HostWait,
    SourceBusy,
    SourceRefused,
    Stopped,
    Unreachable,
)
from stoma.hosts import HostRule
from stoma.references import remember
from tests.support.budget import START, FakeClock
from tests.support.replay import bomb
from tests.support.server import Asked, Handler, Reply, Server
from tests.support.world import AGENT, Serve, World


def in_turn(*replies: Reply) -> Handler:
    """The replies one after the other; the last one again and again."""
    return lambda asked: replies[min(asked.number, len(replies)) - 1]


class TestAnswers:
    def test_a_whole_answer_arrives_with_its_parameters(self, world: World, serve: Serve):
        server = serve(Reply(body=b"hello", headers={"X-Odd": "1"}))
        answer = world.client().get(
            f"{server.url}/a", params={"q": "a b", "n": 2}, headers={"Accept": "text/x"}, parse=lambda r: r
        )

        assert (answer.status, answer.body, answer.headers["x-odd"]) == (200, b"hello", "1")
        assert (answer.url, answer.fetched_at) == (f"{server.url}/a?q=a+b&n=2", START)
        asked = server.requests[0]
        assert asked.query == {"q": "a b", "n": "2"}
        assert asked.headers["user-agent"] == AGENT
        assert asked.headers["accept"] == "text/x"

    def test_one_connection_serves_many_requests(self, world: World, serve: Serve):
        server = serve(lambda asked: Reply(body=b"x" * 200_000, chunked=asked.number % 2 == 0))
        client = world.client()
        for _ in range(6):
            assert len(client.get(server.url, parse=lambda r: r.body)) == 200_000
        assert server.connections == 1

    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("gzip", gzip.compress(b"hello" * 50_000)),
            ("x-gzip", gzip.compress(b"hello" * 25_000) + gzip.compress(b"hello" * 25_000)),
            ("gzip", gzip.compress(b"hello" * 50_000) + b"\0" * 10),
            ("deflate", zlib.compress(b"hello" * 50_000)),
            ("deflate", zlib.compress(b"hello" * 50_000)[2:-4]),
            ("identity", b"hello" * 50_000),
        ],
    )
    @pytest.mark.parametrize("chunked", [False, True])
    def test_encodings(self, world: World, serve: Serve, encoding: str, body: bytes, chunked: bool):
        server = serve(Reply(body=body, headers={"Content-Encoding": encoding}, chunked=chunked))
        assert world.get(server.url).body == b"hello" * 50_000

    def test_an_empty_body_is_no_broken_gzip(self, world: World, serve: Serve):
        server = serve(Reply(204, headers={"Content-Encoding": "gzip"}))
        assert world.get(server.url).body == b""

    def test_no_cookie_is_sent_back_and_no_netrc_is_read(
        self, world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ):
        netrc = Path.home() / ".netrc"
        netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
        netrc.chmod(0o600)
        server = serve(Reply(headers={"Set-Cookie": "id=1"}))
        client = world.client()
        client.get(server.url, parse=lambda r: r)
        client.get(server.url, parse=lambda r: r)
        assert not {"cookie", "authorization"} & set(server.requests[1].headers)
        netrc.unlink()

    def test_loopback_is_asked_past_the_proxy_and_others_through_it(
        self, world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ):
        proxy, server = serve(Reply(body=b"by proxy")), serve(Reply(body=b"direct"))
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert world.get(server.url).body == b"direct"
        assert world.get("http://nowhere.invalid/x").body == b"by proxy"


class TestUserAgent:
    @pytest.mark.parametrize(
        ("contact", "remark"),
        [
            (None, ""),
            ("", ""),
            ("ops@example.org", " (+ops@example.org)"),
            ("a\r\nX-Evil: 1 (b)", " (+aX-Evil: 1 b)"),
            ("Jörg <j@example.org>", " (+Jrg <j@example.org>)"),
        ],
    )
    def test_it_names_version_and_contact_in_plain_ascii(self, contact: str | None, remark: str):
        assert user_agent(contact) == f"Stoma/{__version__}{remark}"


class TestAskingAgain:
    @pytest.mark.parametrize(
        "trouble",
        [
            Reply(500),
            Reply(502, b"<html><body>Bad Gateway</body></html>"),
            Reply(408),
            Reply(reset=True),
            Reply(drop=True),
            Reply(body=b"x" * 1000, cut=300),
            Reply(body=b"x" * 3000, cut=700, chunked=True),
            Reply(body=b"x" * 1000, cut=300, reset=True),
            Reply(raw=b"this is not HTTP\r\n\r\n"),
            Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            Reply(raw=b""),
        ],
    )
    def test_a_passing_trouble_is_asked_through(self, world: World, serve: Serve, trouble: Reply):
        server = serve(in_turn(trouble, trouble, Reply(body=b"here")))
        assert world.get(server.url).body == b"here"
        assert len(server.requests) == 3
        assert world.clock.waits == [1, 4]  # short, and growing
        assert len(world.told) == 2
        assert server.url in world.told[0]

    def test_three_times_and_no_more(self, world: World, serve: Serve):
        server = serve(Reply(500, b"Oops\x1b[31m\r\nagain"))
        with pytest.raises(BadAnswer, match=r"500 Internal Server Error: Oops \[31m again \(asked 3 times\)"):
            world.get(f"{server.url}/x?y=1")
        assert len(server.requests) == 3

    def test_an_answer_that_its_reader_refuses_is_asked_for_again(self, world: World, serve: Serve):
        server = serve(in_turn(Reply(body=b"odd"), Reply(body=b"even")))

        def parse(response: Response) -> str:
            if response.body == b"odd":
                raise BadAnswer(f"{response.shown} is odd")
            return response.body.decode()

        assert world.client().get(server.url, parse=parse) == "even"

    def test_what_its_reader_calls_a_refusal_is_not(self, world: World, serve: Serve):
        server = serve(Reply(body=b"no"))

        def parse(response: Response) -> str:
            raise SourceRefused("it said no")

        with pytest.raises(SourceRefused, match="it said no"):
            world.client().get(server.url, parse=parse)
        assert len(server.requests) == 1

    def test_the_reader_works_after_the_connection_was_given_back(self, world: World, serve: Serve):
        server = serve(Reply())
        in_use = world.client().get(server.url, parse=lambda _: dict(world.budget.in_use))
        assert in_use == {}

    def test_no_pause_outlives_the_deadline(self, world: World, serve: Serve):
        world.deadline = Deadline(0.9, world.clock.monotonic)
        server = serve(Reply(500))
        with pytest.raises(BadAnswer, match="500"):
            world.get(server.url)
        assert len(server.requests) == 1


class TestNoAnswer:
    def test_refused(self, world: World, serve: Serve):
        server = serve(Reply())
        server.close()
        with pytest.raises(
            Unreachable, match=rf"{server.url}/x: the connection was refused \(asked 3 times\)"
        ):
            world.get(f"{server.url}/x")

    def test_a_name_that_does_not_exist(self, world: World):
        with pytest.raises(Unreachable, match=r"nowhere.invalid/: the name of the host cannot be resolved"):
            world.get("http://nowhere.invalid/")

    def test_reset(self, world: World, serve: Serve):
        server = serve(Reply(reset=True))
        with pytest.raises(Unreachable, match="the connection was reset"):
            world.get(server.url)

    def test_closed_without_a_word(self, world: World, serve: Serve):
        server = serve(Reply(drop=True))
        with pytest.raises(Unreachable, match="closed without an answer"):
            world.get(server.url)

    def test_silence(self, world: World, serve: Serve):
        server = serve(Reply(hang=True))
        with pytest.raises(Unreachable, match=r"no sign of life for 0\.1 s"):
            world.get(server.url, silence=0.1)
        assert len(server.requests) == 3

    def test_silence_in_the_middle_of_a_body(self, world: World, serve: Serve):
        server = serve(Reply(body=b"x" * 50, drip=5))
        with pytest.raises(Unreachable, match=r"no sign of life for 0\.1 s"):
            world.get(server.url, silence=0.1)

    @pytest.mark.parametrize("url", ["http://", "ftp://x/", "http://[::1/", "not an address", "http://a..b/"])
    def test_what_is_no_address_is_refused_at_once(self, world: World, url: str):
        with pytest.raises(SourceRefused):
            world.get(url)

    def test_a_header_that_is_none_is_refused_at_once(self, world: World, serve: Serve):
        server = serve(Reply())
        with pytest.raises(SourceRefused, match="malformed"):
            world.client().get(server.url, headers={"X-Token": "a\r\nb"}, parse=lambda r: r)
        assert server.requests == []


class TestCutOff:
    @pytest.mark.parametrize(
        "reply", [Reply(body=b"x" * 99, cut=33), Reply(body=b"x" * 9000, cut=1200, chunked=True)]
    )
    def test_a_short_body_is_an_error_and_no_short_success(self, world: World, serve: Serve, reply: Reply):
        server = serve(reply)
        with pytest.raises(BadAnswer, match="the answer was cut off"):
            world.get(server.url)

    def test_it_says_how_much_is_missing(self, world: World, serve: Serve):
        server = serve(Reply(body=b"x" * 99, cut=33))
        with pytest.raises(BadAnswer, match="after 33 bytes, 66 are missing"):
            world.get(server.url)

    def test_a_gzip_that_ends_early(self, world: World, serve: Serve):
        body = gzip.compress(b"hello" * 1000)[:-12]
        server = serve(Reply(body=body, headers={"Content-Encoding": "gzip"}))
        with pytest.raises(BadAnswer, match="is gzip that was cut off"):
            world.get(server.url)

    @pytest.mark.parametrize("body", [b"plain text", gzip.compress(b"x" * 500)[:15] + b"\xff" * 9])
    def test_a_gzip_that_is_none(self, world: World, serve: Serve, body: bytes):
        server = serve(Reply(body=body, headers={"Content-Encoding": "gzip"}))
        with pytest.raises(BadAnswer, match="gzip"):
            world.get(server.url)

    def test_an_encoding_that_was_not_asked_for(self, world: World, serve: Serve):
        server = serve(Reply(body=b"??", headers={"Content-Encoding": "br"}))
        with pytest.raises(BadAnswer, match="encoded as br, which was not asked for"):
            world.get(server.url)


class TestSize:
    @pytest.mark.parametrize("chunked", [False, True])
    def test_too_large(self, world: World, serve: Serve, chunked: bool):
        server = serve(Reply(body=b"x" * (3 << 20), chunked=chunked))
        with pytest.raises(SourceRefused, match="more than 2 MB"):
            world.get(server.url, body=2 << 20)
        assert len(server.requests) == 1

    def test_just_as_large_as_allowed(self, world: World, serve: Serve):
        server = serve(Reply(body=b"x" * (2 << 20)))
        assert len(world.get(server.url, body=2 << 20).body) == 2 << 20

    def test_a_gzip_bomb_takes_little_memory(self, world: World, serve: Serve):
        server = serve(Reply(body=bomb(), headers={"Content-Encoding": "gzip"}))
        tracemalloc.start()
        try:
            with pytest.raises(SourceRefused, match="more than 8 MB"):
                world.get(server.url, body=8 << 20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 12 << 20

    def test_crumbs_take_no_more_than_what_they_come_to(self, world: World, serve: Serve):
        body = b"2\r\nab\r\n" * 100_000 + b"0\r\n\r\n"
        server = serve(Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body))
        tracemalloc.start()
        try:
            assert len(world.get(server.url).body) == 200_000
            assert tracemalloc.get_traced_memory()[1] < 3 << 20
        finally:
            tracemalloc.stop()

    def test_the_limit_as_shipped_is_64_mb(self, world: World, serve: Serve):
        server = serve(Reply(body=bomb(), headers={"Content-Encoding": "gzip"}))
        with pytest.raises(SourceRefused, match="more than 64 MB"):
            world.get(server.url)


class TestRefusals:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422, 451])
    def test_a_lasting_refusal_is_asked_once(self, world: World, serve: Serve, status: int):
        server = serve(Reply(status, b"<html><style>b{}</style><b>No</b> such\nthing\x07 &amp; more</html>"))
        with pytest.raises(SourceRefused, match=rf"{server.url}/x answers {status} .*: No such thing"):
            world.get(f"{server.url}/x")
        assert len(server.requests) == 1

    def test_the_reason_may_be_read_by_who_knows_the_source(self, world: World, serve: Serve):
        server = serve(Reply(422, b'{"reason": "too deep"}'))
        with pytest.raises(SourceRefused, match=r"422 Unprocessable .*: too deep"):
            world.client().get(server.url, parse=lambda r: r, explain=lambda r: r.body.decode().split('"')[3])

    def test_a_reason_that_cannot_be_read_leaves_the_first_words(self, world: World, serve: Serve):
        server = serve(Reply(400, b"plain"))
        with pytest.raises(SourceRefused, match="400 Bad Request: plain"):
            world.client().get(server.url, parse=lambda r: r, explain=lambda r: str(1 / 0))

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(404, b"x" * 10_000_000),
            Reply(404, bomb(), {"Content-Encoding": "gzip"}),
            Reply(404, b"gone", {"Content-Length": "900"}, cut=4),
            Reply(404, b"not gzip", {"Content-Encoding": "gzip"}),
        ],
        ids=["large", "bomb", "cut", "mislabelled"],
    )
    def test_a_refusal_with_a_strange_body_is_a_refusal_all_the_same(
        self, world: World, serve: Serve, reply: Reply
    ):
        server = serve(reply)
        with pytest.raises(SourceRefused, match="404 Not Found"):
            world.get(server.url)

    def test_secrets_are_masked_in_address_and_body(self, world: World, serve: Serve):
        remember("s3cr et/key", "${env:API_KEY}")
        server = serve(Reply(403, b"the key s3cr et/key is not good"))
        with pytest.raises(SourceRefused) as refused:
            world.client().get(f"{server.url}/", params={"key": "s3cr et/key"}, parse=lambda r: r)
        assert "s3cr" not in refused.value.message
        assert refused.value.message.count("${env:API_KEY}") == 2

    def test_a_password_in_the_address_is_used_and_not_shown(self, world: World, serve: Serve):
        server = serve(Reply(401))
        with pytest.raises(SourceRefused) as refused:
            world.get(server.url.replace("://", "://me:hush@"))
        assert server.requests[0].headers["authorization"].startswith("Basic ")
        assert "hush" not in str(refused.value)
        assert refused.value.__cause__ is None


class TestPatience:
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_short_wait_is_waited_in_place_as_one_of_the_asks(
        self, world: World, serve: Serve, status: int
    ):
        server = serve(in_turn(Reply(status, headers={"Retry-After": "17"}), Reply(body=b"here")))
        assert world.get(server.url).body == b"here"
        assert world.clock.waits == [17]
        # Whoever else asks this host waits as long.
        assert world.budget.cooling == {"127.0.0.1": START + timedelta(seconds=17)}
        assert world.get(server.url).status == 200

    def test_nobody_asks_during_that_wait(self, world: World, serve: Serve):
        server = serve(in_turn(Reply(429, headers={"Retry-After": "5"}), Reply()))
        taken = []

        class Looking(FakeClock):
            def wait(self, stopping: threading.Event, seconds: float) -> bool:
                taken.append((len(world.budget.in_use), world.budget.cooling["127.0.0.1"]))
                return super().wait(stopping, seconds)

        world.clock = world.budget.clock = Looking()
        world.get(server.url)
        assert taken == [(1, START + timedelta(seconds=5))]

    def test_a_date_counts_from_the_clock_of_the_source(self, world: World, serve: Serve):
        there = START + timedelta(days=3)  # its clock is wrong
        server = serve(
            in_turn(
                Reply(
                    503,
                    headers={
                        "Date": format_datetime(there, usegmt=True),
                        "Retry-After": format_datetime(there + timedelta(seconds=20), usegmt=True),
                    },
                ),
                Reply(),
            )
        )
        world.get(server.url)
        assert world.clock.waits == [20]

    def test_a_date_in_the_past_is_no_wait_but_the_usual_pause(self, world: World, serve: Serve):
        past = format_datetime(START - timedelta(hours=1), usegmt=True)
        server = serve(in_turn(Reply(503, headers={"Retry-After": past}), Reply()))
        world.get(server.url)
        assert world.clock.waits == [1]

    def test_the_third_time_cools_the_host(self, world: World, serve: Serve):
        server = serve(Reply(429, b"Rate exceeded.", headers={"Retry-After": "10"}))
        with pytest.raises(SourceBusy, match=r"429 Too Many Requests: Rate exceeded\.") as busy:
            world.get(server.url)
        assert len(server.requests) == 3
        assert busy.value.until == START + timedelta(seconds=30)
        assert world.budget.cooling == {"127.0.0.1": busy.value.until}

    def test_a_long_wait_cools_the_host_for_everybody(self, world: World, serve: Serve):
        server = serve(Reply(503, headers={"Retry-After": "31"}))
        with pytest.raises(SourceBusy) as busy:
            world.get(server.url)
        assert len(server.requests) == 1
        assert busy.value.until == START + timedelta(seconds=31)
        assert world.clock.waits == []
        with pytest.raises(HostWait):
            world.get(server.url)

    def test_a_long_date_too(self, world: World, serve: Serve):
        date = format_datetime(START + timedelta(minutes=5), usegmt=True)
        server = serve(Reply(429, headers={"Retry-After": date}))
        with pytest.raises(SourceBusy) as busy:
            world.get(server.url)
        assert busy.value.until == START + timedelta(minutes=5)

    @pytest.mark.parametrize("value", [None, "soon", "-5", ""])
    @pytest.mark.parametrize(("attempt", "seconds"), [(1, 60), (2, 120), (4, 480)])
    def test_without_a_number_the_cool_down_grows_with_the_tries(
        self, world: World, serve: Serve, value: str | None, attempt: int, seconds: int
    ):
        server = serve(Reply(429, headers={} if value is None else {"Retry-After": value}))
        with pytest.raises(SourceBusy) as busy:
            world.client(attempt).get(server.url, parse=lambda r: r)
        assert seconds <= (busy.value.until - START).total_seconds() <= seconds * 1.2

    def test_a_year_is_a_day(self, world: World, serve: Serve):
        server = serve(Reply(429, headers={"Retry-After": "999999999999"}))
        with pytest.raises(SourceBusy) as busy:
            world.get(server.url)
        assert busy.value.until == START + timedelta(days=1)

    def test_a_short_wait_beyond_the_deadline_ends_the_try(self, world: World, serve: Serve):
        world.deadline = Deadline(8, world.clock.monotonic)
        server = serve(Reply(429, headers={"Retry-After": "9"}))
        with pytest.raises(SourceBusy) as busy:
            world.get(server.url)
        assert busy.value.until == START + timedelta(seconds=9)


class TestBudget:
    def test_arxiv_is_asked_every_three_seconds_over_all_its_names(self, world: World, serve: Serve):
        # Given the rules of DESIGN.md, and a proxy that plays the world
        proxy = serve(Reply(body=b"here"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("http_proxy", proxy.url)
            client = world.client()
            for host in ("export.arxiv.org", "oaipmh.arxiv.org", "rss.arxiv.org", "export.arxiv.org"):
                client.get(f"http://{host}/", parse=lambda r: r)
        # I expect a gap before each but the first.
        assert world.clock.waits == [3, 3, 3]

    def test_each_ask_takes_its_turn(self, world: World, serve: Serve):
        world.budget.rules = {"127.0.0.1": HostRule(timedelta(seconds=2), 1)}
        server = serve(in_turn(Reply(500), Reply(500), Reply()))
        world.get(server.url)
        # A pause of 1 s and one more until the turn; a pause of 4 s covers the gap.
        assert world.clock.waits == [1, 1, 4]
        assert [event[0] for event in world.budget.events] == ["enter", "leave"] * 3

    def test_the_connection_counts_only_as_long_as_a_request_can_last(self, world: World, serve: Serve):
        server = serve(Reply())
        world.get(server.url)
        world.deadline = Deadline(5, world.clock.monotonic)
        world.get(server.url)
        assert world.budget.holds == [timedelta(seconds=181), timedelta(seconds=6)]

    def test_a_spent_budget_makes_no_request(self, world: World, serve: Serve):
        world.budget.rules = {"127.0.0.1": HostRule(timedelta(seconds=31), 1)}
        server = serve(Reply())
        world.get(server.url)
        with pytest.raises(HostWait):
            world.get(server.url)
        assert len(server.requests) == 1

    def test_a_turn_beyond_the_deadline_is_not_waited_for(self, world: World, serve: Serve):
        world.budget.rules = {"127.0.0.1": HostRule(timedelta(seconds=20), 1)}
        world.deadline = Deadline(10, world.clock.monotonic)
        server = serve(Reply())
        world.get(server.url)
        with pytest.raises(DeadlineExceeded):
            world.get(server.url)
        assert world.clock.waits == []


class TestMidway:
    """Behind a request that comes to nothing without the next one."""

    def test_each_ask_waits_for_its_turn(self, world: World, serve: Serve):
        world.budget.rules = {"127.0.0.1": HostRule(timedelta(minutes=4), 1)}
        server = serve(in_turn(Reply(500), Reply(reset=True), Reply(body=b"here")))
        assert world.get(server.url).body == b"here"
        # Two pauses, and what is left of two gaps.
        assert world.clock.waits == [1, 239, 4, 236]

    def test_so_does_each_hop_and_without_a_connection(self, world: World, serve: Serve):
        world.budget.rules = {"127.0.0.1": HostRule(timedelta(seconds=60), 1)}
        taken = []

        class Looking(FakeClock):
            def wait(self, stopping: threading.Event, seconds: float) -> bool:
                taken.append(len(world.budget.in_use))
                return super().wait(stopping, seconds)

        world.clock = world.budget.clock = Looking()
        server = serve(
            lambda a: Reply(body=b"here") if a.path == "/b" else Reply(301, headers={"Location": "/b"})
        )
        assert world.get(f"{server.url}/a").body == b"here"
        assert (world.clock.waits, taken) == ([60], [0])

    def test_what_is_committed_waits_no_longer(self, world: World, serve: Serve):
        world.budget.rules = {"127.0.0.1": HostRule(timedelta(seconds=60), 1)}
        server, client = serve(Reply()), world.client()
        for _ in range(2):
            client.get(server.url, parse=lambda r: r)
        assert world.clock.waits == [60]
        client.committed()
        with pytest.raises(HostWait):
            client.get(server.url, parse=lambda r: r)
        assert (len(server.requests), client.has_asked) == (2, True)

    @pytest.mark.parametrize(("seconds", "waits"), [(100, [100]), (200, [])])
    def test_a_cool_down_is_waited_for_if_it_is_short(
        self, world: World, serve: Serve, seconds: int, waits: list[float]
    ):
        server, client = serve(Reply()), world.client()
        client.get(server.url, parse=lambda r: r)
        world.budget.cooling = {"127.0.0.1": START + timedelta(seconds=seconds)}
        with ExitStack() as stack:
            if not waits:
                stack.enter_context(pytest.raises(HostWait))
            client.get(server.url, parse=lambda r: r)
        assert world.clock.waits == waits

    def test_a_turn_beyond_the_deadline_leaves_the_error_behind_it(self, world: World, serve: Serve):
        world.budget.rules = {"127.0.0.1": HostRule(timedelta(seconds=60), 1)}
        world.deadline = Deadline(40, world.clock.monotonic)
        server = serve(Reply(500))
        with pytest.raises(BadAnswer, match=r"answers 500 .* \(host busy: 127\.0\.0\.1 may be asked") as bad:
            world.get(server.url)
        assert (bad.value.until, len(server.requests)) == (START + timedelta(seconds=60), 1)

    def test_nothing_was_asked_so_nothing_is_waited_for(self, world: World, serve: Serve):
        world.budget.rules = {"127.0.0.1": HostRule(timedelta(seconds=60), 1)}
        server = serve(Reply())
        world.get(server.url)
        client = world.client()
        with pytest.raises(HostWait):
            client.get(server.url, parse=lambda r: r)
        assert (world.clock.waits, client.has_asked) == ([], False)


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_followed_within_the_host_with_everything(self, world: World, serve: Serve, status: int):
        server = serve(in_turn(Reply(status, headers={"Location": "/b?x=%C3%B8#part"}), Reply(body=b"here")))
        answer = world.client().get(f"{server.url}/a", headers={"X-Key": "k"}, parse=lambda r: r)
        assert (answer.body, answer.url) == (b"here", f"{server.url}/b?x=%C3%B8")
        assert server.requests[1].headers["x-key"] == "k"
        assert len(world.budget.events) == 4

    def test_each_hop_is_budgeted_as_its_host_and_no_credential_goes_along(self, world: World, serve: Serve):
        there = serve(Reply(body=b"here"))
        target = there.url.replace("127.0.0.1", "a:b@localhost")
        here = serve(Reply(302, headers={"Location": f"{target}/x"}))
        answer = world.client().get(
            here.url.replace("://", "://me:hush@"),
            headers={"Authorization": "Bearer t", "X-Api-Key": "k", "Cookie": "c=1", "Accept": "text/x"},
            parse=lambda r: r,
        )
        assert answer.body == b"here"
        hosts = [event[1] for event in world.budget.events if event[0] == "enter"]
        assert hosts == ["127.0.0.1", "localhost"]
        headers = there.requests[0].headers
        assert not {"authorization", "x-api-key", "cookie"} & set(headers)
        assert (headers["accept"], headers["user-agent"]) == ("text/x", AGENT)

    def test_another_port_is_another_house(self, world: World, serve: Serve):
        there = serve(Reply())
        here = serve(Reply(302, headers={"Location": there.url}))
        world.client().get(here.url, headers={"X-Api-Key": "k"}, parse=lambda r: r)
        assert "x-api-key" not in there.requests[0].headers

    def test_the_password_of_an_address_stays_at_its_origin(self, world: World, serve: Serve):
        there = serve(Reply())
        goals = {"/a": "/b", "/b": "//other:name@HOST/c", "/c": f"{there.url}/d"}
        here = serve(
            lambda a: Reply(302, headers={"Location": goals[a.path].replace("HOST", a.headers["host"])})
        )
        world.get(here.url.replace("//", "//u:pw@") + "/a")
        assert [one.headers.get("authorization") for one in here.requests] == ["Basic dTpwdw=="] * 3
        assert "authorization" not in there.requests[0].headers

    def test_five_and_no_more(self, world: World, serve: Serve):
        server = serve(lambda asked: Reply(302, headers={"Location": f"/{asked.number}"}))
        with pytest.raises(SourceRefused, match="redirects more than 5 times"):
            world.get(server.url)
        assert len(server.requests) == 6

    def test_five_are_followed(self, world: World, serve: Serve):
        server = serve(
            lambda a: Reply(302, headers={"Location": "/"}) if a.number < 6 else Reply(body=b"here")
        )
        assert world.get(server.url).body == b"here"

    @pytest.mark.parametrize("location", ["ftp://x/", "file:///etc/passwd", "javascript:alert(1)"])
    def test_other_schemes_are_not_followed(self, world: World, serve: Serve, location: str):
        server = serve(Reply(302, headers={"Location": location}))
        with pytest.raises((SourceRefused, BadAnswer)):
            world.get(server.url)

    @pytest.mark.parametrize("headers", [{}, {"Location": ""}, {"Location": "http://[bad/"}])
    def test_to_nowhere(self, world: World, serve: Serve, headers: dict[str, str]):
        server = serve(Reply(302, headers=headers))
        with pytest.raises(BadAnswer, match="redirects to nowhere"):
            world.get(server.url)

    def test_a_redirect_may_carry_a_bomb(self, world: World, serve: Serve):
        headers = {"Location": "/b", "Content-Encoding": "gzip"}
        server = serve(in_turn(Reply(302, bomb(), headers), Reply(body=b"here")))
        assert world.get(server.url).body == b"here"

    def test_utf8_in_a_location(self, world: World, serve: Serve):
        server = serve(in_turn(Reply(302, headers={"Location": "/ø"}), Reply(body=b"here")))
        assert world.get(server.url).url == f"{server.url}/%C3%B8"

    def test_a_public_source_leads_to_no_private_address(
        self, world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ):
        # Given a public source (behind a proxy, for a test has no other way to one) that points into this machine
        inside = serve(Reply(body=b"secret"))
        proxy = serve(Reply(302, headers={"Location": inside.url}))
        monkeypatch.setenv("http_proxy", proxy.url)
        world.named = frozenset({"public.invalid"})
        with pytest.raises(SourceRefused, match=r"127\.0\.0\.1 is a private address") as refused:
            world.get("http://public.invalid/")
        assert inside.url in refused.value.message
        assert "write this address into the config" in refused.value.hint
        assert inside.requests == []


class TestTime:
    """The few tests that let real time pass, in tenths of a second: a watch cannot be tested on a still clock."""

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(body=b"x" * 1000, drip=0.05),
            Reply(body=b"x" * 5000, drip=0.05, chunked=True),
            Reply(body=b"x" * 1000, drip_head=0.05),
            Reply(404, body=b"x" * 1000, drip=0.05),
            Reply(body=b"x" * 1000, drip=0.05, headers={"Connection": "close"}),
            Reply(hang=True),
        ],
        ids=["body", "chunks", "head", "refusal", "closing", "hang"],
    )
    def test_no_drip_outlives_the_deadline(self, world: World, serve: Serve, reply: Reply):
        server = serve(reply)
        world.deadline = Deadline(0.4)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="the time of the run was up"):
            world.get(server.url)
        assert time.monotonic() - began < 2

    @pytest.mark.parametrize("is_proxied", [True, False])
    def test_nor_does_a_connection_that_is_never_made(
        self, world: World, serve: Serve, is_proxied: bool, monkeypatch: pytest.MonkeyPatch
    ):
        # A proxy that drips the headers of its answer to CONNECT; a server that drips its part of the handshake.
        def drip() -> None:
            sock = listener.accept()[0]
            first, then = (
                (b"HTTP/1.1 200 ok\r\n", b"x: y\r\n") if is_proxied else (b"\x16\x03\x03\x3f\xff", b"\x02")
            )
            with sock, suppress(OSError):
                sock.recv(5_000)
                sock.sendall(first)
                while not over.wait(0.05):
                    sock.sendall(then)

        over = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(5)
            port = listener.getsockname()[1]
            thread = threading.Thread(target=drip, daemon=True)
            thread.start()
            if is_proxied:
                monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            world.deadline = Deadline(0.4)
            began = time.monotonic()
            try:
                with pytest.raises(DeadlineExceeded, match="the time of the run was up"):
                    world.get("https://source.example/" if is_proxied else f"https://127.0.0.1:{port}/")
                assert time.monotonic() - began < 2
            finally:
                over.set()
                thread.join(5)

    def test_one_request_has_its_limit_too(self, world: World, serve: Serve):
        server = serve(Reply(body=b"x" * 1000, drip=0.05))
        with pytest.raises(Unreachable, match=r"took more than 0\.3 s for one answer"):
            world.get(server.url, request=0.3, asks=1)

    def test_after_a_request_that_was_cut_the_next_one_is_whole(self, world: World, serve: Serve):
        server = serve(in_turn(Reply(body=b"x" * 1000, drip=0.05), Reply(body=b"here")))
        assert world.get(server.url, request=0.3).body == b"here"

    def test_a_stop_cuts_what_hangs_after_a_moment_of_grace(self, world: World, serve: Serve):
        server = serve(Reply(hang=True))
        threading.Timer(0.1, world.stopping.set).start()
        began = time.monotonic()
        with pytest.raises(Stopped):
            world.get(server.url, grace=0.2)
        assert time.monotonic() - began < 3

    def test_a_stop_lets_a_quick_answer_arrive(self, world: World, serve: Serve):
        def handler(asked: Asked) -> Reply:
            world.stopping.set()
            return Reply(body=b"here", delay=0.1)

        assert world.get(serve(handler).url).body == b"here"

    def test_a_stop_ends_every_wait(self, world: World, serve: Serve):
        def handler(asked: Asked) -> Reply:
            world.stopping.set()
            return Reply(500)

        server = serve(handler)
        with pytest.raises(Stopped):
            world.get(server.url)
        assert len(server.requests) == 1

    def test_after_a_stop_nothing_is_asked(self, world: World, serve: Serve):
        server = serve(Reply())
        world.stopping.set()
        with pytest.raises(Stopped):
            world.get(server.url)
        assert (server.requests, world.budget.events) == ([], [])

    def test_after_the_deadline_nothing_is_asked(self, world: World, serve: Serve):
        server = serve(Reply())
        world.deadline = Deadline(0, world.clock.monotonic)
        with pytest.raises(DeadlineExceeded):
            world.get(server.url)
        assert (server.requests, world.budget.events) == ([], [])


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody vouches for, with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key", "-out", "cert"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_text((folder / "key").read_text() + (folder / "cert").read_text())
    return both


class TestTls:
    @pytest.fixture
    def secure(self, certificate: Path) -> Iterator[Server]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with Server(lambda _: Reply(body=b"x" * 100_000), tls=context) as server:
            yield server

    def test_a_certificate_that_nobody_vouches_for(
        self, world: World, secure: Server, monkeypatch: pytest.MonkeyPatch
    ):
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(Unreachable, match="its certificate cannot be verified"):
            world.get(secure.url)
        assert secure.requests == []

    def test_a_bundle_that_the_environment_names(
        self, world: World, secure: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert len(world.get(secure.url).body) == 100_000

    def test_a_deadline_cuts_a_secure_connection_too(
        self, world: World, secure: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        secure.handler = lambda _: Reply(body=b"x" * 1000, drip=0.05)
        world.deadline = Deadline(0.5)
        with pytest.raises(DeadlineExceeded):
            world.get(secure.url)

    def test_plain_speech_to_a_secure_port_is_told(self, world: World, serve: Serve):
        server = serve(Reply())
        with pytest.raises(Unreachable, match="TLS"):
            world.get(server.url.replace("http:", "https:"))


class TestNeverConnected:
    """Only where not even a connection could be made does the error name the host: that may mean no network."""

    def test_refused(self, world: World, serve: Serve):
        server = serve(Reply())
        server.close()
        with pytest.raises(Unreachable, match=r"\(asked 3 times\)") as raised:
            world.get(server.url)
        assert raised.value.host == "127.0.0.1"

    def test_a_name_that_does_not_exist(self, world: World):
        with pytest.raises(Unreachable) as raised:
            world.get("http://Nowhere.invalid:8080/x")
        assert raised.value.host == "nowhere.invalid"

    def test_no_reply_to_the_wish_for_a_connection(self, world: World):
        # Given a listener whose queue is full: further connections hang.
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as held:
            for _ in range(4):
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            with pytest.raises(Unreachable, match=r"no connection within 0\.2 s") as raised:
                world.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", connect=0.2)
        assert raised.value.host == "127.0.0.1"

    def test_no_route(self, world: World, monkeypatch: pytest.MonkeyPatch):
        def connect(*_: object) -> None:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

        monkeypatch.setattr(socket.socket, "connect", connect)
        with pytest.raises(
            Unreachable, match=r"no connection could be made \(Network is unreachable\)"
        ) as raised:
            world.get("http://127.0.0.1:9/")
        assert raised.value.host == "127.0.0.1"

    def test_the_host_is_the_one_that_a_redirect_led_to(self, world: World, serve: Serve):
        server = serve(Reply(302, headers={"Location": "http://elsewhere.invalid/"}))
        with pytest.raises(Unreachable) as raised:
            world.get(server.url)
        assert raised.value.host == "elsewhere.invalid"

    def test_a_proxy_that_is_gone_is_no_connection_either(
        self, world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ):
        gone = serve(Reply())
        gone.close()
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, gone.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for url in ("http://nowhere.invalid/", "https://nowhere.invalid/"):
            with pytest.raises(Unreachable) as raised:
                world.get(url)
            assert raised.value.host == "nowhere.invalid"

    def test_a_proxy_that_refuses_was_reached(
        self, world: World, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("https_proxy", serve(Reply(403)).url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(Unreachable, match="the proxy does not let the request through") as raised:
            world.get("https://nowhere.invalid/")
        assert raised.value.host == ""

    @pytest.mark.parametrize(
        "reply", [Reply(reset=True), Reply(drop=True), Reply(hang=True), Reply(body=b"x" * 9, drip=5)]
    )
    def test_who_was_reached_is_not_named(self, world: World, serve: Serve, reply: Reply):
        server = serve(reply)
        with pytest.raises(Unreachable) as raised:
            world.get(server.url, silence=0.1)
        assert raised.value.host == ""

    def test_nor_who_speaks_no_tls(self, world: World, serve: Serve):
        server = serve(Reply())
        with pytest.raises(Unreachable, match="TLS") as raised:
            world.get(server.url.replace("http:", "https:"))
        assert raised.value.host == ""

    def test_nor_who_is_silent_before_tls(self, world: World):
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            pytest.raises(Unreachable, match="no sign of life") as raised,
        ):
            world.get(f"https://127.0.0.1:{listener.getsockname()[1]}/", connect=0.2, silence=0.2)
        assert raised.value.host == ""
