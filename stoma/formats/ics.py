"""iCalendar (RFC 5545, 7986): what is to come, for any calendar; folded and escaped by the library. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from stoma.formats.texts import fit, in_line

if TYPE_CHECKING:
    from icalendar import Event as Component

MEDIA_TYPE = "text/calendar"

PRODUCT = "-//Stoma//Runs to come//EN"


@dataclass(frozen=True, slots=True)
class Event:
    """A moment (aware), or a whole day."""

    uid: str
    at: datetime | date
    title: str
    text: str = ""
    # False where it may not happen.
    is_sure: bool = True


def document(
    name: str, events: Iterable[Event], *, text: str = "", stamp: datetime, again: timedelta
) -> bytes:
    """The calendar in UTF-8. `stamp` is when what it tells was last settled; `again` is when to look next."""
    from icalendar import Calendar, vDuration, vText

    calendar = Calendar()
    calendar.add("PRODID", PRODUCT)
    calendar.add("VERSION", "2.0")
    # What the library does not know as text it would write as it is.
    calendar.add("NAME", vText(in_line(name)))
    calendar.add("X-WR-CALNAME", vText(in_line(name)))
    if text:
        calendar.add("DESCRIPTION", vText(fit(text)))
        calendar.add("X-WR-CALDESC", vText(fit(text)))
    calendar.add("REFRESH-INTERVAL", vDuration(again), parameters={"VALUE": "DURATION"})
    # The same, as calendars said it before there was a standard for it.
    calendar.add("X-PUBLISHED-TTL", vDuration(again))
    for event in events:
        calendar.add_component(_component(event, stamp))
    written: bytes = calendar.to_ical()
    return written


def _component(event: Event, stamp: datetime) -> Component:
    from icalendar import Event as Component

    made = Component()
    made.add("UID", event.uid)
    made.add("DTSTAMP", stamp.astimezone(UTC))
    made.add("DTSTART", event.at.astimezone(UTC) if isinstance(event.at, datetime) else event.at)
    made.add("SUMMARY", in_line(event.title))
    if event.text:
        made.add("DESCRIPTION", fit(event.text))
    made.add("STATUS", "CONFIRMED" if event.is_sure else "TENTATIVE")
    # Nobody is busy because of it.
    made.add("TRANSP", "TRANSPARENT")
    return made
