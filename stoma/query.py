"""The language of searches: what counts as a word, and what a person's query asks for. Pure.

    attention "language model" -survey (transformer OR diffus*)

Words that stand side by side must all be there, OR means either, - means not, quotes hold words together, and * at
the end of a word stands for any ending. Letters count without case and accents. Both databases index and ask for the
very words that `words` finds, so that the same query has the same hits in each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from html.entities import html5

from stoma.errors import UsageError

LONGEST_WORD = 100
"""Letters of a word that count; nobody looks for more, and an index has limits."""

MOST_TERMS = 60
"""Words of one query."""

SHORTEST_BEGINNING = 2
"""Letters before a `*`: almost every record has a word that begins with any one letter, and all would be gathered."""

DEEPEST = 20
"""Parentheses inside one another."""

# A word is letters and digits; c++, c# and f# keep what tells them apart from c and f.
_ASCII = re.compile(r"[a-z0-9]+(?:\+\+|#)?")
_ANY = re.compile(r"[^\W_]+(?:\+\+|#)?")
# Its attributes have values, so that `a <b and c> d` is none.
_TAG = re.compile(
    r"<!--[^<>]{0,500}-->|</?(?:a|abbr|article|b|blockquote|br|center|cite|code|del|div|em|figcaption|figure|font|h[1-6]|hr"
    r"|i|iframe|img|ins|kbd|li|mark|ol|p|pre|q|s|section|small|span|strike|strong|sub|sup|table|tbody|td|tfoot|th|thead"
    r"|tr|tt|u|ul|video)"
    r"(?:\s+[\w:-]{1,50}\s*=\s*(?:\"[^\"<>]{0,4000}\"|'[^'<>]{0,4000}'|[^\s\"'<>]{1,2000})){0,30}\s*/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#(?:[0-9]{1,7}|x[0-9a-f]{1,6})|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
# Written without blanks between words: each sign counts as a word of its own.
_SIGN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must follow one another, most often one; `is_prefix` when the last may go on."""

    words: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class And:
    """All of `wanted`, none of `unwanted`; there is at least one that is wanted."""

    wanted: tuple[Node, ...]
    unwanted: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these."""

    choices: tuple[Node, ...]


Node = Term | And | Or


def readable(text: str) -> str:
    """A text without the tags and entities of HTML; what only looks like a tag stays."""
    if "<" in text:
        text = _TAG.sub(" ", text)
    return _ENTITY.sub(_letter, text) if "&" in text else text


def words(text: str) -> list[str]:
    """The words of a text as they are indexed, in order."""
    if text.isascii():
        found = _ASCII.findall(text.lower())
        if "++" not in text and "#" not in text:
            return found if len(text) <= LONGEST_WORD else [word[:LONGEST_WORD] for word in found]
        return [_spelled(word) for word in found]
    return [word for _, _, word in spans(text)]


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Each word of a text with where it begins and ends in it."""
    for match in _ANY.finditer(text):
        start = match.start()
        if match[0].isascii() or not _SIGN.search(match[0]):
            yield start, match.end(), _spelled(_folded(match[0]))
            continue
        for piece in re.finditer(f"{_SIGN.pattern}|(?:(?!{_SIGN.pattern}).)+", match[0]):
            yield start + piece.start(), start + piece.end(), _spelled(_folded(piece[0]))


def parse(text: str) -> Node:
    """What a query asks for; raises UsageError with the place of what cannot be understood."""
    parser = _Parser(text)
    node = parser.either(0)
    if parser.token is not None:
        raise UsageError(f"the query has a ) too many: {text!r}", "each ) closes a ( before it")
    if node is None:
        raise UsageError(
            f"the query {text!r} asks for nothing", "write at least one word that has to be there"
        )
    return node


def wanted(node: Node) -> Iterator[Term]:
    """What a query asks for, in its order, without what must not be there."""
    if isinstance(node, Term):
        yield node
        return
    for part in node.choices if isinstance(node, Or) else node.wanted:
        yield from wanted(part)


def places(term: Term, found: Sequence[str]) -> Iterator[int]:
    """Where a term begins in a list of words."""
    *most, last = term.words
    length = len(term.words)
    for place in range(len(found) - length + 1):
        end = found[place + length - 1]
        if (end.startswith(last) if term.is_prefix else end == last) and list(
            found[place : place + length - 1]
        ) == most:
            yield place


_TOKEN = re.compile(
    r'\s*(?:(?P<paren>[()])|(?P<not>-)?(?:"(?P<phrase>[^"]*)"?(?P<star1>\*)?|(?P<word>[^\s()"]+))|(?P<lone>-))'
)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._terms = 0
        self.token: re.Match[str] | None = None
        self._step()

    def _step(self) -> None:
        self.token = _TOKEN.match(self._text, self._at)
        if self.token is not None:
            self._at = self.token.end()

    def _is(self, paren: str) -> bool:
        return self.token is not None and self.token["paren"] == paren

    def _is_or(self) -> bool:
        return self.token is not None and self.token["word"] == "OR" and not self.token["not"]

    def either(self, depth: int) -> Node | None:
        """Parts joined by OR."""
        choices: list[Node] = []
        while True:
            part = self._all(depth)
            if part is None and (choices or self._is_or()):
                raise UsageError(
                    f"in the query {self._text!r} a side of OR asks for nothing", "write a word on each side"
                )
            if part is not None:
                choices.append(part)
            if not self._is_or():
                break
            self._step()
        return Or(tuple(choices)) if len(choices) > 1 else choices[0] if choices else None

    def _all(self, depth: int) -> Node | None:
        """Parts that stand side by side."""
        wanted: list[Node] = []
        unwanted: list[Node] = []
        while self.token is not None and not self._is_or() and not self._is(")"):
            into = unwanted if self.token["not"] else wanted
            if self._is("("):
                into = unwanted if self._is_negated() else wanted
            part = self._one(depth)
            if part is not None:
                into.append(part)
        if not wanted and unwanted:
            raise UsageError(
                f"the query {self._text!r} says only what must not be there",
                "add a word that has to be there",
            )
        if len(wanted) == 1 and not unwanted:
            return wanted[0]
        return And(tuple(wanted), tuple(unwanted)) if wanted else None

    def _is_negated(self) -> bool:
        assert self.token is not None  # noqa: S101 — asked only at a parenthesis
        at = self.token.start("paren")
        return at > 0 and self._text[at - 1] == "-" and (at == 1 or self._text[at - 2].isspace())

    def _one(self, depth: int) -> Node | None:
        token = self.token
        assert token is not None  # noqa: S101 — asked only where there is one
        self._step()
        if token["paren"] == "(":
            if depth >= DEEPEST:
                raise UsageError(f"the query has more than {DEEPEST} parentheses inside one another")
            inner = self.either(depth + 1)
            if not self._is(")"):
                raise UsageError(f"in the query {self._text!r} a ( is not closed")
            self._step()
            return inner
        if token["lone"] is not None:
            return None
        raw = token["phrase"] if token["phrase"] is not None else token["word"]
        is_prefix = bool(token["star1"]) or raw.rstrip().endswith("*")
        found = tuple(words(raw))
        if not found:
            return None
        if is_prefix and len(found[-1]) < SHORTEST_BEGINNING and not _SIGN.match(found[-1]):
            raise UsageError(
                f"in the query {self._text!r} one letter before * means almost every record",
                f"write at least {SHORTEST_BEGINNING} letters before *",
            )
        self._terms += len(found)
        if self._terms > MOST_TERMS:
            raise UsageError(f"the query has more than {MOST_TERMS} words")
        return Term(found, is_prefix)


@lru_cache(maxsize=50_000)
def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    # Twice, for some letters are small only when they are taken apart: a bold A, a Kelvin.
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word.casefold()).casefold())
    return "".join(letter for letter in apart if letter.isalnum() or letter in "+#") or word


def _letter(entity: re.Match[str]) -> str:
    # Of a name that is none, `unescape` reads the beginning.
    return unescape(entity[0]) if entity[0][1] == "#" or entity[0][1:] in html5 else entity[0]


def _spelled(word: str) -> str:
    # In letters, because no database has these signs inside of words.
    if word.endswith("++"):
        word = word[:-2] + "plusplus"
    elif word.endswith("#"):
        word = word[:-1] + "sharp"
    return word[:LONGEST_WORD]
