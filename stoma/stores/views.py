"""The columns of records and of each view, with what their cells hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stoma.formats import Column, Type
from stoma.stores.questions import RECORD_FIELDS


def _columns(types: Mapping[Type, str], order: str) -> Sequence[Column]:
    of = {name: type_ for type_, names in types.items() for name in names.split()}
    return tuple(Column(name, of.get(name, "text")) for name in order.split())


RECORDS = _columns(
    {
        "integer": "id version",
        "texts": "authors tags",
        "json": "attributes",
        "instant": "published_at updated_at first_seen_at last_seen_at",
    },
    " ".join(RECORD_FIELDS),
)
"""What is told of a record."""

VIEWS: Mapping[str, Sequence[Column]] = {
    "papers": _columns(
        {
            "integer": "id arxiv_version version",
            "texts": "authors categories",
            "boolean": "is_deleted",
            "instant": "submitted_at updated_at first_seen_at last_seen_at",
        },
        "id arxiv_id title abstract authors categories primary_category arxiv_version doi journal_ref comment pdf_url"
        " url submitted_at updated_at version first_seen_at last_seen_at license report_no is_deleted",
    ),
    "repositories": _columns(
        {
            "integer": "id github_id stars forks open_issues version size_kb stars_daily",
            "texts": "topics",
            "boolean": "is_fork is_archived is_template",
            "instant": "created_at pushed_at first_seen_at last_seen_at",
        },
        "id github_id full_name owner name description language topics license homepage is_fork is_archived url stars"
        " forks open_issues created_at pushed_at version first_seen_at last_seen_at external_id default_branch"
        " is_template size_kb stars_daily",
    ),
    "filings": _columns(
        {
            "integer": "id version",
            "texts": "ciks companies items",
            "instant": "accepted_at first_seen_at last_seen_at",
        },
        "id accession form filing_date accepted_at ciks companies report_date items description primary_document"
        " acceptance_text url version first_seen_at last_seen_at",
    ),
    "transactions": _columns(
        {
            "integer": "id version",
            "texts": "owners",
            "json": "footnotes",
            "boolean": "equity_swap",
            "number": "shares price shares_after value_after conversion_price underlying_shares value",
            "instant": "accepted_at first_seen_at last_seen_at",
        },
        "id accession form filing_date accepted_at issuer_cik issuer ticker owner_cik owner owners role table_name line"
        " security transaction_date code shares price acquired_disposed shares_after value_after ownership"
        " ownership_nature conversion_price exercise_date expiration_date underlying_security underlying_shares"
        " footnotes url version first_seen_at last_seen_at external_id remarks equity_swap value",
    ),
    "entries": _columns(
        {
            "integer": "id comments version",
            "texts": "authors categories",
            "json": "enclosures",
            "instant": "published_at updated_at first_seen_at last_seen_at",
        },
        "id source entry_id title summary content content_type link authors categories enclosures comments_link"
        " comments published_at updated_at version first_seen_at last_seen_at",
    ),
}
"""The columns of each view and what they hold: SQLite cannot tell a truth from a number, or empty JSON from nothing."""

KINDS = {
    "papers": "paper", "repositories": "repository", "filings": "filing", "transactions": "transaction",
    "entries": "entry",
}  # fmt: skip
"""The kind of the records that a view shows."""

SOURCES = {
    "papers": "arxiv", "repositories": "github", "filings": "sec_edgar", "transactions": "sec_edgar",
}  # fmt: skip
"""The only source whose records a view shows; entries are of every source."""
