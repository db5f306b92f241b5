"""The tasks of two presets for GitHub and EDGAR, run to their end against captures, through the whole road."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stoma.scheduler.base import NewRun, Run, TaskStatus, hand_trigger
from stoma.scheduler.config import load_preset
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store, open_store
from tests.support.clock import Clock
from tests.support.edgar import Edgar
from tests.support.server import Asked, Reply, Server

NOW = datetime(2025, 12, 12, 23, 5, tzinfo=UTC)
FORM = "form4_submission_0001127602-25-001055.txt"


@pytest.fixture
def edgar(recorded: Path) -> Iterator[Edgar]:
    """The captured index under the dates of the two days before, captured pages of the feed, one captured form."""
    edgar, folder = Edgar(), recorded / "sec_edgar"
    index = (folder / "daily_master.20200103.idx").read_bytes()
    for day in ("20251210", "20251211"):
        # Other filings each day: only the year in their numbers tells them apart.
        body = index.replace(b"|20200103|", b"|%s|" % day.encode())
        edgar.put(day, body.replace(b"-20-", b"-25-") if day == "20251211" else body)
    pages = [
        *sorted(folder.glob("getcurrent_20251212_form4_*.atom")),
        *sorted(folder.glob("getcurrent_20251212_count100_start0*.atom")),
    ]
    text = "".join(page.read_text("latin-1") for page in pages)
    found = dict.fromkeys(re.findall(r"<entry>.*?</entry>\n?", text, re.DOTALL))
    edgar.entries = sorted(found, key=lambda one: re.search(r"<updated>(.*?)<", one)[1], reverse=True)  # type: ignore[index]
    form = (folder / FORM).read_bytes()
    for cik, accession in re.findall(r"/data/(\d+)/\d{18}/([\d-]{20})-index", "".join(edgar.entries)):
        edgar.files[f"/Archives/edgar/data/{int(cik)}/{accession}.txt"] = form
    yield edgar
    edgar.server.close()


@pytest.fixture
def github(recorded: Path) -> Iterator[Server]:
    folder = recorded / "github"
    page = (folder / "trending_2026-05_rust_weekly_16_rows.html").read_bytes()
    listed = json.loads((folder / "search_2026_repos_3_of_3821.json").read_bytes()) | {"total_count": 3}

    def answer(asked: Asked) -> Reply:
        return Reply(body=page if asked.path == "/trending" else json.dumps(listed).encode())

    with Server(answer) as server:
        yield server


@pytest.mark.parametrize("preset", ["business", "default"])
def test_every_task_completes_and_brings_records(
    preset: str, tmp_path: Path, edgar: Edgar, github: Server
) -> None:
    clock = Clock(NOW)
    with open_store("sqlite:///stoma.db", tmp_path, clock=clock) as store:
        around = Surroundings(
            store, tmp_path, timedelta(minutes=5), "me", contact="Jane Doe jane@example.org"
        )
        urls = {"sec_edgar": edgar.url, "github": github.url}
        ended = {}
        for task in load_preset(preset, tmp_path).values():
            if task.collector not in urls:
                continue
            there = replace(task, config={**task.config, "base_url": urls[task.collector]})
            store.runs.add(NewRun(task.id, hand_trigger(), task.priority, "0"), store.now())
            claimed = store.runs.claim("me", store.now(), store.now() + timedelta(minutes=5))
            assert claimed is not None
            ended[task.id] = execute(claimed, there, around, Control())
        assert {name: _told(run) for name, run in ended.items()} == dict.fromkeys(ended, ("completed", None))
        assert {name: (run.new > 0, run.rejected) for name, run in ended.items() if run} == dict.fromkeys(
            ended, (True, 0)
        )
        assert set(ended) >= EXPECTED[preset]
        _look(store, preset)


EXPECTED = {
    "business": {"sec_annual_reports", "sec_quarterly_reports", "sec_insider_trading"},
    "default": {"github_daily_trending", "sec_recent_filings", "github_weekly_comprehensive"},
}


def _told(run: Run | None) -> tuple[str, str | None]:
    assert run is not None
    return str(TaskStatus(run.status)), run.error


def _look(store: Store, preset: str) -> None:
    with store.database.reader() as reader:
        filings = reader.all("filings_newest", limit=5_000)
        lines = reader.all("transactions_newest", limit=5_000)
        repositories = reader.all("repositories_newest", limit=100)
    forms = {filing["form"] for filing in filings}
    if preset == "business":
        assert forms == {"10-K", "10-Q", "4"}
        assert len(lines) == sum(filing["form"] == "4" for filing in filings) > 20
        assert {line["shares"] for line in lines} == {1500}
    else:
        assert forms <= {"8-K", "10-K", "10-Q"}
        assert "8-K" in forms
        assert len(repositories) == 19
