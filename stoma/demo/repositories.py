"""Repositories that nobody wrote: the same in every demonstration, with more stars from day to day."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

from stoma.demo.papers import SURNAMES, THINGS

EACH = 120
"""How many of each language there are."""

FIRST_NUMBER = 9_000_000_000
"""True numbers are far below, so no invention is mistaken for a repository."""

COUNTED_FROM = date(2026, 1, 1)
MARK = "Invented for a demonstration of Stoma."


@dataclass(frozen=True, slots=True)
class Repository:
    """One invented repository; `start` is how many stars it had on COUNTED_FROM, `growth` how many a day brings."""

    number: int
    owner: str
    name: str
    language: str
    description: str
    topics: tuple[str, ...]
    license: str | None
    created: datetime
    start: int
    growth: int

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"

    def stars(self, now: datetime) -> int:
        """How many stars it has."""
        return max(0, self.start + self.growth * (now.astimezone(UTC).date() - COUNTED_FROM).days)

    def forks(self, now: datetime) -> int:
        """How often it was forked."""
        return self.stars(now) // 9

    def pushed(self, now: datetime) -> datetime:
        """When somebody pushed to it last: within the last days, at a time of its own."""
        second = self.number * 7919 % 86_400
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=1 + self.number % 40, seconds=-second)


def everything() -> list[Repository]:
    """All of the usual languages."""
    return [repository for language in LANGUAGES for repository in invent(language)]


@cache
def invent(language: str) -> tuple[Repository, ...]:
    """The repositories of a language."""
    return tuple(_repository(language, place) for place in range(EACH))


def trending(now: datetime, language: str, since: str) -> list[tuple[Repository, int]]:
    """What is trending, with the stars of the period; empty `language`: among all of them."""
    chance = random.Random(f"trending {language} {since} {now.astimezone(UTC).date()}")  # noqa: S311
    found = chance.sample(list(invent(language)) if language else everything(), 25)
    days = {"daily": 1, "weekly": 7, "monthly": 30}.get(since, 1)
    starred = [(repository, (repository.growth + chance.randint(3, 40)) * days) for repository in found]
    return sorted(starred, key=lambda pair: -pair[1])


def named(slug: str) -> str:
    """The name of a language, as GitHub shows it, by the slug of its page."""
    return next((name for name in LANGUAGES if name.lower().replace(" ", "-") == slug.lower()), slug)


def _repository(language: str, place: int) -> Repository:
    chance = random.Random(f"repository {language} {place}")  # noqa: S311
    known = list(LANGUAGES).index(language) if language in LANGUAGES else 1_000 + chance.randrange(1_000_000)
    thing = chance.choice(THINGS).lower().replace(" ", "-")
    created = datetime(2012, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(13 * 365 * 86_400))
    start = int(10 ** chance.uniform(2.5, 5.2))
    return Repository(
        number=FIRST_NUMBER + known * EACH + place,
        owner=f"{_plain(chance.choice(SURNAMES))}-{chance.choice(('lab', 'works', 'club', 'io'))}",
        name=f"{thing}-{chance.choice(ENDINGS)}-{place}",
        language=language,
        description=f"{chance.choice(CLAIMS).format(thing=thing.replace('-', ' '), language=language)} {MARK}",
        topics=(thing, *chance.sample(TOPICS, 2)),
        license=chance.choice(("MIT", "Apache-2.0", "GPL-3.0", None)),
        created=created,
        start=start,
        growth=max(1, start // 4_000),
    )


def _plain(name: str) -> str:
    """A name as an account may be called: ASCII letters only."""
    return "".join(letter for letter in name if letter.isascii()).lower()


LANGUAGES = (
    "Python", "TypeScript", "JavaScript", "Rust", "Go", "Java", "C++", "C", "C#", "Kotlin", "Swift",
    "Jupyter Notebook",
)  # fmt: skip
ENDINGS = ("kit", "engine", "db", "ui", "agent", "parser", "cli", "server")
TOPICS = ("cli", "scheduler", "database", "agents", "parser", "compiler", "observability", "games")
CLAIMS = (
    "A fast {thing} in {language}, for people in no hurry.",
    "{language} bindings for {thing}.",
    "Self-hosted {thing}, with batteries and without electricity.",
    "The last {thing} you will ever rewrite in {language}.",
    "Zero-dependency {thing}: it does nothing, quickly – ∞ times.",
)
