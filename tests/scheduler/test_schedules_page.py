"""What docs/schedules.md shows is what the program does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from stoma.scheduler.calendars import check
from stoma.scheduler.config import load_config
from stoma.scheduler.patterns import FORMS, parse
from stoma.scheduler.timetables import timetables_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "schedules.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_each_example_loads_and_is_due(tmp_path, example):
    (tmp_path / "stoma.yaml").write_text(example)
    for task in load_config(base=tmp_path).tasks.values():
        for timetable in timetables_of(task):
            assert timetable.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is not None


def test_each_form_and_each_entry_of_skip_is_there():
    assert all(f"`{form}`" in PAGE for form in FORMS)
    rows = re.findall(r"^  \| (`.*?) \|", PAGE, re.MULTILINE)
    entries = [entry for row in rows for entry in re.findall("`(.*?)`", row)]
    assert len(entries) == 6
    for entry in entries:
        check(entry)


@pytest.mark.parametrize(
    ("text", "march", "october"),
    [
        ("30 2 * * *", ["03:00+02:00"], ["02:30+02:00"]),
        ("*/30 2 * * *", [], ["02:00+02:00", "02:30+02:00", "02:00+01:00", "02:30+01:00"]),
        (
            "30 * * * *",
            ["01:30+01:00", "03:30+02:00"],
            ["01:30+02:00", "02:30+02:00", "02:30+01:00", "03:30+01:00"],
        ),
    ],
)
def test_the_table_of_the_two_nights(text, march, october):
    assert f"`{text}`" in PAGE
    for day, expected in ((datetime(2026, 3, 29), march), (datetime(2026, 10, 25), october)):
        zone = ZoneInfo("Europe/Berlin")
        moment = day.replace(hour=1, tzinfo=zone).astimezone(UTC) - timedelta(seconds=1)
        end = day.replace(hour=3, minute=59, tzinfo=zone).astimezone(UTC)
        pattern, found = parse(text, "Europe/Berlin"), []
        while (moment := pattern.next_after(moment)) <= end:
            local = moment.astimezone(zone).isoformat()
            found.append(local[11:16] + local[19:])
        assert found == expected
