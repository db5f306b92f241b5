"""arXiv's query API as of 2026, played over invented papers; OAI-PMH beside it stands in arxiv_oai.py."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from xml.sax.saxutils import escape, quoteattr

from stoma.demo import arxiv_oai
from stoma.demo.answer import Answer
from stoma.demo.papers import Paper, invent

ATOM = "application/atom+xml; charset=utf-8"
DEFAULT_RESULTS, MOST_RESULTS = 10, 30_000
SORTS: dict[str, Callable[[Paper], datetime]] = {
    "relevance": lambda paper: paper.published,
    "submittedDate": lambda paper: paper.published,
    "lastUpdatedDate": lambda paper: paper.updated,
}

_ID = re.compile(r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(v\d+)?")
_TOKEN = re.compile(r'[()]|submittedDate:\[[^\]]*\]|(?:\w+:)?"[^"]*"|[^\s()"]+')
_DATES = re.compile(r"submittedDate:\[(\d+) TO (\d+)\]")

Test = Callable[[Paper], bool]


class _Wrong(Exception):
    """A parameter that arXiv would refuse."""


class Arxiv:
    """Plays `/api/query` and `/oai`."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.papers = invent(now)

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """A page of papers, or an error as the interface words it."""
        if path == "/oai":
            return arxiv_oai.answer(self.papers, self.now, query)
        if path != "/api/query":
            return Answer(404, b"Not Found")
        try:
            return Answer(200, self._page(query), ATOM)
        except _Wrong as wrong:
            return Answer(400, self._error(str(wrong)), ATOM)

    def _page(self, query: Mapping[str, str]) -> bytes:
        start = _number(query, "start", 0)
        size = _number(query, "max_results", DEFAULT_RESULTS)
        if size > MOST_RESULTS:
            raise _Wrong(f"max_results must not exceed {MOST_RESULTS}")
        found = self._found(query)
        head = {name: query.get(name, "") for name in ("search_query", "id_list")}
        asked = "&".join(f"{name}={value}" for name, value in head.items())
        asked += f"&start={start}&max_results={size}"
        entries = "".join(_entry(paper) for paper in found[start : start + size])
        return self._feed(f"arXiv Query: {asked}", asked, size, len(found), start, entries)

    def _found(self, query: Mapping[str, str]) -> list[Paper]:
        ids = [one.strip() for one in query.get("id_list", "").split(",") if one.strip()]
        papers = self.papers
        if ids:
            known = {paper.id: paper for paper in papers}
            for one in ids:
                if not _ID.fullmatch(one):
                    raise _Wrong(f"incorrect id format for {one}")
            papers = [known[bare] for one in ids if (bare := one.partition("v")[0]) in known]
        words = query.get("search_query", "").strip()
        if words:
            matches = _search(words)
            papers = [paper for paper in papers if matches(paper)]
        elif not ids:
            papers = []
        sort = SORTS.get(query.get("sortBy", "relevance"))
        order = query.get("sortOrder", "descending")
        if sort is None or order not in ("ascending", "descending"):
            raise _Wrong("sortBy or sortOrder is not one of the known values")
        if ids and not words and "sortBy" not in query:
            return papers
        return sorted(papers, key=sort, reverse=order == "descending")

    def _error(self, reason: str) -> bytes:
        link = "https://arxiv.org/api/errors#" + re.sub(r"\W+", "_", reason)
        entry = (
            f"  <entry>\n    <id>{escape(link)}</id>\n    <title>Error</title>\n"
            f"    <updated>{_utc(self.now)}</updated>\n"
            f'    <link href={quoteattr(link)} rel="alternate" type="text/html"/>\n'
            f"    <summary>{escape(reason)}</summary>\n"
            "    <author>\n      <name>arXiv api core</name>\n    </author>\n  </entry>\n"
        )
        return self._feed("arXiv Search Results", "", 1, 1, 0, entry)

    def _feed(self, title: str, asked: str, size: int, total: int, start: int, entries: str) -> bytes:
        mark = base64.b64encode(hashlib.sha256(asked.encode()).digest()[:20]).decode().rstrip("=")
        return (
            "<?xml version='1.0' encoding='UTF-8'?>\n"
            '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"'
            ' xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">\n'
            f"  <id>https://arxiv.org/api/{mark}</id>\n"
            f"  <title>{escape(title)}</title>\n"
            f"  <updated>{_utc(self.now)}</updated>\n"
            f'  <link href={quoteattr("https://arxiv.org/api/query?" + asked)} type="application/atom+xml"/>\n'
            f"  <opensearch:itemsPerPage>{size}</opensearch:itemsPerPage>\n"
            f"  <opensearch:totalResults>{total}</opensearch:totalResults>\n"
            f"  <opensearch:startIndex>{start}</opensearch:startIndex>\n"
            f"{entries}</feed>\n"
        ).encode()


def _entry(paper: Paper) -> str:
    """An entry with its elements in the order of 2026."""
    name = f"{paper.id}v{paper.version}"
    scheme = 'scheme="http://arxiv.org/schemas/atom"'
    lines = [
        "  <entry>",
        f"    <id>http://arxiv.org/abs/{name}</id>",
        f"    <title>{escape(paper.title)}</title>",
        f"    <updated>{_utc(paper.updated)}</updated>",
        f'    <link href="https://arxiv.org/abs/{name}" rel="alternate" type="text/html"/>',
        f'    <link href="https://arxiv.org/pdf/{name}" rel="related" type="application/pdf" title="pdf"/>',
        f"    <summary>{escape(paper.summary)}</summary>",
        *(f'    <category term="{category}" {scheme}/>' for category in paper.categories),
        f"    <published>{_utc(paper.published)}</published>",
        f"    <arxiv:comment>{escape(paper.comment)}</arxiv:comment>",
        f'    <arxiv:primary_category term="{paper.categories[0]}"/>',
    ]
    if paper.journal_ref:
        lines.append(f"    <arxiv:journal_ref>{escape(paper.journal_ref)}</arxiv:journal_ref>")
    lines += [f"    <author>\n      <name>{escape(author)}</name>\n    </author>" for author in paper.authors]
    if paper.doi:
        lines.append(f"    <arxiv:doi>{paper.doi}</arxiv:doi>")
        lines.append(f'    <link rel="related" href="https://doi.org/{paper.doi}" title="doi"/>')
    return "\n".join([*lines, "  </entry>\n"])


def _search(query: str) -> Test:
    """A query as a test of one paper, read loosely from left to right; without an operator either word will do."""
    tokens = _TOKEN.findall(query)

    def group() -> Test:
        test: Test | None = None
        operator = "OR"
        while tokens:
            word = tokens.pop(0)
            if word == ")":
                break
            if word in ("AND", "OR", "ANDNOT"):
                operator = word
                continue
            term = group() if word == "(" else _term(word)
            test = term if test is None else _joined(test, operator, term)
            operator = "OR"
        return test or (lambda paper: False)

    return group()


def _joined(left: Test, operator: str, right: Test) -> Test:
    if operator == "AND":
        return lambda paper: left(paper) and right(paper)
    if operator == "ANDNOT":
        return lambda paper: left(paper) and not right(paper)
    return lambda paper: left(paper) or right(paper)


def _term(word: str) -> Test:
    if dates := _DATES.fullmatch(word):
        first, last = dates.groups()
        return lambda paper: first <= f"{paper.published:%Y%m%d%H%M}" <= last
    field, colon, value = word.partition(":")
    if not colon:
        field, value = "all", word
    value = value.strip('"').lower()
    if field == "cat":
        return lambda paper: any(fnmatchcase(category.lower(), value) for category in paper.categories)
    return lambda paper: value in _field(paper, field).lower()


def _field(paper: Paper, field: str) -> str:
    fields = {
        "ti": paper.title,
        "abs": paper.summary,
        "au": " ".join(paper.authors),
        "co": paper.comment,
        "jr": paper.journal_ref,
        "id": paper.id,
    }
    return fields[field] if field in fields else " ".join(fields.values())


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "").strip() or str(default)
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise _Wrong(f"{name} must be an integer")
    if int(text) < 0:
        raise _Wrong(f"{name} must be non-negative")
    return int(text)


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
