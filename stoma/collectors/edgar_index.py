"""EDGAR's index files as filings: `master` (fields between bars) or `form` (columns), daily or quarterly.

A filing has one row for each of its filers and subjects, far apart in the file; here it is one item with all CIKs.
Layout: https://www.sec.gov/os/accessing-edgar-data
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from stoma.errors import BadAnswer

if TYPE_CHECKING:
    from stoma.collectors.http import Response

IsWanted = Callable[[str], bool]

_DASHES = re.compile(rb"^-{20,} *\r?$", re.MULTILINE)
_ACCESSION = re.compile(r"\d{10}-\d\d-\d{6}", re.ASCII)
# From the right, where nothing overruns its column: path, date, then the CIK, which the path names too.
_FORM_ROW = re.compile(r"(.*?) *(\d{8}|\d{4}-\d\d-\d\d) +(edgar/\S+)$", re.ASCII)
_PATH_CIK = re.compile(r"edgar/data/(\d{1,10})/", re.ASCII)
_FORM_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Index:
    """The wanted rows of one index file, `cik|name|form|date|path` each, in the order of their accessions."""

    rows: list[str]
    # Those of all forms, wanted or not.
    total: int
    url: str
    fetched_at: datetime

    def filings(self, after: str = "") -> Iterator[dict[str, Any]]:
        """One item for each accession later than `after`; a row that cannot be read is an item with its fault."""
        last = ""
        item: dict[str, Any] | None = None
        is_accession = _ACCESSION.fullmatch
        for row in self.rows:
            accession = row[-24:-4]
            if accession <= after:
                continue
            parts = row.split("|")
            if len(parts) != 5:
                parts = _parts(row)
            cik, name, form, filed, _ = parts
            if accession == last and item is not None and cik.isdecimal():
                padded = cik.zfill(10)
                if padded not in item["ciks"]:
                    item["ciks"].append(padded)
                    item["names"].append(name)
                continue
            if item is not None:
                yield item
            item = None
            if not (cik.isdecimal() and len(cik) <= 10 and is_accession(accession)):
                yield {"accession": accession, "fault": "the index has a row that cannot be read", "row": row}
                continue
            last = accession
            item = {
                "accession": accession,
                "form": form,
                "filed": filed,
                "ciks": [cik.zfill(10)],
                "names": [name],
            }
        if item is not None:
            yield item

    def mark(self) -> str:
        """A hash of the rows, by which a later reading knows whether they changed; empty for an empty file."""
        if not self.total:
            return ""
        found = blake2b(digest_size=8)
        for row in self.rows:
            found.update(row.encode("latin-1", "replace"))
        return found.hexdigest()

    def accessions(self) -> Iterator[str]:
        """The accession of each row."""
        return (row[-24:-4] for row in self.rows)


def daily_path(day: date, kind: str) -> str:
    """Where the index of one day lies, `kind` master or form."""
    return f"/Archives/edgar/daily-index/{day.year}/QTR{(day.month + 2) // 3}/{kind}.{day:%Y%m%d}.idx"


def read_index(response: Response, is_wanted: IsWanted | None = None) -> Index:
    """The rows of an index whose form is wanted; raises BadAnswer when the answer is no index."""
    rule = _DASHES.search(response.body)
    heading = response.body[: rule.start()] if rule else b""
    is_master = b"CIK|Company Name|Form Type" in heading
    if rule is None or not (is_master or b"Form Type" in heading):
        raise BadAnswer(f"{response.shown} is no EDGAR index; it begins {response.opening!r}")
    # ISO-8859-1, never UTF-8. No copies that are not needed: a busy day has 20 MB and more.
    rows = str(memoryview(response.body)[rule.end() :], "latin-1").replace("\r", "").split("\n")
    rows = [row for row in rows if row and not row.isspace()]
    if not is_master:
        rows = [_from_columns(row.rstrip()) for row in rows]
    # Every line of a whole file has its end, but for files that somebody has taken it from.
    if rows and not response.body.endswith(b"\n") and not _ACCESSION.fullmatch(_accession(rows[-1])):
        raise BadAnswer(f"{response.shown} is cut off within its last row: {rows[-1][-80:]!r}")
    total = len(rows)
    if is_wanted is not None:
        known: dict[str, bool] = {}
        kept = []
        for row in rows:
            form = _parts(row)[2]
            if form not in known:
                # What cannot be read has no form; it is kept, and told.
                known[form] = not form or is_wanted(form)
            if known[form]:
                kept.append(row)
        rows = kept
    rows.sort(key=_accession)
    return Index(rows, total, response.shown, response.fetched_at)


def _accession(row: str) -> str:
    return row[-24:-4]


def _parts(row: str) -> list[str]:
    """The five fields of a row, whatever its name holds; empty ones where it is none."""
    cik, _, rest = row.partition("|")
    fields = rest.rsplit("|", 3)
    return [cik, *fields] if len(fields) == 4 else ["", row, "", "", ""]


def _from_columns(row: str) -> str:
    """A row of a form index as one of a master index; unchanged where that cannot be."""
    match = _FORM_ROW.match(row)
    path_cik = _PATH_CIK.match(match[3]) if match else None
    if match is None or path_cik is None:
        return row
    head, filed, path = match.groups()
    # A name as long as its column touches the CIK; only the path tells where one ends and the other begins.
    cik = path_cik[1]
    if not head.endswith(cik):
        return row
    form, name = head[:_FORM_WIDTH].strip(), head[_FORM_WIDTH : -len(cik)].strip()
    return f"{cik}|{name}|{form}|{filed}|{path}"
