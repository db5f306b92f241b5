"""An insider form (3, 4 or 5) as plain dictionaries of raw text, out of the text file of its submission.

The file is an SGML header, whose acceptance time is always Eastern, and documents; the form is an `ownershipDocument`
in XML. Before June 2003 forms were plain text, and some still come on paper: those have no such document.
"""

from __future__ import annotations

import re
from typing import Any

from stoma.collectors.edgar_xml import xml_root

INSIDER_FORMS = frozenset({"3", "4", "5", "3/A", "4/A", "5/A"})

_ACCEPTED = re.compile(rb"<ACCEPTANCE-DATETIME>\s*(\d{14})")
_HEADER_END = b"</SEC-HEADER>"
# Some files lie in an envelope of privacy-enhanced mail.
_ENDS = (b"</SEC-DOCUMENT>", b"-----END PRIVACY-ENHANCED MESSAGE-----")
_PARTY = re.compile(rb"CONFORMED NAME:[ \t]*([^\r\n]*)\s+CENTRAL INDEX KEY:[ \t]*(\d{1,10})")
_DOCUMENT = re.compile(rb"<XML>\s*(.*?)\s*</XML>", re.DOTALL | re.IGNORECASE)

TABLES = {"nonDerivativeTable": "non_derivative", "derivativeTable": "derivative"}
LINES = {
    "nonDerivativeTransaction": "transaction",
    "derivativeTransaction": "transaction",
    "nonDerivativeHolding": "holding",
    "derivativeHolding": "holding",
}
# Leaves of a line, whatever lies around them, and our names for them.
FIELDS = {
    "securityTitle": "security",
    "transactionDate": "date",
    "deemedExecutionDate": "deemed_date",
    "transactionFormType": "reported_on",
    "transactionCode": "code",
    "equitySwapInvolved": "equity_swap",
    "transactionTimeliness": "timeliness",
    "transactionShares": "shares",
    "transactionTotalValue": "total_value",
    "transactionPricePerShare": "price",
    "transactionAcquiredDisposedCode": "acquired_disposed",
    "sharesOwnedFollowingTransaction": "shares_after",
    "valueOwnedFollowingTransaction": "value_after",
    "directOrIndirectOwnership": "ownership",
    "natureOfOwnership": "ownership_nature",
    "conversionOrExercisePrice": "conversion_price",
    "exerciseDate": "exercise_date",
    "expirationDate": "expiration_date",
    "underlyingSecurityTitle": "underlying_security",
    "underlyingSecurityShares": "underlying_shares",
    "underlyingSecurityValue": "underlying_value",
}
ROLES = {
    "isDirector": "director",
    "isOfficer": "officer",
    "isTenPercentOwner": "ten_percent_owner",
    "isOther": "other",
}
TRUE = frozenset({"1", "true"})


def is_submission(body: bytes) -> bool:
    """True for the text file of a submission: it has a header with the time of acceptance."""
    return _ACCEPTED.search(body) is not None


def is_whole(body: bytes) -> bool:
    """True for the text file of a submission that goes on to its end."""
    return is_submission(body) and body.rstrip().endswith(_ENDS)


def read_submission(body: bytes) -> dict[str, Any]:
    """The insider form in the text file of a submission; raises ValueError saying why there is none."""
    accepted, document = _ACCEPTED.search(body), _DOCUMENT.search(body)
    if accepted is None:
        raise ValueError("its text file has no header with the time of acceptance")
    if document is None:
        raise ValueError("its text file holds no XML: it is of before 2003, or came on paper")
    parties = {
        cik.decode().zfill(10): " ".join(name.decode("latin-1").split())
        for name, cik in _PARTY.findall(body.partition(_HEADER_END)[0])
    }
    return {"accepted": accepted[1].decode(), "parties": parties, **read_form(document[1])}


def read_form(body: bytes) -> dict[str, Any]:
    """An `ownershipDocument` as raw text by name; raises ValueError when it is none."""
    root = xml_root(body)
    if root.tag != "ownershipDocument":
        raise ValueError(f"its XML is a {str(root.tag)[:40]}, not an ownershipDocument")
    return {
        "form": _text(root, "documentType"),
        "period": _text(root, "periodOfReport"),
        "original_date": _text(root, "dateOfOriginalSubmission"),
        "remarks": _text(root, "remarks"),
        "issuer": {
            "cik": _text(root, "issuer/issuerCik"),
            "name": _text(root, "issuer/issuerName"),
            "ticker": _text(root, "issuer/issuerTradingSymbol"),
        },
        "owners": [_owner(node) for node in root.iterfind("reportingOwner")],
        "lines": [
            _line(node, TABLES[table.tag])
            for table in root
            if table.tag in TABLES
            for node in table
            if node.tag in LINES
        ],
        "footnotes": {
            note.get("id", ""): " ".join("".join(note.itertext()).split())
            for note in root.iterfind("footnotes/footnote")
        },
    }


def _owner(node: Any) -> dict[str, Any]:
    relation = "reportingOwnerRelationship"
    return {
        "cik": _text(node, "reportingOwnerId/rptOwnerCik"),
        "name": _text(node, "reportingOwnerId/rptOwnerName"),
        "roles": [role for tag, role in ROLES.items() if _text(node, f"{relation}/{tag}").lower() in TRUE],
        "title": _text(node, f"{relation}/officerTitle") or _text(node, f"{relation}/otherText"),
    }


def _line(node: Any, table: str) -> dict[str, Any]:
    line: dict[str, Any] = {"table": table, "line": LINES[node.tag], "notes": {}}
    for leaf in node.iter():
        name = FIELDS.get(leaf.tag)
        if name is None:
            # A note may hang on a group, such as the coding of a transaction: then it is of the whole line.
            name = "line" if leaf.tag != "footnoteId" and leaf.tag != "value" else None
        elif text := _text(leaf, "value") or " ".join((leaf.text or "").split()):
            line[name] = text
        notes = [note.get("id", "") for note in leaf.iterfind("footnoteId")] if name else []
        if name and notes:
            line["notes"].setdefault(name, []).extend(notes)
    return line


def _text(node: Any, path: str) -> str:
    return " ".join((node.findtext(path) or "").split())
