"""`stoma backfill` of a declared source, from the command to the records, against an API on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from stoma.cli.main import main
from stoma.stores import open_store
from tests.support.api import Api, items, status

DAYS = ("--from", "2026-01-15", "--to", "2026-03-10")


@pytest.fixture
def api() -> Iterator[Api]:
    # One each six hours from New Year on, some 100 days.
    with Api(items(400, hours=6), most=50) as api:
        yield api


@pytest.fixture
def home(tmp_path: Path, url: str, api: Api) -> Path:
    (tmp_path / "stoma.yaml").write_text(
        f"""\
version: 1
presets: []
store: {{url: "{url}"}}
defaults: {{retry: {{count: 0}}}}
tasks:
  works:
    collector: http_json
    config:
      url: "{api.url}/page"
      items: items
      paging: {{page: {{size_param: size, size: 50}}, total: total, max_pages: 1}}
      cursor: {{field: updated_at, param: since, until_param: until, look_back: 2d}}
  unbounded: {{collector: http_json, config: {{url: "{api.url}/list"}}}}
"""
    )
    return tmp_path


def test_each_month_is_collected_and_nothing_else(home: Path, url: str, api: Api) -> None:
    run = CliRunner().invoke
    cost = json.loads(run(main, ["backfill", "works", *DAYS, "--dry-run", "--json"]).stdout)
    assert (cost["requests"], cost["records"]) == (7, 221)
    before = len(api.requests)
    result = run(main, ["backfill", "works", *DAYS])
    assert result.exit_code == 0, result.output
    with open_store(url, home) as store:
        # From the 15th of January to the 10th of March: 17, 28 and 10 days of four items each.
        found = {
            done.span.text: (str(done.status), done.new) for done in store.runs.history("works") if done.span
        }
        assert found == {
            "2026-01-15..2026-01-31": ("completed", 68),
            "2026-02-01..2026-02-28": ("completed", 112),
            "2026-03-01..2026-03-10": ("completed", 40),
        }
        assert store.records.count() == 220
        assert store.runs.cursor("works") is None
    # Behind the one request that tells what it would cost.
    asked = api.asked[before + 1 :]
    assert {(one["since"][:10], one["until"][:10]) for one in asked} == {
        ("2026-01-15", "2026-02-01"),
        ("2026-02-01", "2026-03-01"),
        ("2026-03-01", "2026-03-11"),
    }
    # Once more: it is all there.
    again = run(main, ["backfill", "works", *DAYS])
    assert (again.exit_code, "all collected already" in again.stdout) == (0, True)


def test_a_month_that_failed_goes_on_where_it_stood(home: Path, url: str, api: Api) -> None:
    run = CliRunner().invoke
    estimate, january = 1, 2
    # The second page of February.
    api.faults = {estimate + january + 2: status(403, "not now")}
    result = run(main, ["backfill", "works", *DAYS])
    assert result.exit_code == 1
    assert "not now" in result.output
    api.faults = {}
    assert run(main, ["backfill", "works", *DAYS]).exit_code == 0
    with open_store(url, home) as store:
        assert store.records.count() == 220


def test_days_that_nothing_bounds_are_refused(home: Path, api: Api) -> None:
    result = CliRunner().invoke(main, ["backfill", "unbounded", *DAYS])
    assert result.exit_code == 2
    assert "until_param" in result.output
    assert api.requests == []
