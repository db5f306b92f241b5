"""arXiv over papers that a test lays out: which match, when they were submitted, and when they show up.

    arxiv = Library([paper(1, "2026-11-20T10:00:00")])
    with arxiv.serve() as server: ...

The query API and OAI-PMH are those of the demonstration, which read queries, dates and tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from stoma.demo.arxiv import Arxiv
from stoma.demo.papers import Paper
from tests.support.budget import START
from tests.support.server import Asked, Reply, Server


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def paper(
    number: int, published: str | datetime, updated: str | datetime | None = None, **given: object
) -> Paper:
    """A paper 2601.NNNNN; with `updated` it has a second version."""
    first = instant(published) if isinstance(published, str) else published
    last = instant(updated) if isinstance(updated, str) else updated
    made = Paper(
        id=f"2601.{number:05}",
        version=2 if last else 1,
        title=f"Paper {number}",
        summary="About graphs.",
        authors=("Ada Lovelace", "Emmy Noether"),
        categories=("cs.LG", "stat.ML"),
        published=first,
        updated=last or first,
        comment="",
        journal_ref="",
        doi="",
    )
    return replace(made, **given)  # type: ignore[arg-type]


def papers(count: int, *, until: datetime = START, every: timedelta = timedelta(hours=1)) -> list[Paper]:
    """So many papers, the last one submitted at `until`, numbered from the oldest."""
    return [paper(number, until - every * (count - number)) for number in range(1, count + 1)]


@dataclass
class Library:
    """Papers, and what goes wrong: `spoil` gets each request and the answer that is due."""

    papers: list[Paper]
    now: datetime = START
    spoil: Callable[[Asked, Reply], Reply] = lambda asked, reply: reply
    server: Server = field(init=False)

    def __post_init__(self) -> None:
        self.server = Server(self._reply)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def requests(self) -> list[Asked]:
        return self.server.requests

    def queries(self) -> list[str]:
        """What was searched for, each once, in order."""
        return list(dict.fromkeys(asked.query.get("search_query", "") for asked in self.requests))

    def _reply(self, asked: Asked) -> Reply:
        arxiv = Arxiv(self.now)
        arxiv.papers = list(self.papers)
        answer = arxiv.answer(asked.path, asked.query)
        headers = {"Content-Type": answer.content_type, **answer.headers}
        return self.spoil(asked, Reply(answer.status, answer.body, headers))
