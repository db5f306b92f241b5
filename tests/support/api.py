"""A JSON API on loopback that pages in every way, bounds by `since` and `until`, and misbehaves on request.

    with Api(items(250)) as api:
        config = {"url": f"{api.url}/page", "paging": {"page": {"size_param": "size", "size": 100}}}

`/list` answers with a bare list; `/page`, `/offset`, `/cursor`, `/next` and `/link` with pages of at most `most` items.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.support.server import Asked, Reply, Server

Fault = Callable[[Asked, Reply], Reply]
JSON = {"Content-Type": "application/json; charset=utf-8"}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def items(count: int, *, hours: int = 1, first: int = 0) -> list[dict[str, Any]]:
    """Items with ids from `first` on, each some hours younger than the one before."""
    return [
        {
            "id": number,
            "title": f"Item {number}",
            "url": f"https://example.org/{number}",
            "updated_at": text(BEGAN + timedelta(hours=hours * number)),
        }
        for number in range(first, first + count)
    ]


def text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer in JSON."""
    return Reply(status, json.dumps(value).encode(), {**JSON, **(headers or {})})


def status(code: int, message: str = "", **headers: str) -> Fault:
    """An answer of another status in place of the true one; `_` in a header's name stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked, _: reply({"message": message}, code, named)


class Api(Server):
    """The items in order; `faults` by number of the request, from 1."""

    def __init__(
        self, given: list[Any], faults: Mapping[int, Fault] | None = None, *, most: int = 100, **also: Any
    ) -> None:
        """`also` stands in each answer beside the items."""
        self.items = given
        self.faults = dict(faults or {})
        self.most = most
        self.also = also
        super().__init__(self._reply)

    @property
    def asked(self) -> list[dict[str, str]]:
        """The parameters of each request."""
        return [one.query for one in self.requests]

    def _reply(self, asked: Asked) -> Reply:
        true = self._answer(asked)
        fault = self.faults.get(asked.number)
        return fault(asked, true) if fault else true

    def _answer(self, asked: Asked) -> Reply:
        told: dict[str, Any] = dict(asked.query)
        if asked.body:
            body = json.loads(asked.body)
            told |= body.get("variables", body)
        found = [one for one in self.items if _is_wanted(one, told)]
        size = min(self.most, int(told.get("size") or self.most))
        kind = asked.path.rsplit("/", 1)[-1]
        if kind == "list":
            return reply(found)
        if kind == "page":
            at = (int(told.get("page") or 1) - 1) * size
        elif kind == "offset":
            at = int(told.get("offset") or 0)
        else:
            at = int(told.get("cursor") or 0)
        shown, behind = found[at : at + size], at + size
        answer = {"total": len(found), "items": shown, **self.also}
        onward = behind if behind < len(found) else None
        further = f"{asked.path}?{urlencode(asked.query | {'cursor': behind})}" if onward else None
        if kind == "cursor":
            answer["next"] = str(onward) if onward else None
        if kind == "next":
            answer["links"] = {"next": further}
        links = (
            {"Link": f'<{further}>; rel="next", </last>; rel="last"'} if kind == "link" and further else {}
        )
        return reply(answer, headers=links)


def _is_wanted(item: Any, told: Mapping[str, Any]) -> bool:
    changed = item.get("updated_at", "") if isinstance(item, dict) else ""
    return str(told.get("since", "")) <= changed and (not told.get("until") or changed <= str(told["until"]))
