"""The words of a record as the index of words takes them up, and queries as it understands them. Pure.

Both databases are given the very same words in the same order, spelled as a text for FTS5 or as a tsvector:

    ·attention ·is ·all  ¦  attention is all  ¦  the summary  ¦  an author  ¦  another …  §kind  §source

Words of the title stand there twice, once with a sign that no word has, so that a query can ask for the title alone;
¦ stands between texts, so that no phrase reaches from one into the next; marks say what else can be asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from stoma.query import Node, Or, Term, readable, words

MOST_WORDS = 16_000
"""Words of one record that count: a tsvector has room for 16,383 places."""

MOST_TITLE = 300
"""Words of a title that count."""

MOST_TEXT = 500_000
"""Characters of one record that are read, and bytes of words that are kept: a tsvector holds 1 MB."""

MOST_OFTEN = 250
"""Places of the same word in one record that count: a tsvector keeps 255."""

BLOCK_BITS = 14
"""Records whose numbers differ in the last so many bits have the same block."""

_TITLE, _GAP, _MARK = "\N{MIDDLE DOT}", "\N{BROKEN BAR}", "\N{SECTION SIGN}"


def listed(row: Mapping[str, Any]) -> list[str]:
    """The words of a record, from its columns."""
    title = words(readable(row["title"]))[:MOST_TITLE]
    found = [*(_TITLE + word for word in title), _GAP, *title]
    for text in _texts(row):
        found.append(_GAP)
        found.extend(words(text))
        if len(found) > MOST_WORDS:
            break
    return found if len(found) <= MOST_OFTEN else _bounded(found)


def marks(kind: str | None, source: str | None) -> list[str]:
    """What stands for a kind and a source, as a word that no text has."""
    return [
        f"{_MARK}{name}{blake2b(value.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"
        for name, value in (("k", kind), ("s", source))
        if value is not None
    ]


def block(number: int) -> str:
    """What stands for a block of records."""
    return f"{_MARK}b{number}"


def fts5_text(found: Sequence[str], marked: Sequence[str]) -> str:
    """Words as the text that FTS5 takes apart at the blanks again."""
    return " ".join([*found, _GAP, *marked])


def tsvector(found: Sequence[str], marked: Sequence[str]) -> str:
    """Words as a tsvector is written: each once, with its places. They hold neither quotes nor backslashes."""
    places: dict[str, list[str]] = {}
    for place, word in enumerate(found, 1):
        if word in places:
            places[word].append(str(place))
        else:
            places[word] = [str(place)]
    places.pop(_GAP, None)
    lexemes = [f"'{word}':{','.join(at)}" for word, at in places.items()]
    return " ".join([*lexemes, *(f"'{mark}'" for mark in marked)])


def fts5_query(node: Node, marked: Sequence[str], *, in_title: bool) -> str:
    """A query in FTS5's words, for what has all these marks; `in_title` where what is wanted stands in the title."""
    return " AND ".join([*(f'"{mark}"' for mark in marked), _fts5(node, _TITLE if in_title else "")])


def tsquery(node: Node, marked: Sequence[str], *, in_title: bool, blocks: Sequence[int] = ()) -> str:
    """The same as a tsquery is written, for the records of these blocks, or of all."""
    parts = [f"'{mark}'" for mark in marked]
    if blocks:
        numbers = " | ".join(f"'{block(number)}'" for number in blocks)
        parts.append(f"({numbers})")
    return " & ".join([*parts, _tsquery(node, _TITLE if in_title else "")])


def _fts5(node: Node, sign: str) -> str:
    if isinstance(node, Term):
        phrase = " ".join(sign + word for word in node.words)
        return f'"{phrase}"{" *" if node.is_prefix else ""}'
    if isinstance(node, Or):
        return f"({' OR '.join(_fts5(choice, sign) for choice in node.choices)})"
    wanted = f"({' AND '.join(_fts5(part, sign) for part in node.wanted)})"
    # What is not wanted must not stand anywhere.
    unwanted = " OR ".join(_fts5(part, "") for part in node.unwanted)
    return f"({wanted} NOT ({unwanted}))" if unwanted else wanted


def _tsquery(node: Node, sign: str) -> str:
    if isinstance(node, Term):
        phrase = " <-> ".join(f"'{sign}{word}'" for word in node.words)
        return f"({phrase}{':*' if node.is_prefix else ''})"
    if isinstance(node, Or):
        return f"({' | '.join(_tsquery(choice, sign) for choice in node.choices)})"
    parts = [_tsquery(part, sign) for part in node.wanted]
    parts += [f"!{_tsquery(part, '')}" for part in node.unwanted]
    return f"({' & '.join(parts)})"


def _texts(row: Mapping[str, Any]) -> Iterator[str]:
    """What can be searched beside the title, in an order that both databases give alike."""
    left = MOST_TEXT
    for text in (
        row["summary"],
        row["external_id"],
        *row["authors"],
        *row["tags"],
        *_inside(row["attributes"]),
    ):
        if left <= 0:
            return
        yield readable(text[:left])
        left -= len(text)


def _inside(attributes: Mapping[str, Any]) -> Iterator[str]:
    """The texts in attributes, however deep; addresses are not read."""
    waiting: list[Any] = [attributes]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if not value.startswith(("https://", "http://")):
                yield value
        elif isinstance(value, Mapping):
            waiting.extend(value[key] for key in sorted(value, reverse=True))
        elif isinstance(value, list):
            waiting.extend(reversed(value))


def _bounded(found: list[str]) -> list[str]:
    """What an index has room for; a word that comes too often is a gap from then on."""
    del found[MOST_WORDS:]
    often = {word for word, count in Counter(found).items() if count > MOST_OFTEN and word != _GAP}
    counts: Counter[str] = Counter()
    size = 0
    for place, word in enumerate(found):
        size += len(word) if word.isascii() else len(word.encode())
        if size > MOST_TEXT:
            return found[:place]
        if word in often:
            counts[word] += 1
            if counts[word] > MOST_OFTEN:
                found[place] = _GAP
    return found
