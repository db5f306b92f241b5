"""What a person is shown of a text that a query found: the words that were asked for, and what stands around. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stoma.query import Node, places, readable, spans, wanted

LONGEST = 20_000
"""Characters of a text that are looked through."""

BEFORE = 0.25
"""Which part of an excerpt stands before the first word that was asked for, at most."""

DOTS = "…"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text in one line, and where in it words stand that were asked for: first character and the one behind."""

    text: str
    hits: Sequence[tuple[int, int]]


def excerpt(text: str, node: Node, most: int) -> Excerpt:
    """The part of a text that shows most of what was asked for, at most so many characters."""
    line = " ".join(readable(text[:LONGEST]).split())
    found = hits(line, node)
    if len(line) <= most:
        return Excerpt(line, found)
    start = _best_start(line, found, most)
    end = min(len(line), start + most - (start > 0))
    if end < len(line):
        # Cut between words, where there is such a place.
        end -= 1
        blank = line.rfind(" ", start, end + 1)
        end = blank if blank > start + most // 2 else end
    front, back = DOTS if start else "", DOTS if end < len(line) else ""
    moved = [(first - start + len(front), last - start + len(front)) for first, last in found]
    kept = [pair for pair in moved if pair[0] >= len(front) and pair[1] <= end - start + len(front)]
    return Excerpt(f"{front}{line[start:end]}{back}", kept)


def hits(text: str, node: Node) -> list[tuple[int, int]]:
    """Where the words of a text stand that were asked for; words of one phrase are one place."""
    where = list(spans(text))
    found = [word for _, _, word in where]
    at = {
        (where[place][0], where[place + len(term.words) - 1][1])
        for term in wanted(node)
        for place in places(term, found)
    }
    merged: list[tuple[int, int]] = []
    for start, end in sorted(at):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _best_start(line: str, found: Sequence[tuple[int, int]], most: int) -> int:
    """Where to begin, so that as many hits as can be are shown; the first such place."""
    room = most - int(most * BEFORE)
    best, most_hits = 0, 0
    for number, (first, _) in enumerate(found):
        count = sum(1 for _, last in found[number : number + 20] if last <= first + room)
        if count > most_hits:
            best, most_hits = first, count
    start = max(0, best - int(most * BEFORE))
    start = min(start, len(line) - most + 1)
    if start <= 0:
        return 0
    blank = line.find(" ", start, best + 1)
    return blank + 1 if blank >= 0 else best
