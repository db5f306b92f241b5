"""A 403 of EDGAR's has three meanings, and only its body tells which."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from stoma.collectors.edgar_refusals import ask
from stoma.errors import BadAnswer, SourceBusy, SourceRefused
from tests.support.server import Reply

RATE = (
    b"<!DOCTYPE html><html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head><body>"
    b"<p>Your access to SEC.gov will be limited for %d minutes.</p></body></html>"
)


def body_of(response):
    return response.body


def test_a_file_that_is_not_there(world, serve, recorded: Path):
    for name, status in (("index_403_missing_future_quarter", 403), ("submissions_404_unknown_cik", 404)):
        server = serve(Reply(status, (recorded / f"sec_edgar/{name}.xml").read_bytes()))
        assert ask(world.client(), server.url, body_of) is None
        assert len(server.requests) == 1
    assert not world.budget.cooling


@pytest.mark.parametrize("status", [403, 429, 503])
def test_the_page_for_undeclared_tools_stops_the_host(world, serve, recorded: Path, status: int):
    page = (recorded / "sec_edgar/block_403_undeclared_automated_tool.html").read_bytes()
    server = serve(Reply(status, page, {"Content-Type": "text/html"}))
    with pytest.raises(SourceBusy, match=r"undeclared tool; identity\.contact should be a name") as busy:
        ask(world.client(), server.url, body_of)
    assert busy.value.until == world.clock.now() + timedelta(minutes=10)
    # Everybody who asks this host waits, not only this run.
    assert world.budget.cooling == {"127.0.0.1": busy.value.until}
    assert len(server.requests) == 1


@pytest.mark.parametrize(("said", "minutes"), [(10, 10), (25, 25), (3, 10)])
@pytest.mark.parametrize("status", [403, 429])
def test_the_rate_page_stops_the_host_as_long_as_it_says(world, serve, status: int, said: int, minutes: int):
    server = serve(Reply(status, RATE % said, {"Retry-After": "5"}))
    with pytest.raises(SourceBusy, match="asked too often") as busy:
        ask(world.client(), server.url, body_of)
    assert world.budget.cooling["127.0.0.1"] == busy.value.until
    assert busy.value.until == world.clock.now() + timedelta(minutes=minutes)


def test_a_longer_retry_after_counts(world, serve):
    server = serve(Reply(429, RATE % 10, {"Retry-After": "3600"}))
    with pytest.raises(SourceBusy) as busy:
        ask(world.client(), server.url, body_of)
    assert busy.value.until == world.clock.now() + timedelta(hours=1)


def test_any_other_403_is_a_block_too(world, serve):
    server = serve(Reply(403, b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>"))
    with pytest.raises(SourceBusy, match="shuts the caller out"):
        ask(world.client(), server.url, body_of)
    assert world.budget.cooling


def test_the_pages_with_status_200(world, serve, recorded: Path):
    page = (recorded / "sec_edgar/block_403_undeclared_automated_tool.html").read_bytes()
    for body in (page, RATE % 10):
        server = serve(Reply(200, body))
        with pytest.raises(SourceBusy, match="is no data") as busy:
            ask(world.client(), server.url, body_of)
        assert busy.value.until == world.clock.now() + timedelta(minutes=10)
        assert len(server.requests) == 1
        # All EDGAR work stops, whatever the status said.
        assert world.budget.cooling.pop("127.0.0.1") == busy.value.until


def test_a_404_that_is_a_page_is_no_missing_file(world, serve):
    server = serve(Reply(404, b"<html><body>Not here</body></html>"))
    with pytest.raises(SourceRefused, match="404 Not Found"):
        ask(world.client(), server.url, body_of)


def test_other_faults_stay_what_they_are(world, serve):
    with pytest.raises(SourceBusy) as busy:
        ask(world.client(), serve(Reply(503, b"<html>File Unavailable</html>")).url, body_of)
    assert busy.value.until < world.clock.now() + timedelta(minutes=3)
    with pytest.raises(BadAnswer):
        ask(world.client(), serve(Reply(500)).url.replace("127.0.0.1", "localhost"), body_of)
