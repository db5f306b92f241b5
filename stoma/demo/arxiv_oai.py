"""arXiv's OAI-PMH interface as of 2025, played over invented papers: by datestamp, with tokens that last for a day."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape, quoteattr

from stoma.demo.answer import Answer
from stoma.demo.papers import Paper

XML = "text/xml; charset=utf-8"
AT_ONCE = 100
ARGUMENTS = frozenset({"verb", "metadataPrefix", "set", "from", "until", "resumptionToken"})
PHYSICS = frozenset({"astro-ph", "cond-mat", "gr-qc", "hep-th", "hep-ph", "quant-ph", "physics"})

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class _Wrong(Exception):
    """An error of the protocol: its code, and what is wrong."""


def answer(papers: Sequence[Paper], now: datetime, query: Mapping[str, str]) -> Answer:
    """The records or their headers, or an error in a 200 answer, as the protocol has it."""
    shown = "".join(f" {name}={quoteattr(value)}" for name, value in query.items() if name in ARGUMENTS)
    try:
        body = _listing(papers, now, query)
    except _Wrong as wrong:
        code, text = wrong.args
        body = f"<error code={quoteattr(code)}>{escape(text)}</error>\n"
        shown = "" if code in ("badVerb", "badArgument") else shown
    return Answer(
        200,
        (
            "<?xml version='1.0' encoding='UTF-8'?>\n"
            '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">\n'
            f"<responseDate>{now:%Y-%m-%dT%H:%M:%SZ}</responseDate>\n"
            f"<request{shown}>http://oaipmh.arxiv.org/oai</request>\n"
            f"{body}</OAI-PMH>\n"
        ).encode(),
        XML,
    )


def _listing(papers: Sequence[Paper], now: datetime, query: Mapping[str, str]) -> str:
    verb = query.get("verb", "")
    if verb not in ("ListRecords", "ListIdentifiers"):
        raise _Wrong("badVerb", "only ListRecords and ListIdentifiers are played here")
    if unknown := sorted(set(query) - ARGUMENTS):
        raise _Wrong("badArgument", f"{unknown[0]} is no argument of {verb}")
    asked, skip = _asked(query, now)
    found = sorted(
        (paper for paper in papers if _matches(paper, asked)), key=lambda p: (p.updated.date(), p.id)
    )
    if not found:
        raise _Wrong("noRecordsMatch", "no record changed then")
    page = found[skip : skip + AT_ONCE]
    records = "".join(_header(paper) if verb == "ListIdentifiers" else _record(paper) for paper in page)
    token = ""
    if skip + AT_ONCE < len(found):
        kept = {**asked, "skip": str(skip + AT_ONCE), "issued": f"{now:%Y-%m-%d}"}
        token = f"<resumptionToken>{escape(urlencode(kept))}</resumptionToken>\n"
    return f"<{verb}>\n{records}{token}</{verb}>\n"


def _asked(query: Mapping[str, str], now: datetime) -> tuple[dict[str, str], int]:
    token = query.get("resumptionToken")
    if token is None:
        if query.get("metadataPrefix") != "arXiv":
            raise _Wrong("cannotDisseminateFormat", "only the format arXiv is played here")
        asked = {name: query[name] for name in ("set", "from", "until") if query.get(name)}
        for name in ("from", "until"):
            if name in asked and not _DAY.fullmatch(asked[name]):
                raise _Wrong("badArgument", f"{name} must be a day like 2026-01-31")
        if asked.get("from", "") > asked.get("until", "9999"):
            raise _Wrong("badArgument", "from is later than until")
        return asked, 0
    if set(query) != {"verb", "resumptionToken"}:
        raise _Wrong("badArgument", "a resumptionToken stands alone")
    kept = dict(parse_qsl(token))
    if kept.pop("issued", "") != f"{now:%Y-%m-%d}" or not kept.get("skip", "").isdecimal():
        raise _Wrong("badResumptionToken", "the token has expired")
    return kept, int(kept.pop("skip"))


def _matches(paper: Paper, asked: Mapping[str, str]) -> bool:
    day, wanted = f"{paper.updated:%Y-%m-%d}", asked.get("set")
    if not asked.get("from", "") <= day <= asked.get("until", "9999"):
        return False
    return wanted is None or any(f"{spec}:".startswith(f"{wanted}:") for spec in _specs(paper))


def _specs(paper: Paper) -> list[str]:
    found = []
    for category in paper.categories:
        archive, _, part = category.partition(".")
        group = "physics" if archive in PHYSICS else archive
        found.append(":".join([group, archive, *([part] if part else [])]))
    return found


def _header(paper: Paper) -> str:
    specs = "".join(f"  <setSpec>{spec}</setSpec>\n" for spec in _specs(paper))
    return (
        f"<header>\n  <identifier>oai:arXiv.org:{paper.id}</identifier>\n"
        f"  <datestamp>{paper.updated:%Y-%m-%d}</datestamp>\n{specs}</header>\n"
    )


def _record(paper: Paper) -> str:
    updated = f"<updated>{paper.updated:%Y-%m-%d}</updated>" if paper.version > 1 else ""
    authors = "".join(
        f"<author><keyname>{escape(key)}</keyname><forenames>{escape(fore)}</forenames></author>"
        for fore, _, key in (author.rpartition(" ") for author in paper.authors)
    )
    journal = f"<journal-ref>{escape(paper.journal_ref)}</journal-ref>" if paper.journal_ref else ""
    doi = f"<doi>{escape(paper.doi)}</doi>" if paper.doi else ""
    return (
        f"<record>\n{_header(paper)}<metadata>\n"
        ' <arXiv xmlns="http://arxiv.org/OAI/arXiv/">\n'
        f" <id>{paper.id}</id><created>{paper.published:%Y-%m-%d}</created>{updated}<authors>{authors}</authors>"
        f"<title>{escape(paper.title)}</title><categories>{' '.join(paper.categories)}</categories>"
        f"<comments>{escape(paper.comment)}</comments>{journal}{doi}"
        "<license>http://creativecommons.org/publicdomain/zero/1.0/</license>"
        f"<abstract>  {escape(paper.summary)}\n</abstract></arXiv>\n</metadata>\n</record>\n"
    )
