"""`--since` and `?since=`: a moment of the past as people write it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from stoma.errors import UsageError
from stoma.scheduler.patterns import parse_duration
from stoma.scheduler.zones import instant_of
from stoma.wording import shown

EXAMPLES = "write one such as 7d, 12h, 2026-11-23, 2026-11-23T09:00, today or yesterday"


def moment_of(text: str, now: datetime, zone: tzinfo) -> datetime:
    """The instant that `7d` (so long before `now`), a date, a date with a time, `today` or `yesterday` means, in UTC.

    What names no zone is meant by the clock of `zone`; a date is its beginning. Raises UsageError.
    """
    text = text.strip()
    days = {"today": 0, "yesterday": 1}
    try:
        if text in days:
            today = now.astimezone(zone).date() - timedelta(days=days[text])
            return instant_of(datetime(today.year, today.month, today.day), zone)
        if text[-1:] in ("d", "h", "m", "s"):
            return now - parse_duration(text)
        # In an address a plus sign means a blank.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        found = found.astimezone(UTC) if found.tzinfo else instant_of(found, zone)
    except (ValueError, OverflowError):
        raise UsageError(f'"{shown(text)}" is not a moment', EXAMPLES) from None
    if not 1970 <= found.year <= 9000:
        raise UsageError(f'"{shown(text)}" is not a moment of the present age', EXAMPLES)
    return found
