"""The whole story of one record: what it says and said before, what was measured, who saw it. Speaks no dialect."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stoma.diffs import FIELDS, Change, changes
from stoma.errors import NotFound, UsageError
from stoma.scheduler.base import iso
from stoma.stores.base import Reader, Row
from stoma.stores.questions import record_dict
from stoma.wording import listed, nearest, shown

MOST_OBSERVATIONS = 1_000
"""Values of one measure that are told, the latest; how many there are is told as well."""

MOST_VERSIONS = 100
"""Versions that are told, the latest; how many there are is told as well."""

MOST_SOURCES = 50
"""Sources in which an id is sought that is like one that nobody knows."""

MOST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Version:
    """What a record said from `since` on; until `superseded_at`, when a run brought the next version."""

    row: Row
    since: datetime
    superseded_at: datetime | None
    # The run that brought the next version.
    run: int | None
    # Against the version before.
    changes: Sequence[Change]

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        said = {name: self.row[name] for name in FIELDS}
        said |= {name: iso(said[name]) for name in ("published_at", "updated_at")}
        return {
            "version": self.row["version"],
            "since": iso(self.since),
            "superseded_at": iso(self.superseded_at),
            "superseded_by_run": self.run,
            "changes": [change.as_dict() for change in self.changes],
            **said,
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of a record over time; `observations` are its latest, oldest first."""

    name: str
    count: int
    first: float
    first_at: datetime
    least: float
    most: float
    observations: Sequence[Row]

    @property
    def last(self) -> Row:
        """The latest observation."""
        return self.observations[-1]

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it; `is_cut` where there are more observations than are told."""
        return {
            "measure": self.name,
            "count": self.count,
            "first": {"at": iso(self.first_at), "value": self.first},
            "last": {"at": iso(self.last["observed_at"]), "value": self.last["value"]},
            "least": self.least,
            "most": self.most,
            "change": self.last["value"] - self.first,
            "is_cut": self.count > len(self.observations),
            "observations": [
                {"at": iso(one["observed_at"]), "value": one["value"], "run": one["run_id"]}
                for one in self.observations
            ],
        }


@dataclass(frozen=True, slots=True)
class Story:
    """A record with all that is known of it; the last of the versions is the record as it is now."""

    row: Row
    versions: Sequence[Version]
    measures: Sequence[Measured]
    sightings: Sequence[Row]

    @property
    def is_cut(self) -> bool:
        """True where there are older versions than are told."""
        return bool(self.versions) and self.versions[0].row["version"] > 1

    def as_dict(self) -> dict[str, Any]:
        """As JSON carries it on the command line and over HTTP."""
        return {
            "record": record_dict(self.row),
            "versions": [version.as_dict() for version in self.versions],
            "is_cut": self.is_cut,
            "measures": [measured.as_dict() for measured in self.measures],
            "sightings": [
                {
                    "task": row["task_id"],
                    "first_seen_at": iso(row["first_seen_at"]),
                    "last_seen_at": iso(row["last_seen_at"]),
                    "run": row["run_id"],
                }
                for row in self.sightings
            ],
        }


def story(reader: Reader, row: Row) -> Story:
    """Everything about one record."""
    key = {"source": row["source"], "external_id": row["external_id"]}
    # What a run supersedes between two statements would be here twice.
    # One more, to know what the oldest one that is told says otherwise, and since when.
    before = reader.all("look_versions", **key, below=row["version"], limit=MOST_VERSIONS)[::-1]
    return Story(
        row,
        _versions([*before, row], row["first_seen_at"])[-MOST_VERSIONS:],
        [measured(reader, key, told) for told in reader.all("story_measures", **key)],
        reader.all("sightings_of", **key),
    )


def named(reader: Reader, text: str, source: str | None = None) -> Row:
    """The record that a number (`#12`), an external id, `source:external_id` or a repository's full name means.

    Raises NotFound with what is nearest, UsageError where several sources have a record of that id.
    """
    text = text.strip()
    number = re.fullmatch(r"#([0-9]{1,19})", text)
    if number and source is None:
        row = reader.one("story_by_number", id=int(number[1])) if int(number[1]) <= MOST_ID else None
        if row is None:
            raise NotFound(f"there is no record {text}", "`stoma changes` shows the latest")
        return row
    found = _of_id(reader, text, source)
    if not found:
        raise _unknown(reader, text, source)
    if len(found) > 1:
        names = [f"{row['source']}:{row['external_id']}" for row in found]
        raise UsageError(
            f'"{shown(text)}" is an id of {len(found)} sources', f"say which one: {listed(names[:20])}"
        )
    return found[0]


def _of_id(reader: Reader, text: str, source: str | None) -> list[Row]:
    # Neither database takes such a text for one; so no id has it.
    both = text + (source or "")
    if not text or "\0" in both or any("\ud800" <= letter <= "\udfff" for letter in both):
        return []
    if source is not None:
        row = reader.one("record_get", source=source, external_id=text)
        return [row] if row else []
    found = reader.all("story_by_id", external_id=text)
    head, colon, rest = text.partition(":")
    if not found and colon and (row := reader.one("record_get", source=head, external_id=rest)):
        return [row]
    if not found and "/" in text:
        found = reader.all("story_repository", full_name=text)
    return found


def _unknown(reader: Reader, text: str, source: str | None) -> NotFound:
    """What to say of an id that nobody knows: those that are nearest to it."""
    sources = [row["source"] for row in reader.all("question_sources")]
    of = f" of {shown(source)}" if source else ""
    if source is not None and source not in sources:
        known = f"sources: {', '.join(sources[:20])}" if sources else "nothing has been stored yet"
        return NotFound(f'there is no record of a source "{shown(source)}"', known)
    head, _, rest = text.partition(":")
    wanted, where = (rest, [head]) if source is None and head in sources else (text, sources[:MOST_SOURCES])
    where = [source] if source is not None else where
    near: dict[str, str] = {}
    for one in where if wanted.isprintable() else ():
        for name in ("story_before", "story_after"):
            rows = reader.all(name, source=one, external_id=wanted)
            for row in rows:
                near.setdefault(row["external_id"], f"{one}:{row['external_id']}")
    likely = nearest(wanted, near)
    if not sources:
        hint = "nothing has been stored yet"
    elif likely:
        hint = f'did you mean "{near[likely]}"?'
    else:
        hint = "`stoma search` finds records by their words"
    return NotFound(f'there is no record "{shown(text)}"{of}', hint)


def _versions(rows: Sequence[Row], since: datetime) -> list[Version]:
    """Each version with what it says otherwise than the one before, oldest first; the last row is the record."""
    found = []
    for number, row in enumerate(rows):
        end = row.get("superseded_at")
        told = changes(rows[number - 1], row) if number else []
        found.append(Version(row, since, end, row.get("run_id"), told))
        since = end or since
    return found


def measured(reader: Reader, key: dict[str, str], told: Row) -> Measured:
    """One measure of the record of this key; `told` is its row of `story_measures`."""
    of = key | {"measure": told["measure"]}
    first = reader.one("story_first", **of)
    latest = reader.all("story_observations", **of, limit=MOST_OBSERVATIONS)[::-1]
    return Measured(
        told["measure"],
        told["count"],
        first["value"] if first else latest[0]["value"],
        told["first_at"],
        told["least"],
        told["most"],
        latest,
    )
