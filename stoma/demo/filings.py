"""Filings that nobody filed: companies, what they file on a day, who buys and sells. The same whenever one looks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from stoma.demo.papers import NAMES, SURNAMES, THINGS

NEW_YORK = ZoneInfo("America/New_York")
FIRST_CIK = 9_000_000_000
"""True numbers are far below, so no invention is mistaken for a company."""

COMPANIES = 300
STAPLES = ("8-K", "10-K", "10-Q", "4", "3", "5", "SC 13G", "DEF 14A", "10-K/A", "4/A")
"""What the first companies file each day, from its first moment on: a demonstration may be looked at on a Sunday."""

OTHERS = ("8-K",) * 8 + ("4",) * 6 + ("10-Q", "10-Q", "10-K", "424B2", "424B2", "497", "SC 13G", "S-8", "4/A")
INSIDER_FORMS = frozenset({"3", "4", "5", "3/A", "4/A", "5/A"})
HOLIDAYS = frozenset({(1, 1), (7, 4), (12, 25)})


@dataclass(frozen=True, slots=True)
class Company:
    """An invented company; `place` is its number among all of them, None for one that only a configuration names."""

    cik: int
    name: str
    ticker: str
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Filing:
    """What a company filed on a day; the owner of its shares, for the insider forms."""

    accession: str
    form: str
    company: Company
    filed: date
    accepted: datetime
    owner_cik: int
    owner: str

    @property
    def parties(self) -> list[tuple[str, int, str]]:
        """Name, CIK and role of each, as the feed lists them."""
        if self.form in INSIDER_FORMS:
            return [
                (self.owner, self.owner_cik, "Reporting"),
                (self.company.name, self.company.cik, "Issuer"),
            ]
        return [(self.company.name, self.company.cik, "Filer")]


@cache
def companies() -> tuple[Company, ...]:
    """All of them."""
    return tuple(company(FIRST_CIK + place, place) for place in range(COMPANIES))


def company(cik: int, place: int | None = None, ticker: str = "") -> Company:
    """The company with a number, whoever asks for it."""
    chance = random.Random(f"company {cik}")  # noqa: S311
    owner = chance.choice(SURNAMES)
    name = (
        f"{_ascii(owner)} {chance.choice(THINGS)} {chance.choice(('Inc.', 'Corp', 'Holdings Ltd', '& Co'))}"
    )
    letters = "".join(chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(3))
    # No true symbol has six letters.
    return Company(cik, f"{name} (invented)", ticker or f"ZZQ{letters}", place)


def is_business_day(day: date) -> bool:
    """True for a day that has an index."""
    return day.weekday() < 5 and (day.month, day.day) not in HOLIDAYS


def of_day(day: date, now: datetime) -> list[Filing]:
    """All filings of a day that were accepted up to `now`."""
    return [filing for one in companies() if (filing := of_company(one, day, now)) is not None]


def of_company(one: Company, day: date, now: datetime) -> Filing | None:
    """What a company filed on a day, if anything; at most one thing."""
    chance = random.Random(f"filing {one.cik} {day}")  # noqa: S311
    form, minute = chance.choice(OTHERS), 0
    if one.place is not None and one.place < len(STAPLES):
        form = STAPLES[one.place]
    elif is_business_day(day) and chance.random() < 0.2:
        minute = chance.randint(6 * 60, 17 * 60 + 25)
    else:
        return None
    accepted = datetime.combine(
        day, time(minute // 60, minute % 60, chance.randrange(60) if minute else 0), NEW_YORK
    )
    if accepted > now:
        return None
    return Filing(
        accession=f"{one.cik:010}-{day:%y}-{day.timetuple().tm_yday:03}001",
        form=form,
        company=one,
        filed=day,
        accepted=accepted,
        owner_cik=one.cik + 500_000_000 + chance.randrange(3),
        owner=f"{_ascii(chance.choice(SURNAMES))} {_ascii(chance.choice(NAMES))}",
    )


def day_of(accession: str) -> date | None:
    """The day on which a filing of ours was filed, by its number."""
    _, year, number = accession.split("-")
    day_of_year = int(number[:3])
    return date(2000 + int(year), 1, 1) + timedelta(days=day_of_year - 1) if day_of_year else None


def back_from(day: date, days: int) -> Iterator[date]:
    """A day and those before it, newest first."""
    return (day - timedelta(days=back) for back in range(days))


def _ascii(name: str) -> str:
    # EDGAR's own files are plain ASCII.
    return "".join(letter for letter in name if letter.isascii())
