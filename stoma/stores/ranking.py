"""Which of the records that a query found comes first. Pure, so that both databases answer in the same order.

A word of the title counts more than one of the summary, the same word again counts less each time, words that stand
together as they were asked for count extra, and a title that says little else is better. Of what is about as good the
newest comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from stoma.query import Node, Term, places, readable, wanted, words

TITLE, SUMMARY = 4.0, 1.0
"""What a word counts in either, as if it stood there without end; once counts half of it."""

TOGETHER = 0.5
"""What all words together, in the order of the query, count in addition, as a part of the above."""


def ranked(rows: Iterable[Mapping[str, Any]], node: Node) -> list[int]:
    """The numbers of records, best first; rows have `id`, `title`, `summary`, `published_at`, `first_seen_at`."""
    terms = list(wanted(node))
    inquiry = tuple(word for term in terms for word in term.words)
    together = Term(inquiry, terms[-1].is_prefix) if len(terms) > 1 else None
    keys = []
    for row in rows:
        title, summary = words(readable(row["title"])), words(readable(row["summary"]))
        score = TITLE * _of(title, terms, together) + SUMMARY * _of(summary, terms, together)
        score += _share(title, inquiry)
        moment: datetime = row["published_at"] or row["first_seen_at"]
        # One digit: what differs by less is about as good.
        keys.append((round(score, 1), moment, row["id"]))
    return [number for _, _, number in sorted(keys, reverse=True)]


def count(term: Term, found: Sequence[str]) -> int:
    """How often a term stands in a list of words."""
    if len(term.words) == 1:
        word = term.words[0]
        return sum(one.startswith(word) for one in found) if term.is_prefix else found.count(word)
    return sum(1 for _ in places(term, found))


def _of(found: Sequence[str], terms: Sequence[Term], together: Term | None) -> float:
    counts = [count(term, found) for term in terms]
    score = sum(times / (times + 1) for times in counts)
    if together is not None and all(counts) and count(together, found):
        score += TOGETHER
    return score


def _share(title: Sequence[str], inquiry: Sequence[str]) -> float:
    """Which part of a title was asked for."""
    return sum(word in inquiry for word in title) / len(title) if title else 0.0
