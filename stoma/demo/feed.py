"""Any feed: an RSS 2.0 document with a few new invented entries each day, whatever its address."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from xml.sax.saxutils import escape

from stoma.demo.answer import Answer
from stoma.demo.papers import MARK, NAMES, SURNAMES, THINGS, TOPICS

RSS = "application/rss+xml; charset=utf-8"
DAYS = 14


class Feed:
    """Plays every path: each is another feed."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """The feed of a path, with an ETag that changes with its entries."""
        today = self.now.astimezone(UTC).date()
        days = [today - timedelta(days=back) for back in range(DAYS)]
        entries = [entry for day in days for entry in _entries(path, day, self.now)]
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
            f"<channel>\n<title>Invented news of {escape(path)}</title>\n<link>https://example.org/</link>\n"
            f"<description>{escape(SAID)}</description>\n{''.join(entries)}</channel>\n</rss>\n"
        ).encode()
        tag = hashlib.sha256(body).hexdigest()[:16]
        return Answer(200, body, RSS, {"ETag": f'"{tag}"'})


def _entries(path: str, day: date, now: datetime) -> list[str]:
    """The entries of a day, newest first; seeded by feed and date alone."""
    chance = random.Random(f"feed {path} {day}")  # noqa: S311
    found: list[tuple[datetime, str]] = []
    for number in range(chance.randint(2, 4)):
        # The first one comes with the day, so that a feed always has news.
        second = chance.randrange(86_400) if number else 0
        published = datetime.combine(day, time(), UTC) + timedelta(seconds=second)
        thing, topic = chance.choice(THINGS), chance.choice(TOPICS[chance.choice(list(TOPICS))])
        author = f"{chance.choice(NAMES)} {chance.choice(SURNAMES)}"
        link = f"https://example.org{path}#{day}-{number}"
        entry = (
            f"<item>\n<title>{escape(f'{thing} and {topic}: what happened on {day:%d %B}')}</title>\n"
            f'<link>{escape(link)}</link>\n<guid isPermaLink="true">{escape(link)}</guid>\n'
            f"<pubDate>{format_datetime(published, usegmt=True)}</pubDate>\n"
            f"<dc:creator>{escape(author)}</dc:creator>\n<category>{escape(topic)}</category>\n"
            f"<description>{escape(f'<p>Nobody saw the {thing.lower()}. {SAID}</p>')}</description>\n</item>\n"
        )
        if published <= now:
            found.append((published, entry))
    return [entry for _, entry in sorted(found, reverse=True)]


SAID = MARK.replace("paper", "entry")
