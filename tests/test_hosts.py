"""Which rule a host falls under."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stoma.hosts import (
    FREE,
    HostRule,
    budget_name,
    hosts_named,
    is_loopback,
    plain_host,
    rule_for,
    rule_origin,
)


@pytest.mark.parametrize(
    ("host", "gap", "concurrency"),
    [
        ("export.arxiv.org", 3, 1),
        ("OAIPMH.arxiv.org.", 3, 1),
        ("rss.arxiv.org", 3, 1),
        ("data.sec.gov", 0.125, None),
        ("api.github.com", 1, 2),
        ("127.0.0.1", 0, None),
        ("10.1.2.3", 0, None),
        ("192.168.0.9", 0, None),
        ("::1", 0, None),
        ("localhost", 0, None),
        ("8.8.8.8", 1, 2),
    ],
)
def test_built_in_rules(host: str, gap: float, concurrency: int | None) -> None:
    assert rule_for(host, {}) == HostRule(timedelta(seconds=gap), concurrency)


def test_the_configuration_stands_before_what_is_built_in() -> None:
    mine = HostRule(timedelta(seconds=9), 5)
    assert rule_for("rss.arxiv.org", {"export.arxiv.org": mine}) == mine
    assert rule_for("127.0.0.1", {"127.0.0.1": mine}) == mine
    assert rule_for("example.org", {"*": mine}) == mine
    assert rule_for("127.0.0.1", {"*": mine}) == FREE
    # "*" is for hosts nobody has a rule for; arXiv has one.
    assert rule_for("export.arxiv.org", {"*": FREE}) != FREE


def test_hosts_counted_together_have_one_name() -> None:
    assert {budget_name(h) for h in ("export.arxiv.org", "rss.arxiv.org")} == {"export.arxiv.org"}


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.org", False), ("", False),
    ],
)  # fmt: skip
def test_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_where_a_rule_comes_from() -> None:
    mine = HostRule(timedelta(seconds=9), 5)
    assert rule_origin("rss.arxiv.org", {}) == "built-in"
    assert rule_origin("example.org", {}) == "built-in"
    assert rule_origin("rss.arxiv.org", {"export.arxiv.org": mine}) == "stoma.yaml"
    # "*" changes what nobody has a rule for.
    assert rule_origin("example.org", {"*": mine}) == "stoma.yaml"
    assert rule_origin("export.arxiv.org", {"*": mine}) == "built-in"
    assert rule_origin("10.0.0.1", {"*": mine}) == "private"
    assert rule_origin("10.0.0.1", {"10.0.0.1": mine}) == "stoma.yaml"


def test_hosts_that_a_config_names() -> None:
    config = {
        "url": "https://API.Example.org.:8443/items?next=http://other.example/",
        "nested": {"list": ["http://10.0.0.5/x", ("HTTP://[fd00::1]:80/",), " http://münchen.example/ "]},
        "no_address": [
            "see http://hidden.example/",
            "ftp://files.example/",
            "10.0.0.9",
            "http://",
            "http://[bad/",
        ],
        "numbers": [1, None, True],
        "http://key.example/": "x",
    }
    assert hosts_named(config) == {"api.example.org", "10.0.0.5", "fd00::1", "xn--mnchen-3ya.example"}
    assert hosts_named({}) == frozenset()


@pytest.mark.parametrize(
    ("host", "plain"), [("A.b.", "a.b"), ("[::1]", "::1"), ("１.２", "1.2"), ("ü" * 80, "ü" * 80)]
)
def test_one_spelling_for_each_host(host: str, plain: str) -> None:
    assert plain_host(host) == plain
