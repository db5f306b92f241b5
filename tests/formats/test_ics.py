"""The calendar, read back by icalendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from stoma.formats import ics
from stoma.formats.ics import Event

STAMP = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def read(events: list[Event], **more: Any) -> Any:
    return Calendar.from_ical(ics.document("Stoma", events, stamp=STAMP, again=HOUR, **more))


def test_what_calendars_ask_for() -> None:
    text = ics.document("Stoma", [], stamp=STAMP, again=HOUR, text="a; b")
    assert text.startswith(b"BEGIN:VCALENDAR\r\n")
    for line in (
        b"VERSION:2.0", b"NAME:Stoma", b"X-WR-CALNAME:Stoma", b"REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        b"X-PUBLISHED-TTL:PT1H", rb"X-WR-CALDESC:a\; b",
    ):  # fmt: skip
        assert b"\r\n" + line + b"\r\n" in text


def test_moments_and_days() -> None:
    berlin = datetime(2026, 11, 24, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    found = read(
        [
            Event("a@stoma", berlin, "Daily; papers, ü\nof \x00\U0001f600" + "x" * 90, "one\ntwo"),
            Event("b@stoma", date(2026, 11, 25), "Often", is_sure=False),
        ]
    )
    moment, day = found.walk("VEVENT")
    assert moment["DTSTART"].dt == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert b"DTSTART:20261124T080000Z" in moment.to_ical()
    assert moment["SUMMARY"] == "Daily; papers, ü of \ufffd\U0001f600" + "x" * 90
    assert (moment["DESCRIPTION"], moment["UID"], moment["STATUS"]) == ("one\ntwo", "a@stoma", "CONFIRMED")
    assert moment["DTSTAMP"].dt == STAMP
    assert (day["DTSTART"].dt, day["STATUS"], day["TRANSP"]) == (
        date(2026, 11, 25),
        "TENTATIVE",
        "TRANSPARENT",
    )
    assert b"DTSTART;VALUE=DATE:20261125" in day.to_ical()


def test_a_name_adds_no_line() -> None:
    text = ics.document(
        "x; y\r\nBEGIN:VEVENT", [Event("a", STAMP, "y\r\nEND:VEVENT")], stamp=STAMP, again=HOUR
    )
    assert text.count(b"\r\nBEGIN:VEVENT") == 1
    assert rb"NAME:x\; y BEGIN:VEVENT" in text.split(b"\r\n")
    assert rb"X-WR-CALNAME:x\; y BEGIN:VEVENT" in text.split(b"\r\n")
    assert all(len(line) <= 75 for line in text.split(b"\r\n"))
