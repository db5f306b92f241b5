"""What flows through a run: pages of raw items, the records made of them, and items that could not become one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from math import isfinite
from typing import Any

import orjson

from stoma.references import holds_secret, mask_data

LONGEST_ID = 500
"""Characters of an external id: what an index can carry, with room."""

_TEXT = frozenset({str})
_PLAIN = (str, str, str, str, str, str, tuple, tuple, dict)
_AS_HASHED = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z

Json = Any
"""A value that JSON can carry."""


@dataclass(frozen=True, slots=True)
class CollectorResult:
    """One page: its raw items, and where the next one starts."""

    source: str
    items: Sequence[Any]
    url: str
    fetched_at: datetime
    # From where the next page continues; None says that this page is the last.
    next_page: Json = None
    # What this collection covers; kept by a run that resumes.
    window: Mapping[str, Json] = field(default_factory=dict)
    # The watermark that becomes the cursor when the run completes; None leaves the cursor alone.
    cursor: Mapping[str, Json] | None = None
    # How many items the whole collection will bring, where the source says so: for progress bars.
    expected: int | None = None
    # What is odd although the run completes, in words: it stands beside the run. The last page's counts.
    remark: str = ""
    # How many items the source said were not modified (304) instead of sending them; they count as seen and unchanged.
    unmodified: int = 0
    # A hash of the answer, where these are all of its items: the same answer brings the same ones. Empty: unknown.
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One normalised item, unique by `(source, external_id)`.

    `attributes` is what belongs to the item and may change its version; `measures` is what is only measured
    (stars, rank) and never does. Instants are aware UTC.
    """

    source: str
    external_id: str
    kind: str
    title: str = ""
    summary: str = ""
    url: str = ""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    published_at: datetime | None = None
    updated_at: datetime | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What makes the record unique."""
        return (self.source, self.external_id)


def is_plain(record: Record) -> bool:
    """True where a glance shows that `checked` would find nothing, and instants are in UTC: so are nearly all."""
    published, updated = record.published_at, record.updated_at
    return (
        (
            type(record.source), type(record.external_id), type(record.kind), type(record.title),
            type(record.summary), type(record.url), type(record.authors), type(record.tags),
            type(record.attributes),
        ) == _PLAIN
        and 0 < len(record.external_id) <= LONGEST_ID
        and _TEXT.issuperset(map(type, record.authors + record.tags))
        and (published is None or (type(published) is datetime and published.tzinfo is UTC))
        and (updated is None or (type(updated) is datetime and updated.tzinfo is UTC))
        and not record.measures
    )  # fmt: skip


def checked(record: Record) -> Record:
    """The record, if it has the types and sizes that every store can keep; raises ValueError saying what is wrong."""
    texts = (record.source, record.external_id, record.kind, record.title, record.summary, record.url)
    if not _are_texts(texts):
        raise ValueError(next(_no_texts(record)))
    if not record.external_id:
        raise ValueError("it has no external_id")
    if len(record.external_id) > LONGEST_ID:
        raise ValueError(
            f"external_id has {len(record.external_id)} characters, at most {LONGEST_ID} are kept"
        )
    for name, names in (("authors", record.authors), ("tags", record.tags)):
        if not isinstance(names, tuple) or not _are_texts(names):
            raise ValueError(f"{name}: found {_called(names)}, expected texts")
    for name, value in (("published_at", record.published_at), ("updated_at", record.updated_at)):
        if value is None or getattr(value, "tzinfo", None) is UTC:
            continue
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise ValueError(f"{name}: found {_called(value)}, expected an instant with its zone")
    # The plain kind first: the others are asked for at length.
    if type(record.attributes) is not dict and not isinstance(record.attributes, Mapping):
        raise ValueError(f"attributes: found {_called(record.attributes)}, expected a mapping")
    for name, measure in record.measures.items():
        if isinstance(measure, bool) or not isinstance(measure, int | float) or not isfinite(measure):
            raise ValueError(f"measures: {name} is {_called(measure)}, expected a number")
    return record


def _are_texts(values: tuple[Any, ...]) -> bool:
    # By their types first: that is quick, and enough for nearly all.
    return _TEXT.issuperset(map(type, values)) or all(isinstance(value, str) for value in values)


def _no_texts(record: Record) -> Iterator[str]:
    """What is wrong with the fields that are no text."""
    for name in ("source", "external_id", "kind", "title", "summary", "url"):
        if not isinstance(value := getattr(record, name), str):
            yield f"{name}: found {_called(value)}, expected text"


def _called(value: Any) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def sealed(record: Record) -> tuple[Record, str]:
    """The record as every store can keep it, and its content hash.

    The hash is 32 hex digits over everything but what is only measured: equal hashes mean nothing really
    changed. Characters that a database cannot hold (NUL, lone surrogates) become U+FFFD, and secrets that a source
    echoes become `***`. Raises ValueError where an id holds one: masked it would be another id.
    """
    try:
        packed = _packed(record)
    except orjson.JSONEncodeError:
        packed = b"\\u0000"
    # One letter is found many times faster than several.
    if b"\\" in packed and b"\\u0000" in packed:
        record = replace(record, **{name: holdable(getattr(record, name)) for name in Record.__slots__})
        packed = _packed(record)
    if holds_secret(packed):
        if holds_secret(record.external_id.encode("utf-8", "replace")):
            raise ValueError(
                "external_id: it holds a secret of the configuration; take the id from another field"
            )
        record = replace(record, **{name: mask_data(getattr(record, name)) for name in _MASKED})
        packed = _packed(record)
    return record, blake2b(packed, digest_size=16).hexdigest()


_MASKED = tuple(name for name in Record.__slots__ if name not in {"source", "external_id", "measures"})
"""Everything else that a source may have written."""


def _packed(record: Record) -> bytes:
    content = [
        record.external_id,
        record.kind,
        record.title,
        record.summary,
        record.url,
        record.authors,
        record.tags,
        record.published_at,
        record.updated_at,
        record.attributes,
    ]
    return orjson.dumps(content, option=_AS_HASHED)


def holdable(value: Any) -> Any:
    """A value as every database can hold it: NUL and lone surrogates become U+FFFD, also deep inside."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, Mapping):
        return {holdable(str(key)): holdable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(holdable(inner) for inner in value)
    return value


@dataclass(frozen=True, slots=True)
class Reject:
    """An item that could not be normalised, with the reason; its page goes on without it."""

    reason: str
    item: Any
    external_id: str = ""
