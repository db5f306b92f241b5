"""Records of every kind that are hard to write down, for both databases."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from stoma.records import Record, checked, sealed
from stoma.stores import Store
from stoma.stores.records import Prepared, save

NASTY = 'a "b", c\\\r\nd\n=1+1\té\u2028\x01\x1f\x7f\b\f \U0001f600 <&>'
NUMBERS = {
    "z": [1, 1.0, 0.1, -2.5e-7, 1e15, 1.5e300, 2**53 + 1, 2**63, 0, True, None],
    "a": {"nested": {"b": [], "aa": {}, "a": ""}, "é": NASTY},
    "longer key": '", "',
}


def put(store: Store, records: Iterable[Record], task: str = "t", run_id: int = 1) -> None:
    """Save records as a run would."""
    with store.database.transaction() as tx:
        save(tx, Prepared.of(sealed(checked(one)) for one in records), task, run_id, store.now())


def plain(count: int, first: int = 1, **fields: Any) -> list[Record]:
    """Records that differ in their number."""
    given = {"source": "s", "kind": "item"} | fields
    return [Record(external_id=str(n), title=f"Title {n}", **given) for n in range(first, first + count)]


def every_kind() -> list[Record]:
    """Records of each kind that a view shows, and some that none shows."""
    at = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    paper = {
        "primary_category": "cs.LG",
        "version": 2,
        "doi": "10.1/x",
        "comment": NASTY,
        "pdf_url": "http://x",
    }
    repository = {
        "owner": "o", "name": "n", "language": "Rust", "topics": ["b", '", "', "a"], "license": "MIT",
        "homepage": "", "is_fork": False, "is_archived": True,
    }  # fmt: skip
    filing = {"form": "8-K", "filing_date": "2026-05-06", "ciks": ["0000320193", "7"], "items": ["2.02"]}
    transaction = {
        "accession": "0-1", "form": "4", "table": "derivative", "shares": 1500, "price": 66.903, "value_after": 0.1,
        "footnotes": {"price": ["F1"], "b": {"z": 1, "a": 2}},
    }  # fmt: skip
    entry = {"content": NASTY, "content_type": "text/html", "enclosures": [{"url": "http://x", "length": 5}]}
    return [
        Record(
            "arxiv", "2605.00001", "paper", NASTY, NASTY, "http://x", ("Á. B", NASTY), ("cs.LG", '", "'), at,
            at.replace(microsecond=120), paper,
        ),
        Record("arxiv", "2605.00002", "paper", attributes={"version": 1}),
        Record(
            "github", "7", "repository", "o/n", published_at=at, attributes=repository,
            measures={"stars": 1510, "forks": 0, "open_issues": 3, "pushed_at": at.timestamp()},
        ),
        Record("github", "o/old", "repository", "O/old", attributes={"owner": "O", "name": "old"}),
        Record(
            "sec_edgar", "0-1", "filing", "t", authors=("A CO", "Doe Jane"), attributes=filing,
            measures={"accepted_at": at.timestamp()},
        ),
        Record(
            "sec_edgar", "details:0-1", "filing_details",
            attributes={"report_date": "2026-05-05", "items": ["9.01"], "primary_document": "a.htm"},
        ),
        Record(
            "sec_edgar", "0-1:1", "transaction", authors=("Doe Jane",), published_at=at, attributes=transaction
        ),
        Record("blog", "e", "entry", "T", attributes=entry, measures={"comments": 3}),
        Record("own", "n", "thing", attributes=NUMBERS, published_at=datetime(1, 2, 3, 4, 5, 6, 700, tzinfo=UTC)),
    ]  # fmt: skip
