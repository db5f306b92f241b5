"""Days on which a schedule rests: weekends, public holidays, exchange holidays, single dates. Knows `holidays` alone.

| entry                           | leaves out                                                             |
|---------------------------------|------------------------------------------------------------------------|
| `weekends`                      | Saturday and Sunday                                                    |
| `holidays/US`, `holidays/DE-BY` | the public holidays of a country or one of its parts, observed days too |
| `holidays/NYSE`                 | the days on which an exchange is closed, weekends aside                |
| `2026-12-24`                    | that date                                                              |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from stoma.wording import did_you_mean, nearest, shown

if TYPE_CHECKING:
    from holidays import HolidayBase

WEEKENDS, HOLIDAYS = "weekends", "holidays/"
SATURDAY = 5
ALLOWED = "weekends, holidays/US, holidays/US-CA, holidays/NYSE or a date such as 2026-12-24"
MOST_SHOWN = 20


def off(skip: Iterable[str], day: date) -> str | None:
    """Why nothing runs on a day, by the first entry that names it: `weekend`, `Labor Day (holidays/US)`, the date."""
    for entry in skip:
        if entry == WEEKENDS:
            if day.weekday() >= SATURDAY:
                return "weekend"
        elif entry.startswith(HOLIDAYS):
            if name := _of_year(entry.removeprefix(HOLIDAYS), day.year).get(day):
                return f"{name} ({entry})"
        elif entry == day.isoformat():
            return entry
    return None


@lru_cache(maxsize=1024)
def check(entry: str) -> None:
    """ValueError where an entry of `skip` names no days, with the nearest that does."""
    if entry == WEEKENDS:
        return
    if entry.startswith(HOLIDAYS):
        _check_calendar(entry.removeprefix(HOLIDAYS))
        return
    if re.fullmatch(r"\d{4}-\d\d-\d\d", entry, re.ASCII):
        try:
            date.fromisoformat(entry)
        except ValueError:
            raise ValueError(f'"{entry}" is not a date: there is no such day') from None
        return
    raise ValueError(f'"{shown(entry)}" names no days to leave out; expected {ALLOWED}{_instead(entry)}')


def _check_calendar(name: str) -> None:
    code, dash, part = name.partition("-")
    if code not in _codes() or (dash and not part):
        raise ValueError(
            f'there is no calendar "{HOLIDAYS}{shown(name)}"; expected a country such as holidays/US or '
            f"holidays/DE-BY, or an exchange such as holidays/NYSE{_instead(HOLIDAYS + name)}"
        )
    if not part:
        return
    try:
        _calendar(code, part, 2026)
    except NotImplementedError:
        known = sorted(_calendar(code, None, 2026).subdivisions)
        some = f"{', '.join(known[:MOST_SHOWN])}{', …' if len(known) > MOST_SHOWN else ''}"
        raise ValueError(
            f'{HOLIDAYS}{code} has no part "{shown(part)}"; '
            + (f"it has {some}{did_you_mean(part, known)}" if known else "it has none")
        ) from None


def _instead(entry: str) -> str:
    """`; did you mean "…"?` for an entry that leaves out nothing."""
    if nearest(entry, [WEEKENDS]) or entry.lower() in {"saturday", "sunday"}:
        return f'; did you mean "{WEEKENDS}"?'
    name = re.sub(r"^holidays?[/:_ -]?", "", entry, flags=re.IGNORECASE)
    code, _, part = name.partition("-")
    wanted = _nearest_code(code)
    return f'; did you mean "{HOLIDAYS}{wanted}{part and f"-{part}"}"?' if wanted else ""


@lru_cache(maxsize=1)
def _codes() -> frozenset[str]:
    """What may follow `holidays/`: countries and exchanges, each also by its other names (US, USA; NYSE, XNYS)."""
    from holidays.registry import EntityLoader

    return frozenset((*EntityLoader.get_country_codes(), *EntityLoader.get_financial_codes()))


def _nearest_code(name: str) -> str | None:
    """The code of the calendar that was meant: by another case, by its first letters, by the name of a country."""
    from holidays.registry import COUNTRIES

    codes = _codes()
    if name.upper() in codes:
        return name.upper()
    # Any two letters are near to some code.
    if 3 <= len(name) <= 5:
        begun = sorted(code for code in codes if code.startswith(name.upper()))
        if wanted := begun[0] if begun else nearest(name, sorted(codes)):
            return wanted
    # Most names are a little like some other; nobody mistypes the first letter.
    names = {country: codes[1] for country, codes in COUNTRIES.items() if country[0] == name[:1].lower()}
    found = nearest(name, names)
    return names[found] if found else None


@lru_cache(maxsize=256)
def _of_year(name: str, year: int) -> Mapping[date, str]:
    """The holidays of one year with their names in English; NotImplementedError for what there is no calendar of."""
    code, _, part = name.partition("-")
    return dict(_calendar(code, part or None, year).items())


def _calendar(code: str, part: str | None, year: int) -> HolidayBase:
    import holidays
    from holidays.registry import EntityLoader

    make = (
        holidays.country_holidays if code in EntityLoader.get_country_codes() else holidays.financial_holidays
    )
    # Where a calendar has no English, its own language is English.
    return make(code, subdiv=part, years=year, expand=False, language="en_US")
