"""The collector of the crash campaign: three pages, a moment for each, and now and then a failure."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

from stoma.collectors.base import BaseCollector, Collection
from stoma.errors import BadAnswer, SourceRefused
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record
from tests.campaigns.crashes import PAGES, PER_PAGE


class Crashing(BaseCollector):
    """Numbers its items by page, so that a page that came twice would be seen."""

    source = "crashing"
    origin = "http://127.0.0.1"

    def collect(self, collection: Collection) -> Iterator[CollectorResult]:
        name = collection.config["name"]
        start = collection.progress.page["page"] if collection.progress else 0
        for number in range(start, PAGES):
            time.sleep(random.uniform(0.0, 0.12))
            # Behind a page of its own: who never gets further gives its place up, and its pages come again.
            if name == "flaky" and number > start and random.random() < 0.4:
                raise random.choice([BadAnswer("a bad day"), SourceRefused("go away")])
            is_last = number + 1 == PAGES
            yield CollectorResult(
                source=self.source,
                items=[{"n": f"{name}/{number}/{k}"} for k in range(PER_PAGE)],
                url=f"http://127.0.0.1/{number}",
                fetched_at=collection.now,
                next_page=None if is_last else {"page": number + 1},
                window={"begun": collection.now.isoformat()},
                cursor={"page": number},
            )


class Plain(BaseNormalizer):
    """Each item is a record."""

    def normalize_item(self, item: Any, result: CollectorResult) -> Record:
        return Record(result.source, item["n"], "entry", title=f"Item {item['n']}")
