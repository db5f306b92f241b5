"""GitHub's page of trending repositories as plain dictionaries, whichever generation of its markup it is of.

There is no contract for this page: rows are found by structure and links, never by the looks of a text, and a page
that has neither rows nor the box that says so is an error, never an empty answer.

2014 to 2016   li.repo-list-item    h3 a, everything else in one line of text, no totals
2016 to 2019   ol.repo-list > li    h3 a, totals as links
2019 on        article.Box-row      h1 or h2 a, totals as links, the number of the repository in data-hydro-click
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from stoma.errors import BadAnswer

if TYPE_CHECKING:
    from stoma.collectors.http import Response

PERIODS = {"today": "daily", "this week": "weekly", "this month": "monthly"}

_NAME = re.compile(r"^(?:https://github\.com)?/([\w.-]+/[\w.-]+)/?(?:\?|$)", re.ASCII)
_NUMBER = re.compile(r'"(?:repository_id|record_id)":([1-9]\d*)\b')
_STARS = re.compile(r"(?<![\d,.])(\d[\d,.]*[km]?) stars?(?: (today|this week|this month))?(?!\w)")
_COUNT = re.compile(r"(\d[\d,]*)(?:(\.\d+)?([km]))?", re.ASCII | re.IGNORECASE)
_ROUNDED = {"k": 1_000, "m": 1_000_000}
_FIELDS = {"stargazers": "stars", "forks": "forks", "network": "forks", "network/members": "forks"}
_HEADINGS = ("h1", "h2", "h3")


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its rows in order, as dictionaries; `period` is daily, weekly or monthly, where the page says so.

    `is_rounded` is True when it writes 1.2k where it wrote 1,234 in all years so far.
    """

    items: list[dict[str, Any]]
    period: str | None
    is_rounded: bool
    url: str
    fetched_at: datetime


def address(config: Mapping[str, Any]) -> str:
    """The path of the page for a language, spelled as GitHub's own menu spells it."""
    slug = "-".join(unquote(str(config.get("language") or "")).lower().split())
    return "/trending" + ("/" + quote(slug, safe="+.*'()") if slug else "")


def read_page(response: Response) -> Page:
    """The rows of a page; raises BadAnswer when it is cut off, another page, or of a markup that is not known."""
    root = _html(response)
    title = _text(root.find(".//title"))
    if "Trending" in title and "developers" in title:
        raise BadAnswer(f"{response.shown} is the page of trending developers, not of repositories")
    period = next((name for words, name in PERIODS.items() if words in title), None)
    rows = list(_rows(root))
    if not rows and not _is_empty(root):
        raise _changed(response, "no repository and no box that says so")
    items = [_item(row, rank, period) for rank, row in enumerate(rows, 1)]
    if rows and not any("full_name" in item for item in items):
        raise _changed(response, f"{len(rows)} rows, but no name of a repository in them")
    # Up to 2016 there were no totals; since then a page where none is found is one that is not understood.
    if rows and not any("stars" in item for item in items) and not _has(rows[0], "repo-list-item"):
        raise _changed(response, f"{len(rows)} rows, but no number of stars in them")
    is_rounded = any(item.pop("is_rounded", False) for item in items)
    return Page(items, period, is_rounded, response.shown, response.fetched_at)


def _changed(response: Response, found: str) -> BadAnswer:
    return BadAnswer(
        f"{response.shown}: markup changed, or not the trending page ({found}); it begins {response.opening!r}",
        "nothing was stored of it; a newer version of Stoma may know the page",
    )


def _html(response: Response) -> Any:
    from lxml import etree

    body = response.body
    if b"</html>" not in body[-2_000:].lower():
        raise BadAnswer(f"{response.shown} is not a whole page; it begins {response.opening!r}")
    try:
        body.decode()
    except UnicodeDecodeError:  # one broken letter must not change how all others are read
        body = body.decode("utf-8", "replace").encode()
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(_without_pictures(body), parser)
    if root is None:
        raise BadAnswer(f"{response.shown} is no page; it begins {response.opening!r}")
    return root


def _without_pictures(body: bytes) -> bytes:
    """The page without its drawings: a thousand of them, and half of the time that it takes to read it."""
    first, *parts = body.split(b"<svg")
    # One that is not closed before the next begins is none of these, and stays.
    ends = (part.partition(b"</svg>") for part in parts)
    return first + b"".join(after if closed else b"<svg" + part for part, closed, after in ends)


def _rows(root: Any) -> Iterator[Any]:
    for element in root.iter("article", "li"):
        if element.tag == "article":
            if _has(element, "Box-row"):
                yield element
        elif _has(element, "repo-list-item") or (
            element.getparent().tag == "ol" and _has(element.getparent(), "repo-list")
        ):
            yield element


def _is_empty(root: Any) -> bool:
    """True when GitHub itself says that nothing is trending."""
    return any(
        "trending repositories" in _text(box)
        for box in root.iterfind(".//*[@class]")
        if _has(box, "blankslate")
    )


def _item(row: Any, rank: int, period: str | None) -> dict[str, Any]:
    item: dict[str, Any] = {"rank": rank}
    heading = next((link for tag in _HEADINGS for link in row.iterfind(f".//{tag}//a[@href]")), None)
    name = _NAME.match(heading.get("href")) if heading is not None else None
    if name is None:
        return item | {"text": _text(row)[:300]}
    item["full_name"] = name[1]
    if number := _number(row):
        item["id"] = number
    meta = next((part for part in row.iterfind(".//p") if _has(part, "repo-list-meta")), None)
    about = next((part for part in row.iterfind(".//p") if part is not meta), None)
    item["description"] = _text(about)
    language = row.find(".//*[@itemprop='programmingLanguage']")
    if language is not None:
        item["language"] = _text(language)
    for link in row.iterfind(".//a[@href]"):
        tail = link.get("href").removeprefix("https://github.com").removeprefix(f"/{name[1]}/")
        field = _FIELDS.get("network/members" if tail.startswith("network/members.") else tail)
        if field and (found := _COUNT.fullmatch(_text(link))):
            item |= {field: _count(found)} | ({"is_rounded": True} if found[3] else {})
    return item | (_of_period(row, period) if meta is None else _of_meta(_text(meta), period))


def _of_period(row: Any, period: str | None) -> dict[str, Any]:
    for span in row.iterfind(".//span[@class]"):
        if "float-" in span.get("class") and (found := _STARS.search(_text(span))):
            return _counted(found, period)
    return {}


def _of_meta(line: str, period: str | None) -> dict[str, Any]:
    """What stood in one line, such as `Ruby • 24 stars today • Built by`; in 2014 the period stood in the title."""
    item: dict[str, Any] = {}
    for part in (part.strip() for part in line.split("•")):
        if found := _STARS.fullmatch(part):
            item |= _counted(found, period)
        elif part and not part.startswith("Built by"):
            item["language"] = part
    return item


def _counted(found: re.Match[str], period: str | None) -> dict[str, Any]:
    period, count = PERIODS.get(found[2] or "", period), _COUNT.fullmatch(found[1])
    if period is None or count is None:
        return {}
    return {"period": period, "period_stars": _count(count)} | ({"is_rounded": True} if count[3] else {})


def _number(row: Any) -> int | None:
    """The number of the repository; None where the row gives none, or two."""
    # Names of tools for measuring clicks: each link of a row carries what it leads to, contributors a null.
    found = {
        number
        for link in row.iterfind(".//a[@data-hydro-click]")
        for number in _NUMBER.findall(link.get("data-hydro-click"))
    }
    return int(found.pop()) if len(found) == 1 else None


def _count(found: re.Match[str]) -> int:
    """A number as the page writes it: 1,234 or 1.2k, which is better than none."""
    whole, fraction, unit = found.groups()
    return round(float(whole.replace(",", "") + (fraction or "")) * _ROUNDED.get((unit or "").lower(), 1))


def _has(element: Any, name: str) -> bool:
    return name in element.get("class", "").split()


def _text(element: Any) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())
