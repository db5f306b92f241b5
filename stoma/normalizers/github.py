"""GitHub repositories as records of kind `repository`: one for each, whichever mode brought it.

Both modes write the same fields of it, or each would undo what the other wrote. What only a search knows (topics,
license, when it was created) is a second record of kind `repository_details` with the id `details:NUMBER`; the view
`repositories` shows both as one row. Why: docs/decisions/0010-github-key.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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


class GithubNormalizer(BaseNormalizer):
    """Repositories by their number, which outlives a new name; by their name in small letters where none is given."""

    def normalize(self, result: CollectorResult) -> list[Record | Reject]:
        """The records of a page: one for each row of what is trending, two for each item of a search."""
        found: list[Record | Reject] = []
        for item in result.items:
            try:
                found.extend(_records(item, result.source))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                found.append(Reject(str(error), item))
        return found


def _records(item: Any, source: str) -> list[Record]:
    if not isinstance(item, Mapping):
        raise ValueError("this is no repository")
    full_name = item.get("full_name")
    if not isinstance(full_name, str) or not _FULL_NAME.fullmatch(full_name):
        raise ValueError(f"{full_name!r} is not owner/name" if full_name else "it has no name (owner/name)")
    number = item.get("id")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
        raise ValueError(f"id: {number!r} is not the number of a repository")
    owner, _, name = full_name.partition("/")
    language = _text(item.get("language"))
    is_row = "rank" in item
    repository = Record(
        source=source,
        external_id=full_name.lower() if number is None else str(number),
        kind="repository",
        title=full_name,
        summary=_text(item.get("description")),
        url=_url(item.get("html_url"), full_name),
        authors=(owner,),
        tags=(language,) if language else (),
        attributes={"full_name": full_name, "owner": owner, "name": name}
        | ({"language": language} if language else {}),
        measures=_row_measures(item) if is_row else _item_measures(item),
    )
    return [repository] if is_row or number is None else [repository, _details(item, repository)]


def _details(item: Mapping[str, Any], repository: Record) -> Record:
    license_ = item.get("license") or {}
    topics = item.get("topics") or ()
    attributes = {name: item.get(field) for name, field in DETAILS.items()}
    attributes["license"] = license_.get("spdx_id") or license_.get("key")
    return Record(
        source=repository.source,
        external_id=f"details:{repository.external_id}",
        kind="repository_details",
        title=repository.title,
        url=repository.url,
        authors=repository.authors,
        tags=tuple(dict.fromkeys(str(topic) for topic in topics)),
        published_at=_instant(item.get("created_at")),
        attributes={name: value for name, value in attributes.items() if value not in (None, "")},
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
