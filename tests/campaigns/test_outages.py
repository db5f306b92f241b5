"""The short form of the campaign of outages, and what its proxy reads."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, cast

import pytest

from stoma.stores import open_store
from tests.campaigns.outages import STOPPED, campaign
from tests.campaigns.proxy import Copied


@pytest.mark.timeout(120)
def test_a_server_that_stops_and_a_copy_that_is_cut_lose_nothing(tmp_path: Path) -> None:
    report = campaign(tmp_path, rounds=2, seed=5, kinds=(STOPPED, "cut"))
    assert report.records > 0
    assert {kind: len(waited) for kind, waited in report.waited.items()} == {
        "beginning": 1,
        STOPPED: 1,
        "cut": 1,
    }


def test_who_falls_silent_is_given_up_on_both_sides(postgres_url: str, tmp_path: Path) -> None:
    # Seen with the link of a process taken away in the middle of a COPY: it was told after 36 s, and the server let
    # go of its locks after 41 s. Without these settings neither had happened after two minutes.
    with (
        open_store(postgres_url, tmp_path) as store,
        cast("Any", store.database)._pool.connection() as connection,
    ):
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        told = [next(iter(connection.execute(f"show {name}").fetchone().values())) for name in names]
        mine = connection.info.get_parameters()
    assert told == ["30", "10", "3", "30000"]
    given = ("keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
    assert [mine[name] for name in given] == ["30", "10", "3", "30000"]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_the_proxy_counts_what_is_copied_however_it_arrives(size: int) -> None:
    encryption = struct.pack("!ii", 8, 80877103)
    start = struct.pack("!ii", 12, 3 << 16) + b"a\0b\0"
    query, copied, done = (
        letter + struct.pack("!i", 4 + n) + b"x" * n for letter, n in ((b"Q", 20), (b"d", 30), (b"c", 0))
    )
    stream = encryption + start + query + copied + copied + done + query
    follower = Copied()
    for at in range(0, len(stream), size):
        follower.feed(stream[at : at + size])
    assert follower.count == 60
