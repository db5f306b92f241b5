"""The contract of the second stage: a normalizer turns a page of raw items into records."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any, ClassVar

from stoma.records import CollectorResult, Record, Reject

Normalized = Iterable[Record | Reject | Mapping[str, Any]]
"""What `normalize` may give: records, rejects, or mappings with the fields of a record."""


class BaseNormalizer:
    """Turns items into records. Override `normalize_item` for one item, or `normalize` for a page.

    Both may be `async`. An item that raises becomes a Reject with the reason; its page goes on.
    """

    may_give_nothing: ClassVar[bool] = False
    """True where items may rightly become nothing; else a run of which nothing is left is suspect."""

    def prepared(self, config: Mapping[str, Any]) -> BaseNormalizer:
        """The normalizer for a task with this config, whose references are resolved; by default all are alike."""
        return self

    def normalize(self, result: CollectorResult) -> Normalized | Awaitable[Normalized]:
        """All records of a page, in order."""
        if iscoroutinefunction(self.normalize_item):
            return self._awaited(result)
        found: list[Record | Reject | Mapping[str, Any]] = []
        for item in result.items:
            try:
                found.append(self.normalize_item(item, result))
            except (
                Exception
            ) as error:  # a stranger's data may break anything; the item is kept with the reason
                found.append(Reject(f"{type(error).__name__}: {error}", item))
        return found

    async def _awaited(self, result: CollectorResult) -> Normalized:
        """The same where `normalize_item` is `async`: one item after the other."""
        found: list[Record | Reject | Mapping[str, Any]] = []
        for item in result.items:
            try:
                found.append(await self.normalize_item(item, result))  # type: ignore[misc]
            except Exception as error:
                found.append(Reject(f"{type(error).__name__}: {error}", item))
        return found

    def normalize_item(self, item: Any, result: CollectorResult) -> Record | Reject | Mapping[str, Any]:
        """One item as a record; raise to reject it. May be `async`."""
        raise NotImplementedError(f"{type(self).__name__} defines neither normalize nor normalize_item")

    def merged(self, found: Record, stored: Record | None) -> Record | None:
        """What to store of a record that differs from the stored one, or is new; None for nothing.

        For sources that tell of one item in several ways, each of which leaves something out: it must give the same,
        whichever was there first. By default what was found replaces what is stored.
        """
        return found
