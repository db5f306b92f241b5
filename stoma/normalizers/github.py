"""GitHub repositories as records of kind `repository`: one for each, whichever mode brought it.

A search tells all of it, a row of the trending page a part: `merged` lets the row keep what its page cannot know, so
that neither mode undoes what the other wrote. Why: docs/decisions/0010-github-key.md
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult, Record, Reject

_FULL_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)

# Measures by the name of the field that tells them, in a row of the page or an item of a search.
OF_ROW = {"stars": "stars", "forks": "forks"}
OF_ITEM = {
    "stars": "stargazers_count",
    "forks": "forks_count",
    "open_issues": "open_issues_count",
    "size_kb": "size",
}
DETAILS = {
    "homepage": "homepage",
    "default_branch": "default_branch",
    "mirror_url": "mirror_url",
    "is_fork": "fork",
    "is_archived": "archived",
    "is_template": "is_template",
}
# What only a search tells; `topics` is there even when there are none, and so says that a search has spoken.
ONE_SIDED = (*DETAILS, "license", "topics")

# An emoji as it is written, and as it is drawn: symbols, what joins them, and digits in boxes.
_ALIAS = re.compile(r":[a-z0-9_+-]+:", re.ASCII)
_BOXED = re.compile(
    "[0-9#*]\N{VARIATION SELECTOR-16}?\N{COMBINING ENCLOSING KEYCAP}|\N{VARIATION SELECTOR-16}"
)
_DRAWN = frozenset({"So", "Sm", "Sk", "Cf"})


class GithubNormalizer(BaseNormalizer):
    """Repositories by their number, which outlives a new name; by their name in small letters where none is given."""

    def normalize(self, result: CollectorResult) -> list[Record | Reject]:
        """The records of a page: one for each row of what is trending, or item of a search."""
        found: list[Record | Reject] = []
        for item in result.items:
            try:
                found.append(_record(item, result.source))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                found.append(Reject(str(error), item))
        return found

    def merged(self, found: Record, stored: Record | None) -> Record | None:
        """What a search tells is all there is; a row keeps what is stored of that which its page cannot know."""
        if stored is None or "topics" in found.attributes:
            return found
        kept = {name: stored.attributes[name] for name in ONE_SIDED if name in stored.attributes}
        return replace(
            found,
            summary=stored.summary if _is_drawn(found.summary, stored.summary) else found.summary,
            # A row has no address; it was made of the name.
            url=stored.url if found.title == stored.title else found.url,
            tags=_tags(found.attributes.get("language"), kept.get("topics", ())),
            published_at=stored.published_at,
            attributes={**found.attributes, **kept},
        )


def _record(item: Any, source: str) -> Record:
    if not isinstance(item, Mapping):
        raise ValueError("this is no repository")
    full_name = item.get("full_name")
    if not isinstance(full_name, str) or not _FULL_NAME.fullmatch(full_name):
        told = str(full_name)[:100]
        raise ValueError(f"{told!r} is not owner/name" if full_name else "it has no name (owner/name)")
    number = item.get("id")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
        raise ValueError(f"id: {number!r} is not the number of a repository")
    owner, _, name = full_name.partition("/")
    language = _text(item.get("language"))
    is_row = "rank" in item
    details = {} if is_row else _details(item)
    return Record(
        source=source,
        external_id=full_name.lower() if number is None else str(number),
        kind="repository",
        title=full_name,
        summary=_text(item.get("description")),
        url=_url(item.get("html_url"), full_name),
        authors=(owner,),
        tags=_tags(language, details.get("topics", ())),
        published_at=None if is_row else _instant(item.get("created_at")),
        attributes={"full_name": full_name, "owner": owner, "name": name}
        | ({"language": language} if language else {})
        | details,
        measures=_row_measures(item) if is_row else _item_measures(item),
    )


def _details(item: Mapping[str, Any]) -> dict[str, Any]:
    license_ = item.get("license") or {}
    found = {name: item.get(field) for name, field in DETAILS.items()}
    found["license"] = license_.get("spdx_id") or license_.get("key")
    found["topics"] = list(dict.fromkeys(str(topic) for topic in item.get("topics") or ()))
    return {name: value for name, value in found.items() if value not in (None, "")}


def _tags(language: str | None, topics: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((language, *topics) if language else topics))


def _is_drawn(shown: str, written: str) -> bool:
    """True where `shown` is `written`, with emoji such as `:rocket:` as pictures or left out."""
    drawn = {alias for alias in _ALIAS.findall(written) if alias not in shown}
    for alias in drawn:
        written = written.replace(alias, "")
    return bool(drawn) and _bare(shown) == _bare(written)


def _bare(text: str) -> str:
    """The text without pictures and spaces."""
    return "".join(
        letter
        for letter in _BOXED.sub("", text)
        if not letter.isspace() and (letter.isascii() or unicodedata.category(letter) not in _DRAWN)
    )


def _row_measures(row: Mapping[str, Any]) -> dict[str, float]:
    """Totals, the stars of the period as `stars_daily`, and the rank as `rank:LIST`, such as `rank:daily:python`."""
    found = _measured(row, OF_ROW)
    if row.get("period"):
        found |= _measured(row, {f"stars_{row['period']}": "period_stars"})
    return found | _measured(row, {f"rank:{row.get('list', 'daily')}": "rank"})


def _item_measures(item: Mapping[str, Any]) -> dict[str, float]:
    """Totals, and when it was pushed to last, in seconds since 1970: of a busy repository that is new each time."""
    found = _measured(item, OF_ITEM)
    pushed = _instant(item.get("pushed_at"))
    return found | ({"pushed_at": pushed.timestamp()} if pushed else {})


def _measured(item: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, float]:
    values = {name: item.get(field) for name, field in fields.items()}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _url(given: Any, full_name: str) -> str:
    """Where people look at it. The page of github.com needs no address for that, GitHub Enterprise gives its own."""
    return given if isinstance(given, str) and given else f"https://github.com/{full_name}"


def _text(given: Any) -> str:
    return " ".join(given.split()) if isinstance(given, str) else ""


def _instant(given: Any) -> datetime | None:
    if not given:
        return None
    try:
        instant = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise ValueError(f"{given!r} is not a date") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
