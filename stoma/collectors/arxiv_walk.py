"""The way through the pages of arXiv's query API: where a collection stands, and what comes behind a page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stoma.collectors.arxiv_atom import Page
from stoma.collectors.arxiv_plan import DEEPEST, Part, Plan
from stoma.errors import BadAnswer


@dataclass(frozen=True, slots=True)
class Place:
    """Where a collection stands: in which slice, how far in it, its largest total so far, items before it.

    `parts` are the times of submission still to ask for, the present ones first; empty where they are not bounded.
    `whole` is the largest total that the first question of all was answered with; `missed` counts what arXiv did not
    show of a part that cannot be cut.
    """

    start: int = 0
    total: int = 0
    slice: int = 0
    before: int = 0
    parts: tuple[Part, ...] = ()
    whole: int = 0
    missed: int = 0

    @classmethod
    def first(cls, plan: Plan) -> Place:
        """Where a collection begins."""
        return cls(parts=(plan.part,) if plan.part else ())

    @classmethod
    def of(cls, token: Any, plan: Plan) -> Place:
        """One page before the token, unless that is exact: meanwhile papers may have been taken away above."""
        try:
            names = ("start", "total", "slice", "before", "whole", "missed")
            start, total, number, before, whole, missed = (int(token.get(name, 0)) for name in names)
            parts = tuple((str(low), str(high)) for low, high in token.get("parts", ()))
        except (AttributeError, TypeError, ValueError):
            return cls.first(plan)
        start = start if token.get("is_exact") is True else max(0, start - plan.page_size)
        place = cls(start, total, number, before, parts or cls.first(plan).parts, whole, missed)
        # An edited config that keeps its progress may ask for less than was there.
        return place if number < len(plan.slices) and place.taken < plan.wanted else cls.first(plan)

    def token(self) -> dict[str, Any]:
        """The place as JSON."""
        token: dict[str, Any] = {"start": self.start, "total": self.total}
        if self.parts:
            token |= {
                "parts": [list(part) for part in self.parts],
                "whole": self.whole,
                "missed": self.missed,
            }
        return (
            token
            | ({"slice": self.slice} if self.slice else {})
            | ({"before": self.before} if self.before else {})
        )

    @property
    def part(self) -> Part | None:
        """The times of submission that are asked for here."""
        return self.parts[0] if self.parts else None

    @property
    def taken(self) -> int:
        """Items of all pages so far."""
        return self.before + self.start

    def asked(self, plan: Plan, size: int) -> int:
        """How many items to ask for in a page of `size`."""
        return max(1, min(size, plan.wanted - self.taken, DEEPEST - self.start))

    def expected(self, plan: Plan) -> int:
        """How many items the whole collection will bring, as far as is known."""
        return plan.wanted if plan.is_listed else min(max(self.whole, self.taken), plan.wanted)

    def judge(self, page: Page, last: list[str]) -> None:
        """Refuse the pages that arXiv gives by mistake; asked for again they are mostly right."""
        if not page.items and (self.start < page.total or self.total > page.total == 0):
            total = max(self.total, page.total)
            raise BadAnswer(f"{page.url} is an empty page, though {total} results are promised")
        both = min(len(last), len(page.items))
        if self.start and both > 1 and last[:both] == [item.get("id", "") for item in page.items[:both]]:
            raise BadAnswer(f"{page.url} is the page before it once more")

    def cut(self, plan: Plan, page: Page) -> Place | None:
        """Where to go instead of paging through more than arXiv shows of one query; None when there is no need."""
        if self.start or min(page.total, plan.wanted - self.taken) <= DEEPEST:
            return None
        parts = plan.halves(self.part)
        whole = max(self.whole, page.total)
        return replace(self, total=0, parts=(*parts, *self.parts[1:]), whole=whole) if parts else None

    def after(self, count: int, total: int) -> Place:
        """Behind a page of `count` items. Counted by what came, not by what was asked: a short page loses nothing."""
        # Totals move while papers are announced, and have been seen to drop to nothing in the middle.
        total = max(self.total, total)
        whole = self.whole if self.before or len(self.parts) > 1 else max(self.whole, total)
        return replace(self, start=self.start + count, total=total, whole=whole)

    def is_slice_done(self, plan: Plan) -> bool:
        """True where the slice or part has no more, or arXiv shows no more of it."""
        return self.start >= min(self.total, plan.wanted - self.before, DEEPEST)

    def next_slice(self) -> Place:
        """The beginning of the next slice, or of the next part of this one."""
        here = replace(self, start=0, total=0, before=self.taken, missed=self.missed + self._out_of_reach())
        if len(self.parts) > 1:
            return replace(here, parts=self.parts[1:])
        return replace(here, slice=self.slice + 1, parts=())

    def left_out(self, plan: Plan) -> int:
        """How many results are known, and not collected, when the collection ends behind this place."""
        if self.taken < plan.wanted:
            return self.missed + self._out_of_reach()
        behind = self.total - self.start
        return max(behind, self.whole - self.taken) if behind > 0 or len(self.parts) > 1 else 0

    def _out_of_reach(self) -> int:
        return max(0, self.total - self.start) if self.start >= DEEPEST else 0


def ids(items: list[dict[str, Any]]) -> list[str]:
    """The ids of some items, in order."""
    return [item.get("id", "") for item in items]


def window(plan: Plan, newest: str | None) -> Mapping[str, Any]:
    """What a run keeps that is resumed."""
    return {"begun": plan.begun, "newest": newest, "since": plan.since}
