"""A collector and normalizer that tests write the script of; all else on the road is real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stoma.collectors.base import BaseCollector, Collection, Estimate
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record

PATH = "tests.support.scripted"


class Script:
    """Pages of numbers: page n holds `per_page` items; `before_page` may raise, hang or look."""

    def __init__(self, pages: int = 3, per_page: int = 10) -> None:
        self.pages = pages
        self.per_page = per_page
        self.before_page: Callable[[int, Collection], None] = lambda number, collection: None
        self.asked: list[int] = []
        self.collections: list[Collection] = []
        self.hanging = threading.Event()
        # How many items of the last page were not modified.
        self.unmodified = 0

    def items(self, number: int) -> list[dict[str, Any]]:
        return [{"n": number * self.per_page + k} for k in range(self.per_page)]


SCRIPTS: dict[str, Script] = {}


class ScriptedCollector(BaseCollector):
    source = "scripted"
    origin = "http://127.0.0.1"
    not_selecting = frozenset({"page_size"})

    def estimate(self, collection: Collection) -> Estimate:
        script = SCRIPTS[collection.config["script"]]
        return Estimate(script.pages, script.pages * script.per_page, "127.0.0.1", is_told=True)

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        script = SCRIPTS[collection.config["script"]]
        script.collections.append(collection)
        start = collection.progress.page["page"] if collection.progress else 0
        # Each window of the past has items of its own.
        shift = collection.span.first.toordinal() * 1000 if collection.span else 0
        for number in range(start, script.pages):
            script.asked.append(number)
            script.before_page(number, collection)
            is_last = number + 1 == script.pages
            yield CollectorResult(
                source=self.source,
                items=[item | {"n": item["n"] + shift} if shift else item for item in script.items(number)],
                url=f"http://127.0.0.1/{number}",
                fetched_at=collection.now,
                next_page=None if is_last else {"page": number + 1},
                window={"begun": collection.now.isoformat()},
                cursor={"page": number},
                expected=script.pages * script.per_page,
                unmodified=script.unmodified if is_last else 0,
            )


class ScriptedNormalizer(BaseNormalizer):
    def normalize_item(self, item: Any, result: CollectorResult) -> Record | Mapping[str, Any]:
        if item.get("bad"):
            raise ValueError("bad item")
        return Record(
            result.source, str(item["n"]), "entry", title=f"Item {item['n']}", measures={"n": item["n"]}
        )


def install(patch: Any, name: str = "s") -> Script:
    """Make `collector: scripted` known, with a fresh script called `name`."""
    from stoma import collectors, normalizers

    patch.setitem(collectors.COLLECTORS, "scripted", f"{PATH}:ScriptedCollector")
    patch.setitem(normalizers.NORMALIZERS, "scripted", f"{PATH}:ScriptedNormalizer")
    script = Script()
    patch.setitem(SCRIPTS, name, script)
    return script
