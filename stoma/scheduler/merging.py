"""What is stored has its say before a record replaces it, where a normalizer wants that. No transaction is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stoma.normalizers.base import BaseNormalizer
from stoma.records import Record, sealed
from stoma.stores.records import Records

Sealed = tuple[Record, str]
"""A record and its content hash."""


def merges(normalizer: Any) -> bool:
    """True where what becomes of a record depends on what is stored."""
    # What Python brings along need not be of our class.
    merge = getattr(type(normalizer), "merged", None)
    return merge is not None and merge is not BaseNormalizer.merged


def merged(normalizer: Any, records: Sequence[Sealed], known: Records) -> list[Sealed]:
    """The records of a page as they are to be stored; without a normalizer that merges, those that were given."""
    if not records or not merges(normalizer):
        return list(records)
    ids: dict[str, list[str]] = {}
    for record, _ in records:
        ids.setdefault(record.source, []).append(record.external_id)
    stored = {
        (source, key): pair
        for source, keys in ids.items()
        for key, pair in known.stored(source, keys).items()
    }
    found: list[Sealed] = []
    for record, digest in records:
        before, known_digest = stored.get(record.key, (None, None))
        better = record if digest == known_digest else normalizer.merged(record, before)
        if better is not None:
            found.append((record, digest) if better is record else sealed(better))
    return found
