"""Whether there is a network: which failures make an outage, what ends it, and who may try meanwhile."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from stoma.scheduler.network import Network

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def out(began: float = 0) -> Network:
    """A network of which three hosts failed at once."""
    network = Network()
    told = [network.failed(host, at(began)) for host in ("a.org", "b.org", "c.org")]
    assert told == [False, False, True]
    return network


def test_three_hosts_are_an_outage_and_it_is_told_once() -> None:
    network = Network()
    assert (network.is_out, network.since, network.probe_at, network.hosts) == (False, None, None, ())
    assert not network.failed("a.org", at(0))
    assert not network.failed("b.org", at(60))
    assert not network.is_out
    assert network.failed("c.org", at(120))

    assert (network.is_out, network.since, network.probe_at) == (True, at(0), at(150))
    assert list(network.hosts) == ["a.org", "b.org", "c.org"]
    assert not network.failed("d.org", at(121))
    assert list(network.hosts) == ["a.org", "b.org", "c.org", "d.org"]
    assert network.since == at(0)


def test_one_host_may_fail_as_often_as_it_likes() -> None:
    network = Network()
    assert not any(network.failed("a.org", at(second)) for second in range(100))
    # These are one house, by the budgets; and case and a last dot make no other name.
    assert not any(
        network.failed(host, at(101))
        for host in ("export.arxiv.org", "rss.arxiv.org", "oaipmh.arxiv.org", "A.ORG.")
    )
    assert network.failed("c.org", at(102))


def test_failures_of_long_ago_do_not_count() -> None:
    network = Network()
    network.failed("a.org", at(0))
    network.failed("b.org", at(60))
    assert not network.failed("c.org", at(121))
    assert network.hosts == ("b.org", "c.org")
    # A second failure of the first host counts with its new time.
    assert network.failed("a.org", at(122))
    assert network.since == at(60)


def test_an_answer_between_them_makes_it_no_outage() -> None:
    network = Network()
    network.failed("a.org", at(0))
    network.failed("b.org", at(1))
    assert not network.answered("d.org", at(2))
    assert not network.failed("c.org", at(3))
    assert not network.failed("a.org", at(4))
    assert network.failed("b.org", at(5))


@pytest.mark.parametrize(
    "host",
    ["", "localhost", "LOCALHOST.", "x.localhost", "127.0.0.1", "::1", "[::1]", "10.1.2.3", "192.168.0.9",
     "169.254.1.1", "fd00::1", "postgres", "nas.local", "mirror.internal", "box.home.arpa"],
)  # fmt: skip
def test_hosts_nearby_say_nothing(host: str) -> None:
    network = Network()
    network.failed("a.org", at(0))
    network.failed("b.org", at(0))
    assert not network.failed(host, at(0))
    assert "a.org" in network.hosts
    assert len(network.hosts) == 2
    assert not network.answered(host, at(1))
    assert network.failed("c.org", at(1))
    # Nor do they end one.
    assert not network.answered(host, at(2))
    assert network.is_out


@pytest.mark.parametrize("host", ["8.8.8.8", "2606:4700::1111", "[2606:4700::1111]"])
def test_public_addresses_count_as_names_do(host: str) -> None:
    network = Network()
    network.failed("a.org", at(0))
    network.failed("b.org", at(0))
    assert network.failed(host, at(0))
    assert network.answered(host, at(1))


def test_the_first_answer_ends_it_and_it_is_told_once() -> None:
    network = out(-40)
    assert network.may_probe(at(-10))
    network.failed("a.org", at(-5))
    assert network.answered("z.org", at(10))
    assert not network.answered("z.org", at(11))
    assert (network.is_out, network.since, network.probe_at, network.hosts) == (False, None, None, ())
    assert network.may_probe(at(11))
    # The next one begins anew, with the first wait.
    for host in ("a.org", "b.org"):
        assert not network.failed(host, at(20))
    assert network.failed("c.org", at(20))
    assert (network.since, network.probe_at) == (at(20), at(50))
    assert network.may_probe(at(50))
    network.failed("a.org", at(55))
    assert network.probe_at == at(115)


def test_without_an_outage_everybody_may_ask() -> None:
    network = Network()
    network.failed("a.org", at(0))
    assert network.may_probe(at(0))
    assert network.may_probe(at(0))


def test_one_at_a_time_and_each_failure_makes_the_wait_longer() -> None:
    network, now, waits = out(), 0.0, []
    for _ in range(7):
        waits.append((network.probe_at - at(now)).total_seconds())
        assert not network.may_probe(network.probe_at - timedelta(seconds=1))
        now = (network.probe_at - START).total_seconds()
        assert network.may_probe(at(now))
        assert not network.may_probe(at(now + 1)), "a second one was let try"
        now += 10
        assert not network.failed("a.org", at(now))
    assert waits == [30, 60, 120, 240, 300, 300, 300]


def test_failures_of_runs_that_were_under_way_change_no_wait() -> None:
    network = out()
    network.failed("d.org", at(5))
    network.failed("e.org", at(29))
    assert network.probe_at == at(30)


def test_who_never_reports_counts_as_failed() -> None:
    network = out()
    assert network.may_probe(at(30))
    assert network.probe_at == at(630)
    assert not network.may_probe(at(629))
    assert not network.may_probe(at(631))
    assert network.probe_at == at(690)
    assert network.may_probe(at(690))


def test_nor_is_it_waited_for_when_nobody_asked_in_between() -> None:
    network = out()
    assert network.may_probe(at(30))
    assert network.may_probe(at(10_000))
    assert not network.may_probe(at(10_001))


def test_who_asked_nobody_leaves_the_place_to_the_next() -> None:
    network = out()
    network.withdrew(at(5))
    assert network.probe_at == at(30)
    assert network.may_probe(at(30))
    network.withdrew(at(31))
    assert network.may_probe(at(31))
    assert not network.may_probe(at(32))


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    day = 86_400.0
    network = Network()
    network.failed("a.org", at(day))
    network.failed("b.org", at(day))
    assert not network.failed("c.org", at(0))

    network = out(day)
    assert network.may_probe(at(0))
    assert not network.may_probe(at(1))
    network = out(day)
    assert network.may_probe(at(day + 30))
    assert network.may_probe(at(0))


def test_many_threads_get_one_probe_and_hear_once() -> None:
    network, told, granted, ended = Network(), [], [], []
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        told.append(network.failed(f"h{number}.org", at(0)))
        barrier.wait()
        granted.append(network.may_probe(at(30)))
        barrier.wait()
        ended.append(network.answered(f"h{number}.org", at(31)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (told.count(True), granted.count(True), ended.count(True)) == (1, 1, 1)
