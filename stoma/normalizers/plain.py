"""Items that are records already: what a collector of your own gives, where no normalizer is named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record
from stoma.wording import did_you_mean

FIELDS = tuple(Record.__slots__)


class PlainNormalizer(BaseNormalizer):
    """Mappings whose keys are the fields of a record; days and instants may be ISO 8601 texts, UTC without a zone."""

    def normalize_item(self, item: Any, result: CollectorResult) -> Record | Mapping[str, Any]:
        """The item as it is; raises ValueError naming what is no field of a record."""
        if isinstance(item, Record):
            return item
        if not isinstance(item, Mapping):
            raise ValueError(
                f"found a value of type {type(item).__name__}, expected a mapping with the fields of a record"
            )
        for key in item:
            if key not in FIELDS:
                near = did_you_mean(str(key), FIELDS)
                raise ValueError(f'"{key}" is no field of a record{near}; attributes hold what else is known')
        found = dict(item)
        if isinstance(number := found.get("external_id"), int) and not isinstance(number, bool):
            found["external_id"] = str(number)
        for name in ("published_at", "updated_at"):
            if isinstance(text := found.get(name), str):
                found[name] = _instant(name, text)
        return found


def _instant(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r} is not a date") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
