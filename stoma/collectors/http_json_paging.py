"""From page to page: how a declared source is paged, where a walk stands, and when it has come to its end. Pure.

link_header   the answer's Link header names the next page (RFC 8288)
next_url      a path in the answer leads to the address of the next page
cursor        a path in the answer leads to a token that asks for the next page
page          pages have numbers
offset        pages begin at the number of an item
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

from stoma import wording
from stoma.collectors.http_json_answers import packed
from stoma.errors import BadAnswer, UsageError
from stoma.paths import Path, missing, path_of
from stoma.wording import did_you_mean, listed

MOST_PAGES = 1_000
"""Pages of one run where nobody says `max_pages`: more are taken for paging that never ends."""

Token = str | int | tuple[Any, ...]
"""What leads to a page; a list where a source wants the sort values of the last item back (Elasticsearch)."""

KINDS = ("link_header", "next_url", "cursor", "page", "offset")
ALONE = ("link_header", "page", "offset")
"""What says enough without anything more."""

BY_NUMBER = frozenset({"page", "offset"})
BY_LINK = frozenset({"link_header", "next_url"})
STARTS = {"page": 1, "offset": 0}

BEHIND_THE_END = frozenset({400, 404, 416, 422})
"""How sources refuse a page behind the last one."""

_LINK = re.compile(r"""<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+\s*(?:=\s*(?:"[^"]*"|[^\s;,"]*))?)*)""")
_PARAM = re.compile(r""";\s*([\w!#$&+.^`|~*-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s;,"]*)))?""")
_NO = frozenset({"false", "no", "0", "null", "none", ""})


def check_paging(value: str | Mapping[str, Any]) -> None:
    """Raise ValueError for more than one way of paging, and for a word that says too little."""
    if isinstance(value, str):
        if value not in ALONE:
            ways = f"{listed(ALONE)}, or a mapping such as {{next_url: links.next}}"
            raise ValueError(f'"{wording.shown(value)}" is not enough; write {ways}')
    elif len(found := [name for name in KINDS if name in value]) > 1:
        raise ValueError(f"found {listed(found, 'and')}, expected one of them")


def digest_of(items: list[Any]) -> bytes:
    """16 bytes that tell a page from others."""
    return blake2b(packed(items), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Page:
    """One answer. `onward` is the token or the link of the next page, None where there is none."""

    items: list[Any]
    url: str
    fetched_at: datetime
    onward: Token | None = None
    total: int | None = None
    # Whether there are more, where the source says so.
    more: bool | None = None
    # What `digest_of` gives of the items, where it was taken before anybody could change them.
    taken_digest: bytes = b""
    # A hash of the answer itself, and of where the items lie in it.
    answer: str = ""
    unmodified: int = 0
    # What is missing of what would lead on, in words.
    lacks: str = ""

    @property
    def digest(self) -> bytes:
        """Equal for pages with equal items; it costs as much as reading them did."""
        return self.taken_digest or digest_of(self.items)

    def is_again(self, before: Page | bytes) -> bool:
        """True where the page before it, or the one with this digest, had the same items."""
        if isinstance(before, bytes):
            return bool(before) and self.digest == before
        if len(self.items) != len(before.items):
            return False
        # Most differ in their first item.
        is_open = bool(self.taken_digest) or self.items[:1] == before.items[:1]
        return is_open and self.digest == before.digest


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk stands: the page that comes now, and what is known from those before."""

    # The number of the page, or of its first item.
    number: int = 0
    # The token or the link that leads to it.
    onward: Token | None = None
    # Items on the longest page so far: a source may give fewer than it is asked for.
    longest: int = 0
    # How far the pages before may have reached, had all been as long as they were asked for.
    reach: int = 0
    taken: int = 0
    total: int | None = None
    # True where the page before was shorter than asked for, but may be as long as they come: this one tells.
    is_probe: bool = False
    # Pages of this collection before it.
    pages: int = 0


@dataclass(frozen=True, slots=True)
class Paging:
    """How a source is paged; `kind` is empty for one whose only answer is all there is."""

    kind: str = ""
    param: str = ""
    path: Path | None = None
    start: int = 0
    size_param: str = ""
    size: int = 0
    total: Path | None = None
    more: Path | None = None
    max_pages: int | None = None

    @classmethod
    def of(cls, given: str | Mapping[str, Any] | None) -> Paging:
        """What stands under `paging`; a kind alone stands for its defaults."""
        if given is None:
            return cls()
        rules: Mapping[str, Any] = {given: {}} if isinstance(given, str) else given
        kind = next(name for name in KINDS if name in rules)
        own = rules[kind]
        told: Mapping[str, Any] = own if isinstance(own, Mapping) else {}
        return cls(
            kind=kind,
            param=told.get("param", kind),
            path=_path(own if kind == "next_url" else told.get("path")),
            start=told.get("start", STARTS.get(kind, 0)),
            size_param=told.get("size_param", ""),
            size=told.get("size", 0),
            total=_path(rules.get("total")),
            more=_path(rules.get("more")),
            max_pages=rules.get("max_pages"),
        )

    def values(self, place: Place) -> dict[str, Any]:
        """The parameters by which a page is asked for; none for what a link leads to."""
        size = {self.size_param: self.size} if self.size_param else {}
        if self.kind in BY_NUMBER:
            return {self.param: place.number, **size}
        return {self.param: place.onward} if self.kind == "cursor" and place.onward is not None else {}

    def onward(self, value: Any, headers: Mapping[str, str], shown: str) -> Token | None:
        """What the answer says of the next page; raises BadAnswer for something that cannot be that."""
        if self.kind == "link_header":
            return next_link(headers.get("link", ""))
        if self.path is None:
            return None
        found = _found(self.path, value, f"{shown}: paging.{self.kind}")
        # Zero says "no more" where tokens are numbers.
        if not found or found == "0":
            return None
        if isinstance(found, str) or (self.kind == "cursor" and type(found) is int):
            return found
        if self.kind == "cursor" and isinstance(found, list) and all(map(_is_scalar, found)):
            return tuple(found)
        raise BadAnswer(f"{shown}: paging.{self.kind}: {self.path.text} leads to a {type(found).__name__}")

    def lacks(self, value: Any) -> str:
        """What an answer that leads nowhere has not; raises UsageError where it has it under a name like that.

        Many sources leave out on the last page what leads on, so that alone is no fault.
        """
        if self.kind == "link_header":
            return "no Link header came with it"
        found = missing(self.path, value) if self.path is not None else None
        if found is None:
            return ""
        step, keys = found
        twin = next((key for key in keys if _bare(key) == _bare(step) and key != step), None)
        where = f"paging.{self.kind}: {self.path.text if self.path else ''}"
        if twin is not None:
            raise UsageError(f"{where} leads to nothing: there is no {step}, but {twin}", f"write {twin}")
        return f"{where} leads to nothing: there is no {step}{did_you_mean(step, keys)}"

    def total_in(self, value: Any, shown: str) -> int | None:
        """How many items the answer says there are; None where it does not say."""
        found = _found(self.total, value, f"{shown}: paging.total") if self.total else None
        if isinstance(found, str) and re.fullmatch(r"[0-9]{1,15}", found.strip()):
            return int(found)
        return found if type(found) is int and found >= 0 else None

    def more_in(self, value: Any, shown: str) -> bool | None:
        """Whether the answer says that there are more; None where it does not say."""
        found = _found(self.more, value, f"{shown}: paging.more") if self.more else None
        if isinstance(found, str):
            return found.strip().lower() not in _NO
        return None if found is None else bool(found)

    def judge(self, place: Place, page: Page, before: Page | bytes, seen: Container[Token]) -> None:
        """Refuse a page that cannot be true, with BadAnswer; asked for again it may be.

        `before` is the page before it or its digest, `seen` holds the tokens and links that led on so far.
        """
        if page.items and page.is_again(before):
            raise BadAnswer(f"{page.url} is the page before it once more", self._hint())
        is_back = page.onward is not None and page.onward in seen
        if is_back and page.more is not False and (page.items or page.onward != place.onward):
            raise BadAnswer(f"{page.url} leads back to a page that was read before")
        if self.kind not in BY_NUMBER:
            self._judge_end(place, page)
            return
        if page.items:
            return
        total = page.total or place.total
        if page.more or (total is not None and place.reach < total):
            promised = f"{total} items are" if total is not None else "more is"
            raise BadAnswer(f"{page.url} is an empty page, though {promised} promised")

    def _judge_end(self, place: Place, page: Page) -> None:
        """Refuse a page that leads nowhere although there is more; by a total only where it is the first one.

        Totals of longer walks count what is hidden, and what has changed meanwhile.
        """
        if not self.kind or page.onward is not None or page.more is False:
            return
        why = page.lacks or "nothing leads on"
        if page.more:
            raise BadAnswer(f"{page.url} says that there is more (paging.more), and {why}")
        if place.onward is None and page.items and (page.total or 0) > len(page.items):
            raise BadAnswer(f"{page.url} has {len(page.items)} of {page.total:,} items, and {why}")

    def following(self, place: Place, page: Page) -> Place | None:
        """The place behind a page; None when it was the last."""
        count = len(page.items)
        total = page.total or place.total
        longest = max(place.longest, count)
        behind = replace(
            place,
            longest=longest,
            taken=place.taken + count,
            total=total,
            is_probe=False,
            onward=page.onward,
            pages=place.pages + 1,
        )
        if page.more is False or not self.kind:
            return None
        if self.kind not in BY_NUMBER:
            return None if page.onward is None or page.onward == place.onward else behind
        if not count:
            return None
        full = max(self.size, longest)
        if self.kind == "page":
            number = place.number + 1
            after, reach = (number - self.start) * longest, (number - self.start) * full
        else:
            number = place.number + count
            after, reach = number - self.start, place.number - self.start + max(self.size, count)
        behind = replace(behind, number=number, reach=reach)
        if total is not None:
            return behind if after < total else None
        if page.more or count >= self.size:
            return behind
        # Shorter than asked for: the end, if a page before was longer. Otherwise pages may be as long as the source
        # ever makes them, whatever it is asked for; the page behind it tells.
        return None if count < place.longest else replace(behind, is_probe=True)

    def token(self, here: Place, following: Place) -> dict[str, Any]:
        """Where a walk that ends behind this page goes on.

        By number that is this page once more, for meanwhile items may have moved up.
        """
        return self._token(here if self.kind in BY_NUMBER else following)

    def onward_token(self, following: Place, before: bytes) -> dict[str, Any]:
        """The place behind a page itself, with the digest of that page."""
        return self._token(following) | {"is_probe": following.is_probe, "before": before.hex()}

    def _token(self, place: Place) -> dict[str, Any]:
        at = place.number if self.kind in BY_NUMBER else place.onward
        token = {self.kind: at, "longest": place.longest, "reach": place.reach, "taken": place.taken}
        return token | {"pages": place.pages} | ({} if place.total is None else {"total": place.total})

    def place(self, token: Any) -> Place:
        """The place that a token tells; the first one where it tells of another way of paging, or of none."""
        first = Place(self.start)
        at = token.get(self.kind) if isinstance(token, Mapping) else None
        if at is None or (self.kind in BY_NUMBER and type(at) is not int):
            return first
        names = ("longest", "reach", "taken", "pages")
        longest, reach, taken, pages = (int(token.get(name) or 0) for name in names)
        place = Place(
            longest=longest,
            reach=reach,
            taken=taken,
            total=token.get("total"),
            is_probe=token.get("is_probe") is True,
            pages=pages,
        )
        if self.kind in BY_NUMBER:
            return replace(place, number=at)
        return replace(place, onward=tuple(at) if isinstance(at, list) else at)

    def before(self, token: Any) -> bytes:
        """The digest of the page before the place that a token tells; empty where it says nothing of it."""
        told = token.get("before") if isinstance(token, Mapping) else None
        return bytes.fromhex(told) if isinstance(told, str) else b""

    def _hint(self) -> str:
        return "" if self.kind in BY_LINK else f'does the source know the parameter "{self.param}"?'


def next_link(header: str) -> str | None:
    """The target with rel="next" in a Link header (RFC 8288); None where there is none."""
    for target, params in _LINK.findall(header):
        rels = (quoted or plain for name, quoted, plain in _PARAM.findall(params) if name.lower() == "rel")
        # Of several only the first one counts (RFC 8288, 3.3).
        if "next" in next(rels, "").lower().split():
            return str(target)
    return None


def _bare(name: str) -> str:
    """A name without what is written now like this and now like that."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _path(text: str | None) -> Path | None:
    return None if text is None else path_of(text)


def _found(path: Path, value: Any, what: str) -> Any:
    try:
        return path.find(value)
    except ValueError as error:
        raise BadAnswer(f"{what}: {path.text} cannot be found: {error}") from None
