"""GitHub as of 2026: the page of trending repositories and the search API, played over invented repositories."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import quote, unquote, urlencode

from stoma.demo.answer import Answer
from stoma.demo.repositories import Repository, everything, invent, named, trending

HTML = "text/html; charset=utf-8"
JSON = "application/json; charset=utf-8"
MOST = 1_000
PERIODS = {"daily": "today", "weekly": "this week", "monthly": "this month"}

_SLUG = re.compile(r"/trending(?:/([^/]+))?/?")
_WORD = re.compile(r'(-?)(?:(\w+):)?("[^"]*"|\S+)')
_NUMBERS = {"stars": Repository.stars, "forks": Repository.forks}

Test = Callable[[Repository], bool]


class Github:
    """Plays `/trending` and `/search/repositories`."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def answer(self, path: str, query: Mapping[str, str]) -> Answer:
        """The page, the results of a search, or what GitHub says of anything else."""
        if slug := _SLUG.fullmatch(path):
            return Answer(200, self._page(unquote(slug[1] or ""), query.get("since", "daily")).encode(), HTML)
        if path == "/search/repositories":
            return self._search(query)
        return _json(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})

    def _page(self, slug: str, since: str) -> str:
        since = since if since in PERIODS else "daily"
        language = named(slug)
        rows = [
            _row(repository, count, PERIODS[since], slug, self.now)
            for repository, count in trending(self.now, language, since)
        ]
        shown = f"{escape(language.title() if language.islower() else language)} " if language else ""
        return (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"<title>Trending {shown}repositories on GitHub {PERIODS[since]} · GitHub</title>\n</head>\n<body>\n"
            f"<div data-hpc>\n{''.join(rows)}</div>\n</body>\n</html>\n"
        )

    def _search(self, query: Mapping[str, str]) -> Answer:
        text = query.get("q", "").strip()
        size, page = _number(query, "per_page", 30), _number(query, "page", 1)
        if not text or size is None or page is None:
            errors = [{"resource": "Search", "field": "q", "code": "missing"}]
            return _json(422, {"message": "Validation Failed", "errors": errors})
        size = min(size, 100)
        if size * (page - 1) >= MOST:
            return _json(422, {"message": "Only the first 1000 search results are available"})
        found = self._found(text, query.get("sort", ""), query.get("order", "desc"))
        shown = min(len(found), MOST)
        items = [_item(one, self.now) for one in found[size * (page - 1) : min(size * page, MOST)]]
        body = {"total_count": len(found), "incomplete_results": False, "items": items}
        return _json(200, body, _links(query, page, -(-shown // size)) | self._limits())

    def _found(self, text: str, sort: str, order: str) -> list[Repository]:
        tests = [_test(minus, name, value, self.now) for minus, name, value in _WORD.findall(text)]
        asked = [
            named(value.strip('"'))
            for name, value in re.findall(r"(\w+):(\"[^\"]*\"|\S+)", text)
            if name == "language"
        ]
        pool = [one for language in asked for one in invent(language)] if asked else everything()
        found = [one for one in pool if all(test(one) for test in tests)]
        keys: dict[str, Callable[[Repository], Any]] = {
            "stars": lambda one: one.stars(self.now),
            "forks": lambda one: one.forks(self.now),
            "updated": lambda one: one.pushed(self.now),
        }
        return sorted(found, key=keys.get(sort, keys["stars"]), reverse=order != "asc")

    def _limits(self) -> dict[str, str]:
        reset = int((self.now + timedelta(minutes=1)).timestamp())
        told = {"limit": 30, "remaining": 29, "reset": reset, "used": 1, "resource": "search"}
        return {f"X-RateLimit-{name.title()}": str(value) for name, value in told.items()}


def _row(repository: Repository, count: int, period: str, slug: str, now: datetime) -> str:
    """A row with its elements in the order of 2026."""
    click = {
        "event_type": "explore.click",
        "payload": {
            "click_context": "TRENDING_REPOSITORIES_PAGE",
            "click_target": "REPOSITORY",
            "record_id": repository.number,
            "originating_url": f"https://github.com/trending/{slug}",
            "user_id": None,
        },
    }
    path = f"/{repository.full_name}"
    language = (
        '      <span class="tmp-mr-3 d-inline-block ml-0 tmp-ml-0">\n  <span class="repo-language-color"></span>\n'
        f'  <span itemprop="programmingLanguage">{escape(repository.language)}</span>\n</span>\n'
    )
    muted = 'data-view-component="true" class="tmp-mr-3 Link Link--muted d-inline-block"'
    return f"""\
<article class="Box-row">
  <h2 class="h3 lh-condensed">
    <a data-hydro-click="{escape(json.dumps(click, separators=(",", ":")))}" href="{path}" class="Link">
      <span data-view-component="true" class="text-normal">
        {repository.owner} /
</span>
      {repository.name}</a>  </h2>
    <p class="col-9 color-fg-muted my-1 tmp-pr-4">
      {escape(repository.description)}
    </p>
  <div class="f6 color-fg-muted mt-2">
{language}
      <a href="{path}/stargazers" {muted}>
        {repository.stars(now):,}</a>
      <a href="{path}/forks" {muted}>
        {repository.forks(now):,}</a>
      <span data-view-component="true" class="d-inline-block float-sm-right">
        {count:,} stars {period}
</span>  </div>
</article>
"""


def _item(repository: Repository, now: datetime) -> dict[str, Any]:
    """An item of a search with the fields that say something about it."""
    license_ = repository.license
    return {
        "id": repository.number,
        "name": repository.name,
        "full_name": repository.full_name,
        "private": False,
        "owner": {"login": repository.owner, "type": "Organization"},
        "html_url": f"https://github.com/{repository.full_name}",
        "description": repository.description,
        "fork": False,
        "created_at": _utc(repository.created),
        "updated_at": _utc(repository.pushed(now)),
        "pushed_at": _utc(repository.pushed(now)),
        "homepage": None,
        "size": repository.start // 3,
        "stargazers_count": repository.stars(now),
        "watchers_count": repository.stars(now),
        "language": repository.language,
        "forks_count": repository.forks(now),
        "mirror_url": None,
        "archived": False,
        "disabled": False,
        "open_issues_count": repository.start % 89,
        "license": {"key": license_.lower(), "spdx_id": license_} if license_ else None,
        "is_template": False,
        "topics": list(repository.topics),
        "visibility": "public",
        "default_branch": "main",
        "score": 1.0,
    }


def _test(minus: str, name: str, value: str, now: datetime) -> Test:
    """One word of a query; a qualifier that is not played matches everything."""
    value = value.strip('"')
    test = _qualified(name, value, now) if name else _said(value)
    return (lambda one: not test(one)) if minus else test


def _said(word: str) -> Test:
    if word in ("AND", "OR", "NOT"):
        return lambda one: True
    return lambda one: word.lower() in f"{one.full_name} {one.description} {' '.join(one.topics)}".lower()


def _qualified(name: str, value: str, now: datetime) -> Test:
    if name == "language":
        return lambda one: one.language.lower() == named(value).lower()
    if name == "topic":
        return lambda one: value.lower() in one.topics
    if name in _NUMBERS:
        count, is_inside = _NUMBERS[name], _range(value, float)
        return lambda one: is_inside(count(one, now))
    if name in ("created", "pushed"):
        is_inside = _range(value, _seconds)
        if name == "created":
            return lambda one: is_inside(one.created.timestamp())
        return lambda one: is_inside(one.pushed(now).timestamp())
    return lambda one: True


def _range(value: str, of: Callable[[str], float]) -> Callable[[float], bool]:
    """`>=10`, `10..20`, `*..20` or `10` as a test of a number; what is none of these is true of every number."""
    try:
        low, dots, high = value.partition("..")
        if dots:
            least = float("-inf") if low == "*" else of(low)
            most = float("inf") if high == "*" else of(high) + _day_of(high)
            return lambda number: least <= number <= most
        sign = value[: len(value) - len(value.lstrip("<>="))]
        bound, end = of(value[len(sign) :]), _day_of(value[len(sign) :])
    except ValueError:
        return lambda number: True
    return {
        ">": lambda number: number > bound + end,
        ">=": lambda number: number >= bound,
        "<": lambda number: number < bound,
        "<=": lambda number: number <= bound + end,
    }.get(sign, lambda number: bound <= number <= bound + end)


def _day_of(text: str) -> float:
    """A day is all its seconds."""
    return 86_399.0 if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else 0.0


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _links(query: Mapping[str, str], page: int, last: int) -> dict[str, str]:
    """Where the search goes on, by the address of the answer itself."""
    pages = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    wanted = {"prev", "first"} if page > 1 else set()
    wanted |= {"next", "last"} if page < last else set()
    found = [
        f'<?{urlencode({**query, "page": number}, quote_via=quote)}>; rel="{rel}"'
        for rel, number in pages.items()
        if rel in wanted
    ]
    return {"Link": ", ".join(found)} if found else {}


def _number(query: Mapping[str, str], name: str, default: int) -> int | None:
    text = query.get(name, "") or str(default)
    return int(text) if re.fullmatch(r"[1-9]\d{0,8}", text) else None


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(body).encode(), JSON, headers or {})


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
