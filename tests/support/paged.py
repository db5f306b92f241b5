"""A paged JSON source on loopback, with a collector that asks for it over HTTP and a normalizer that tests bend.

`fields` names where the title lies and selects nothing; `query` does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stoma.collectors.base import BaseCollector, Collection
from stoma.errors import SourceRefused
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record, Reject
from tests.support.server import Asked, Reply, Server

PATH = "tests.support.paged"


class Paged(Server):
    """Answers `/items?page=N` with the items of that page; change `pages` while it serves."""

    def __init__(self, pages: list[list[dict[str, Any]]]) -> None:
        self.pages = pages
        super().__init__(self._reply)

    def _reply(self, asked: Asked) -> Reply:
        number = int(asked.query["page"])
        if number >= len(self.pages):
            return Reply(404, b"there is no such page")
        body = {"items": self.pages[number], "more": number + 1 < len(self.pages)}
        return Reply(body=json.dumps(body).encode(), headers={"Set-Cookie": "a=b", "ETag": '"x"'})


class PagedCollector(BaseCollector):
    """Asks page by page; with `until_missing` it goes on until a page is refused."""

    source = "paged"
    not_selecting = frozenset({"base_url", "fields", "token"})

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        config = collection.config
        number = collection.progress.page["page"] if collection.progress else 0
        while True:
            page = self._ask(collection, number)
            items = page["items"] if page else []
            is_last = page is None or (not page["more"] and not config.get("until_missing"))
            yield CollectorResult(
                source=self.source,
                items=items,
                url=config["base_url"],
                fetched_at=collection.now,
                next_page=None if is_last else {"page": number + 1},
                window={"begun": collection.now.isoformat()},
                cursor={"page": number},
            )
            if is_last:
                return
            number += 1

    def _ask(self, collection: Collection, number: int) -> Any:
        config = collection.config
        # The moment is part of the address, so that another one would be another request.
        params = {"page": number, "now": collection.now.isoformat(), "q": config.get("query", "")}
        if "token" in config:
            params["token"] = config["token"]
        try:
            return collection.http.get(
                config["base_url"] + "/items",
                params=params,
                headers={"Authorization": str(config.get("token", ""))},
                parse=lambda response: json.loads(response.body),
                explain=lambda response: response.body.decode(),
            )
        except SourceRefused:
            return None


def as_it_is(item: Mapping[str, Any], title: str) -> Record | Reject | Mapping[str, Any]:
    """What the normalizer makes of an item until a test bends it."""
    return Record(
        "paged", str(item["id"]), "entry", title=str(item.get(title, "")), measures={"n": item.get("n", 0)}
    )


class PagedNormalizer(BaseNormalizer):
    """`make` makes the record of an item; None leaves it out."""

    make: Callable[..., Any] = staticmethod(as_it_is)

    def __init__(self, title: str = "name") -> None:
        self.title = title

    def prepared(self, config: Mapping[str, Any]) -> BaseNormalizer:
        return PagedNormalizer((config.get("fields") or {}).get("title", "name"))

    def normalize(self, result: CollectorResult) -> Iterator[Any]:
        for item in result.items:
            try:
                made = type(self).make(item, self.title)
            except ValueError as error:
                made = Reject(str(error), item, str(item.get("id", "")))
            if made is not None:
                yield made


def install(patch: Any) -> None:
    """Make `collector: paged` known, with a normalizer that does what it should."""
    from stoma import collectors, normalizers

    patch.setitem(collectors.COLLECTORS, "paged", f"{PATH}:PagedCollector")
    patch.setitem(normalizers.NORMALIZERS, "paged", f"{PATH}:PagedNormalizer")
    patch.setattr(PagedNormalizer, "make", staticmethod(as_it_is))
