"""Any JSON API: what a task's own config says about its answers is turned round into answers that fit it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from stoma.demo.answer import Answer
from stoma.demo.inverse import Unplayable, placed, readable
from stoma.demo.papers import NAMES, SURNAMES, THINGS

if TYPE_CHECKING:
    from stoma.collectors.http_json_cursor import Cursor
    from stoma.collectors.http_json_paging import Paging

JSON = "application/json; charset=utf-8"
EVERY = timedelta(hours=6)
"""One item comes each quarter of a day, so that a later demonstration has new ones."""

ALONE = 12
"""How many items there are where nothing is paged."""

LARGEST_PAGE = 100
MARK = "page"
"""The parameter of the links that lead on."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a task will ask for, and how it reads the answers."""

    config: Mapping[str, Any]
    paging: Paging
    cursor: Cursor | None

    @property
    def size(self) -> int:
        """Items on a page."""
        return min(self.paging.size or 20, LARGEST_PAGE) if self.paging.kind else ALONE

    @property
    def total(self) -> int:
        """Items of all pages: two full ones and a short one."""
        return self.size * 5 // 2 if self.paging.kind else ALONE


class HttpJson:
    """Plays every source that a task declares; the first part of a path is the id of the task."""

    def __init__(self, now: datetime) -> None:
        self.now = now.astimezone(UTC)
        self._declared: dict[str, _Declared] = {}

    def declare(self, task_id: str, config: Mapping[str, Any]) -> str | None:
        """A task that will ask; None where its paths cannot be read backwards."""
        from stoma.collectors.http_json_cursor import Cursor
        from stoma.collectors.http_json_paging import Paging

        try:
            declared = _Declared(config, Paging.of(config.get("paging")), Cursor.of(config.get("cursor")))
            self._page(declared, {})
        except (Unplayable, KeyError, TypeError, ValueError):
            return None
        self._declared[task_id] = declared
        return f"/{task_id}"

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """The page that the parameters ask for."""
        declared = self._declared.get(path.split("/")[1])
        if declared is None:
            return Answer(404, b'{"message": "Not Found"}', JSON)
        body, onward = self._page(declared, query)
        headers = (
            {"Link": f'<{onward}>; rel="next"'} if onward and declared.paging.kind == "link_header" else {}
        )
        return Answer(200, json.dumps(body).encode(), JSON, headers)

    def _page(self, declared: _Declared, query: Mapping[str, str]) -> tuple[Any, str]:
        """A page as a document, and the address of the next one; raises Unplayable."""
        paging, size = declared.paging, declared.size
        items = [
            item
            for number in range(declared.total)
            if (item := self._item(declared, number, query)) is not None
        ]
        start = _start(declared, query)
        is_last = start + size >= len(items)
        document: Any = {}
        shown = items[start : start + size]
        if "items" in declared.config:
            document = placed({}, declared.config["items"], shown)
        elif paging.total or paging.more or paging.path:
            document = {"results": shown}
        else:
            document = shown
        onward = "" if is_last else f"?{urlencode({**query, MARK: start + size})}"
        if paging.path and not is_last:
            # A token that means nothing to anybody else.
            token = f"after-{start + size}" if paging.kind == "cursor" else onward
            document = placed(document, paging.path.text, token)
        if paging.total:
            document = placed(document, paging.total.text, len(items))
        if paging.more:
            document = placed(document, paging.more.text, not is_last)
        return document, onward

    def _item(self, declared: _Declared, number: int, query: Mapping[str, str]) -> dict[str, Any] | None:
        """An item, the newest being number 0; None for one that was not asked for."""
        slot = int(self.now.timestamp() // EVERY.total_seconds()) - number
        made = datetime.fromtimestamp(slot * EVERY.total_seconds(), UTC)
        if not _is_wanted(declared.cursor, made, query):
            return None
        chance = random.Random(f"item {slot}")  # noqa: S311
        thing = chance.choice(THINGS)
        title = f"{thing}, invented number {slot}"
        item: Any = {
            "id": slot,
            "title": title,
            "url": f"https://example.org/{slot}",
            "updated_at": _iso(made),
        }
        known: dict[str, Any] = {
            "title": title,
            "summary": f"Nobody made these {thing.lower()}; this is a demonstration of Stoma.",
            "url": item["url"],
            "authors": [f"{chance.choice(NAMES)} {chance.choice(SURNAMES)}"],
            "tags": [thing.lower()],
            "published_at": _iso(made),
            "updated_at": _iso(made),
            "kind": "invention",
        }
        for name, path in (declared.config.get("fields") or {}).items():
            item = _with(item, path, known.get(name, f"{name} {slot}"), chance)
        for path in (declared.config.get("measures") or {}).values():
            item = _with(item, path, chance.randint(1, 999), chance)
        if declared.cursor is not None:
            item = placed(item, declared.cursor.field.text, _written(made, declared.cursor.format))
        keys = declared.config.get("key") or ()
        for path in (keys,) if isinstance(keys, str) else keys:
            item = placed(item, path, f"invented-{slot}")
        return dict(item)


def _with(item: Any, path: str | Mapping[str, Any], value: Any, chance: random.Random) -> Any:
    """The item with a value that its config reads; where that cannot be placed, with any that can."""
    text, cast = (path, "") if isinstance(path, str) else (path["path"], path.get("cast", ""))
    if cast in ("int", "float"):
        value = chance.randint(1, 999)
    elif cast == "bool":
        value = chance.random() < 0.5
    with suppress(Unplayable):
        return placed(item, text, value)
    with suppress(Unplayable):
        return readable(item, text)
    return item


def _start(declared: _Declared, query: Mapping[str, str]) -> int:
    """The number of the first item of the page that is asked for."""
    paging = declared.paging
    given = query.get(paging.param if paging.kind in ("page", "offset", "cursor") else MARK, "")
    digits = given.removeprefix("after-")
    if not digits.isdecimal():
        return 0
    number = int(digits)
    if paging.kind == "page":
        return max(0, number - paging.start) * declared.size
    return max(0, number - paging.start) if paging.kind == "offset" else number


def _is_wanted(cursor: Cursor | None, made: datetime, query: Mapping[str, str]) -> bool:
    from stoma.instants import instant_of

    def given(name: str) -> datetime | None:
        try:
            return instant_of(query[name], cursor.format) if cursor is not None and name in query else None
        except ValueError:
            return None

    if cursor is None:
        return True
    since, until = given(cursor.param), given(cursor.until_param)
    return (since is None or made >= since) and (until is None or made <= until)


def _written(made: datetime, form: str) -> str | int:
    from stoma.instants import written

    return written(made, form)


def _iso(made: datetime) -> str:
    return f"{made:%Y-%m-%dT%H:%M:%SZ}"
