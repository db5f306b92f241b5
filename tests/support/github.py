"""Plays GitHub's search API over repositories that a test makes up: ranges, order, the cap of 1,000, Link paging."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.support.server import Asked, Reply, Server

Fault = Callable[[Asked, Reply], Reply]
NUMBERS = {"stars": "stargazers_count", "forks": "forks_count"}


def repository(
    number: int, stars: int = 0, created: str = "2020-01-01T00:00:00Z", **more: Any
) -> dict[str, Any]:
    """One item of a search, as short as it can be."""
    full_name = f"owner/name-{number}"
    return {
        "id": number,
        "full_name": full_name,
        "html_url": f"https://github.com/{full_name}",
        "stargazers_count": stars,
        "forks_count": 0,
        "created_at": created,
        **more,
    }


class Github(Server):
    """Answers like the API; `faults` by number of the request, from 1, change its answers."""

    def __init__(self, items: list[dict[str, Any]], faults: Mapping[int, Fault] | None = None) -> None:
        self.items = items
        self.faults = dict(faults or {})
        super().__init__(self._reply)

    def _reply(self, asked: Asked) -> Reply:
        reply = self._answer(asked)
        return self.faults[asked.number](asked, reply) if asked.number in self.faults else reply

    def _answer(self, asked: Asked) -> Reply:
        if asked.path != "/search/repositories":
            return Reply(404, b'{"message":"Not Found"}')
        size, page = int(asked.query.get("per_page", 30)), int(asked.query.get("page", 1))
        if size * page > 1000 + size - 1:
            words = {"message": "Only the first 1000 search results are available"}
            return Reply(422, json.dumps(words).encode())
        found = [item for item in self.items if matches(item, asked.query["q"])]
        if (sort := asked.query.get("sort")) in NUMBERS:
            found.sort(key=lambda item: item[NUMBERS[sort]], reverse=asked.query.get("order") != "asc")
        shown = found[: min(1000, len(found))][size * (page - 1) : size * page]
        body = {"total_count": len(found), "incomplete_results": False, "items": shown}
        links = []
        if size * page < min(1000, len(found)):
            links.append(
                f'<{self.url}{asked.path}?{urlencode(asked.query | {"page": page + 1})}>; rel="next"'
            )
            links.append(f'<{self.url}{asked.path}?{urlencode(asked.query | {"page": 10})}>; rel="last"')
        headers = {"Content-Type": "application/json; charset=utf-8"} | (
            {"Link": ", ".join(links)} if links else {}
        )
        return Reply(200, json.dumps(body).encode(), headers)


def matches(item: dict[str, Any], query: str) -> bool:
    """What GitHub would make of the qualifiers that can be bounded; all other words match everything."""
    of: Callable[[str], Any]
    for name, value in re.findall(r"(?<!\S)(stars|forks|created):(\S+)", query):
        if name == "created":
            of, found = _moment, _moment(item["created_at"])
        else:
            of, found = int, item[NUMBERS[name]]
        low, _, high = value.partition("..")
        assert "" not in (low, high), f"{query} is not spelled as a range"
        if (low != "*" and found < of(low)) or (high != "*" and found > of(high)):
            return False
    return True


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def status(code: int, message: str = "", **headers: str) -> Fault:
    """An answer of another status in place of the true one; `_` in a header's name stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked, reply: Reply(code, json.dumps({"message": message}).encode(), named)


def headed(**headers: str) -> Fault:
    """The true answer with more headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked, reply: replace(reply, headers={**reply.headers, **named})


def edited(**fields: Any) -> Fault:
    """The true answer with other fields."""
    return lambda asked, reply: replace(reply, body=json.dumps(json.loads(reply.body) | fields).encode())
