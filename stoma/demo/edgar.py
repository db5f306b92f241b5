"""SEC EDGAR as of 2026: indexes, the feed of the latest filings, lists by company and insider forms, all invented."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape

from stoma.demo.answer import Answer
from stoma.demo.filings import (
    INSIDER_FORMS,
    NEW_YORK,
    Company,
    Filing,
    back_from,
    companies,
    company,
    day_of,
    is_business_day,
    of_company,
    of_day,
)

ATOM = "application/atom+xml"
XML = "application/xml"
JSON = "application/json"
DEEPEST = 5_000
LISTED_DAYS = 400
"""How far back the list of a company reaches."""

_INDEX = re.compile(r"/Archives/edgar/daily-index/\d{4}/QTR[1-4]/master\.(\d{4})(\d\d)(\d\d)\.idx")
_SUBMISSION = re.compile(r"/Archives/edgar/data/\d+/((\d{10})-\d\d-\d{6})\.txt")
_LIST = re.compile(r"/submissions/CIK(\d{10})\.json")


class Edgar:
    """Plays www.sec.gov and data.sec.gov."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.today = now.astimezone(NEW_YORK).date()
        self._known = {one.cik: one for one in companies()}

    def declare(self, task_id: str, config: Mapping[str, Any]) -> str:
        """A task that will ask: the companies that it names exist."""
        taken = {one.ticker for one in self._known.values()}
        for number, ticker in enumerate(config.get("tickers") or ()):
            spelled = str(ticker).strip().upper().replace(".", "-").replace("/", "-")
            if spelled not in taken:
                cik = (
                    9_400_000_000
                    + sum(ord(letter) * 97**place for place, letter in enumerate(spelled)) % 10**8
                )
                self._known[cik + number] = company(cik + number, ticker=spelled)
        return ""

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """A file, the feed, or S3's refusal of what is not there."""
        if found := _INDEX.fullmatch(path):
            return self._index(*map(int, found.groups()))
        if path == "/cgi-bin/browse-edgar":
            return self._feed(query)
        if found := _SUBMISSION.fullmatch(path):
            return self._submission(found[1], int(found[2]))
        if found := _LIST.fullmatch(path):
            return self._list(int(found[1]))
        if path == "/files/company_tickers.json":
            listed = [
                {"cik_str": one.cik, "ticker": one.ticker, "title": one.name} for one in self._known.values()
            ]
            return _json({str(number): entry for number, entry in enumerate(listed)})
        return _absent("AccessDenied")

    def _index(self, year: int, month: int, day: int) -> Answer:
        try:
            asked = date(year, month, day)
        except ValueError:
            return _absent("AccessDenied")
        if not is_business_day(asked) or asked >= self.today:
            return _absent("AccessDenied")
        rows = sorted(
            f"{cik}|{name}|{filing.form}|{asked:%Y%m%d}|edgar/data/{cik}/{filing.accession}.txt"
            for filing in of_day(asked, self.now)
            for name, cik, _ in filing.parties
        )
        head = (
            "Description:           Daily Index of EDGAR Dissemination Feed\n"
            f"Last Data Received:    {asked:%b %e, %Y}\n"
            "Comments:              webmaster@sec.gov\n"
            "Anonymous FTP:         ftp://ftp.sec.gov/edgar/\n \n"
            f"CIK|Company Name|Form Type|Date Filed|File Name\n{'-' * 80}\n"
        )
        return Answer(200, (head + "".join(f"{row}\n" for row in rows)).encode("ascii"), "text/plain")

    def _feed(self, query: Mapping[str, str]) -> Answer:
        start = int(query.get("start") or 0)
        count = int(query.get("count") or 40)
        if start > DEEPEST:
            page = b"<html><head><title>SEC.gov | File Unavailable</title></head><body></body></html>"
            return Answer(503, page, "text/html")
        # On a day without filings the ones before stay up; two days are more than a feed shows.
        filings = [filing for day in back_from(self.today, 4) for filing in of_day(day, self.now)]
        filings = [filing for filing in filings if filing.form.startswith(query.get("type", ""))]
        filings.sort(key=lambda filing: (filing.accepted, filing.accession), reverse=True)
        entries = [_entry(filing, *party) for filing in filings for party in filing.parties]
        local = self.now.astimezone(NEW_YORK)
        page = (
            '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
            f"<title>Latest Filings - {local:%a, %d %b %Y %H:%M:%S %Z}</title>\n"
            "<id>https://www.sec.gov/cgi-bin/browse-edgar?action=getcurrent</id>\n"
            "<author><name>Webmaster</name><email>webmaster@sec.gov</email></author>\n"
            f"<updated>{local:%Y-%m-%dT%H:%M:%S}{_offset(local)}</updated>\n"
            f"{''.join(entries[start : start + count])}</feed>\n"
        ).encode("latin-1")
        return Answer(200, page, ATOM)

    def _submission(self, accession: str, cik: int) -> Answer:
        day = day_of(accession)
        filing = of_company(self._company(cik), day, self.now) if day else None
        if filing is None or filing.accession != accession:
            return _absent("NoSuchKey", 404)
        return Answer(200, _text_file(filing).encode("ascii"), "text/plain")

    def _list(self, cik: int) -> Answer:
        one = self._company(cik)
        days = back_from(self.today, LISTED_DAYS)
        found = [filing for day in days if (filing := of_company(one, day, self.now)) is not None]
        table = {
            "accessionNumber": [filing.accession for filing in found],
            "filingDate": [filing.filed.isoformat() for filing in found],
            "reportDate": [filing.filed.isoformat() for filing in found],
            "acceptanceDateTime": [f"{filing.accepted:%Y-%m-%dT%H:%M:%S}.000Z" for filing in found],
            "form": [filing.form for filing in found],
            "items": ["2.02,9.01" if filing.form == "8-K" else "" for filing in found],
            "primaryDocument": ["document.htm" for _ in found],
            "primaryDocDescription": [filing.form for filing in found],
        }
        body = {
            "cik": f"{cik:010}",
            "name": one.name,
            "tickers": [one.ticker],
            "formerNames": [],
            "filings": {"recent": table, "files": []},
        }
        return _json(body)

    def _company(self, cik: int) -> Company:
        # Whichever company a configuration names, there is one.
        return self._known.get(cik) or company(cik)


def _entry(filing: Filing, name: str, cik: int, role: str) -> str:
    folder = f"https://www.sec.gov/Archives/edgar/data/{cik}/{filing.accession.replace('-', '')}"
    return (
        f"<entry>\n<title>{filing.form} - {escape(name)} ({cik:010}) ({role})</title>\n"
        f'<link rel="alternate" type="text/html" href="{folder}/{filing.accession}-index.htm"/>\n'
        f'<summary type="html">\n &lt;b&gt;Filed:&lt;/b&gt; {filing.filed} &lt;b&gt;AccNo:&lt;/b&gt; '
        f"{filing.accession} &lt;b&gt;Size:&lt;/b&gt; 10 KB\n</summary>\n"
        f"<updated>{filing.accepted:%Y-%m-%dT%H:%M:%S}{_offset(filing.accepted)}</updated>\n"
        f'<category scheme="https://www.sec.gov/" label="form type" term="{filing.form}"/>\n'
        f"<id>urn:tag:sec.gov,2008:accession-number={filing.accession}</id>\n</entry>\n"
    )


def _text_file(filing: Filing) -> str:
    """The text file of a submission: its header, and the insider form where it is one."""
    parties = "".join(
        f"\n{role}:\n\n\tDATA:\n\t\tCOMPANY CONFORMED NAME:\t\t\t{name}\n\t\tCENTRAL INDEX KEY:\t\t\t{cik:010}\n"
        for name, cik, role in filing.parties
    )
    document = f"<XML>\n{_form(filing)}</XML>" if filing.form in INSIDER_FORMS else "<p>Invented.</p>"
    return (
        f"<SEC-DOCUMENT>{filing.accession}.txt : {filing.filed:%Y%m%d}\n"
        f"<SEC-HEADER>{filing.accession}.hdr.sgml : {filing.filed:%Y%m%d}\n"
        f"<ACCEPTANCE-DATETIME>{filing.accepted:%Y%m%d%H%M%S}\n"
        f"ACCESSION NUMBER:\t\t{filing.accession}\nCONFORMED SUBMISSION TYPE:\t{filing.form}\n"
        f"FILED AS OF DATE:\t\t{filing.filed:%Y%m%d}\n{parties}</SEC-HEADER>\n"
        f"<DOCUMENT>\n<TYPE>{filing.form}\n<SEQUENCE>1\n<FILENAME>form.xml\n<TEXT>\n{document}\n</TEXT>\n"
        "</DOCUMENT>\n</SEC-DOCUMENT>\n"
    )


def _form(filing: Filing) -> str:
    chance = random.Random(f"form {filing.accession}")  # noqa: S311
    held = chance.randint(1_000, 90_000)
    lines = []
    for _ in range(chance.randint(1, 3)):
        code, sign = chance.choice((("P", "A"), ("S", "D")))
        shares = chance.randint(10, 900)
        held += shares if sign == "A" else -shares
        lines.append(_line(filing.filed, code, sign, shares, chance.randint(100, 9_900) / 100, held))
    original = (
        f"<dateOfOriginalSubmission>{filing.filed}</dateOfOriginalSubmission>\n"
        if "/A" in filing.form
        else ""
    )
    one = filing.company
    return (
        '<?xml version="1.0"?>\n<ownershipDocument>\n<schemaVersion>X0508</schemaVersion>\n'
        f"<documentType>{filing.form}</documentType>\n<periodOfReport>{filing.filed}</periodOfReport>\n{original}"
        f"<issuer><issuerCik>{one.cik:010}</issuerCik><issuerName>{escape(one.name)}</issuerName>"
        f"<issuerTradingSymbol>{one.ticker}</issuerTradingSymbol></issuer>\n"
        f"<reportingOwner><reportingOwnerId><rptOwnerCik>{filing.owner_cik:010}</rptOwnerCik>"
        f"<rptOwnerName>{escape(filing.owner)}</rptOwnerName></reportingOwnerId>"
        "<reportingOwnerRelationship><isOfficer>1</isOfficer><officerTitle>Chief Teapot Officer</officerTitle>"
        "</reportingOwnerRelationship></reportingOwner>\n"
        f"<nonDerivativeTable>\n{''.join(lines)}</nonDerivativeTable>\n"
        '<footnotes><footnote id="F1">A price that nobody paid.</footnote></footnotes>\n'
        f"<ownerSignature><signatureName>/s/ {escape(filing.owner)}</signatureName>"
        f"<signatureDate>{filing.filed}</signatureDate></ownerSignature>\n</ownershipDocument>\n"
    )


def _line(day: date, code: str, sign: str, shares: int, price: float, held: int) -> str:
    return (
        "<nonDerivativeTransaction><securityTitle><value>Common Stock</value></securityTitle>"
        f"<transactionDate><value>{day}</value></transactionDate><transactionCoding>"
        f"<transactionFormType>4</transactionFormType><transactionCode>{code}</transactionCode>"
        "<equitySwapInvolved>0</equitySwapInvolved></transactionCoding><transactionAmounts>"
        f"<transactionShares><value>{shares}</value></transactionShares><transactionPricePerShare>"
        f'<value>{price:.2f}</value><footnoteId id="F1"/></transactionPricePerShare>'
        f"<transactionAcquiredDisposedCode><value>{sign}</value></transactionAcquiredDisposedCode>"
        "</transactionAmounts><postTransactionAmounts><sharesOwnedFollowingTransaction>"
        f"<value>{held}</value></sharesOwnedFollowingTransaction></postTransactionAmounts>"
        "<ownershipNature><directOrIndirectOwnership><value>D</value></directOrIndirectOwnership>"
        "</ownershipNature></nonDerivativeTransaction>\n"
    )


def _offset(local: datetime) -> str:
    text = f"{local:%z}"
    return f"{text[:3]}:{text[3:]}"


def _json(body: Mapping[str, Any]) -> Answer:
    return Answer(200, json.dumps(body).encode(), JSON)


def _absent(code: str, status: int = 403) -> Answer:
    """What the storage behind EDGAR says of a file that does not exist."""
    words = "Access Denied" if status == 403 else "The specified key does not exist."
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{words}</Message></Error>'
    return Answer(status, body.encode(), XML)
