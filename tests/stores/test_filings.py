"""The views `filings` and `transactions` on both databases: a run of the collector, seen in EDGAR's words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stoma.normalizers.sec_edgar import SecEdgarNormalizer
from stoma.records import CollectorResult, Record, checked, sealed
from stoma.stores import Store
from stoma.stores.records import Prepared, save
from tests.support.edgar import accession

FILING: dict[str, Any] = {
    "accession": accession(1),
    "form": "8-K",
    "filed": "20251211",
    "ciks": ["0000320193"],
    "names": ["A CO"],
}
LISTED = {"report_date": "2025-12-10", "items": "2.02,9.01", "primary_document": "a.htm", "description": "8-K",
          "acceptance_text": "2025-12-11T18:34:19.000Z"}  # fmt: skip
FORM: dict[str, Any] = {
    "accepted": "20251211180001",
    "parties": {"0000320193": "A CO", "0000000007": "Doe Jane"},
    "form": "4",
    "period": "2025-12-10",
    "original_date": "",
    "remarks": "",
    "issuer": {"cik": "320193", "name": "A CO", "ticker": "A"},
    "owners": [{"cik": "0000000007", "name": "Doe Jane", "roles": ["director", "ten_percent_owner"], "title": ""}],
    "lines": [
        {"table": "non_derivative", "line": "transaction", "notes": {"price": ["F1"]}, "security": "Common",
         "date": "2025-12-10", "code": "S", "shares": "1500", "price": "66.903", "acquired_disposed": "D",
         "shares_after": "37565.5", "ownership": "D"},
        {"table": "derivative", "line": "holding", "notes": {}, "security": "Option"},
    ],
    "footnotes": {"F1": "On average."},
}  # fmt: skip


def put(store: Store, *items: dict[str, Any]) -> None:
    result = CollectorResult(source="sec_edgar", items=items, url="http://x", fetched_at=store.now())
    made = list(SecEdgarNormalizer().normalize(result))
    records = [sealed(checked(one)) for one in made if isinstance(one, Record)]
    assert len(records) == len(made)
    with store.database.transaction() as tx:
        save(tx, Prepared.of(records), "t", 1, store.now())


def test_a_filing_seen_by_feed_index_and_list(store: Store) -> None:
    put(store, FILING | {"accepted": "2025-12-11T13:34:19-05:00"})
    put(store, FILING | LISTED)
    put(store, FILING)
    put(store, FILING | {"accession": accession(2), "form": "10-K"})
    with store.database.reader() as reader:
        second, first = reader.all("filings_newest", limit=10)
    assert first["accession"] == accession(1)
    assert (first["form"], first["filing_date"]) == ("8-K", "2025-12-11")
    assert first["accepted_at"] == datetime(2025, 12, 11, 18, 34, 19, tzinfo=UTC)
    assert (first["ciks"], first["companies"]) == (["0000320193"], ["A CO"])
    assert first["items"] == ["2.02", "9.01"]
    assert first["report_date"] == "2025-12-10"
    assert first["primary_document"].endswith("/000100000025000001/a.htm")
    # Whichever way it came, it is one record of one version.
    assert first["version"] == 1
    assert (second["form"], second["accepted_at"], second["items"]) == ("10-K", None, None)


def test_the_lines_of_an_insider_form(store: Store) -> None:
    put(store, FILING | {"form": "4", "insider": FORM})
    with store.database.reader() as reader:
        holding, sale = reader.all("transactions_newest", limit=10)
        [filing] = reader.all("filings_newest", limit=10)
    assert filing["accepted_at"] == sale["accepted_at"] == datetime(2025, 12, 11, 23, 0, 1, tzinfo=UTC)
    expected = {
        "accession": accession(1), "form": "4", "filing_date": "2025-12-11", "issuer_cik": "0000320193",
        "issuer": "A CO", "ticker": "A", "owner_cik": "0000000007", "owner": "Doe Jane", "owners": ["Doe Jane"],
        "role": "director, ten percent owner", "table_name": "non_derivative", "line": "transaction",
        "security": "Common", "transaction_date": "2025-12-10", "code": "S", "shares": 1500, "price": 66.903,
        "acquired_disposed": "D", "shares_after": 37565.5, "ownership": "D",
        "footnotes": [{"on": "price", "text": "On average."}],
    }  # fmt: skip
    assert {name: sale[name] for name in expected} == expected
    assert (holding["line"], holding["table_name"], holding["shares"]) == ("holding", "derivative", None)
    assert holding["footnotes"] is None


def test_a_captured_form(store: Store, recorded: Path) -> None:
    from stoma.collectors.edgar_forms import read_submission

    body = (recorded / "sec_edgar/form4_submission_0001127602-25-001055.txt").read_bytes()
    put(store, FILING | {"accession": "0001127602-25-001055", "form": "4", "insider": read_submission(body)})
    with store.database.reader() as reader:
        [sale] = reader.all("transactions_newest", limit=10)
    assert (sale["shares"], sale["price"], sale["shares_after"]) == (1500, 66.903, 37565)
