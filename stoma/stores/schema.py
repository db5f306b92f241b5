"""The numbered migrations, and which programs may use the tables that they leave.

A migration says in its first lines which program is the oldest that may go on, `-- min_program: X.Y.Z`; without it any
of the same major version may. That is kept with what was applied, so that an older program can tell, and refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from stoma import __version__
from stoma.errors import StoreError
from stoma.stores.base import spelled

_COLUMN = re.compile(r'^\s*(?:alter table \w+ add column )?"?(\w+)"? \{(json|instant)\}', re.MULTILINE)
_PART = re.compile(r"\w+ -> '\w+' as (\w+)")
_ALIAS = re.compile(r"(\w+) as (\w+)")
_HEADER = re.compile(r"^-- min_program: *(\d+\.\d+\.\d+) *$", re.MULTILINE)

UNCHANGED = "nothing was changed; go on with the Stoma from before, and report this"
"""What to do when a migration fails."""

Applied = Mapping[int, str | None]
"""The oldest program by the number of each migration that was applied; None where that was not kept yet."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the tables, as statements of one dialect; `min_program` is the oldest that may use what it leaves."""

    number: int
    name: str
    text: str
    min_program: str

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"migration {self.number} ({self.name})"


@cache
def migrations(dialect: str) -> Sequence[Migration]:
    """The numbered migrations, in order; `NNNN_name.DIALECT.sql` is for that database alone."""
    found = []
    for stem, of, text in _files():
        if of in ("", dialect):
            number, _, name = stem.partition("_")
            found.append(Migration(int(number), name, spelled(text, dialect), min_program_of(text)))
    return sorted(found, key=lambda one: one.number)


@cache
def columns_of(word: str) -> frozenset[str]:
    """The names of all columns that the migrations call `json` or `instant`, also as views rename them.

    SQLite keeps both as text; a name means the same in every table.
    """
    texts = [re.sub(r"--.*", "", text) for _, _, text in _files()]
    found = {name for text in texts for name, of in _COLUMN.findall(text) if of == word}
    if word == "json":
        found.update(name for text in texts for name in _PART.findall(text))
    return frozenset(found.union(new for text in texts for old, new in _ALIAS.findall(text) if old in found))


def declarations() -> Sequence[tuple[int, str, str]]:
    """Number, dialect if it is for one alone, and text as it is written of each migration, in order."""
    return sorted((int(stem.partition("_")[0]), of, text) for stem, of, text in _files())


def _files() -> list[tuple[str, str, str]]:
    """Number and name, dialect if it has one, and text of each migration."""
    found = []
    for entry in (files("stoma.stores") / "sql" / "migrations").iterdir():
        stem, *dialect = entry.name.removesuffix(".sql").split(".")
        if entry.name.endswith(".sql"):
            found.append((stem, "".join(dialect), entry.read_text(encoding="utf-8")))
    return found


def min_program_of(text: str, program: str = __version__) -> str:
    """The oldest program that may use what a migration leaves: as it says, else the first of this major version."""
    header = _HEADER.search(text)
    return header[1] if header else f"{_version(program)[0]}.0.0"


def refuse_older(applied: Applied, known: Sequence[Migration], program: str, place: str) -> None:
    """Raise StoreError where a newer program has left tables that this one would misread; `place` is the database."""
    said = {one.number: one.min_program for one in known} | {
        number: least for number, least in applied.items() if least is not None
    }
    newest = max(applied, default=0)
    silent = [number for number in applied if number not in said]
    least = max((said[number] for number in applied if number in said), key=_version, default="0.0.0")
    if silent or _version(least) > _version(program):
        needs = "a newer one" if silent else f"{least} or newer"
        raise StoreError(
            f"{place} was brought to schema {newest} by a newer Stoma; it needs {needs}, and this is {program}",
            "update this Stoma, or restore a copy of the database from before the update; nothing was changed",
        )


def is_current(applied: Applied, known: Sequence[Migration]) -> bool:
    """Whether nothing is left to be done."""
    return all(applied.get(one.number) is not None for one in known)


def _version(text: str) -> tuple[int, ...]:
    """The three numbers of a version; what marks it as not released yet does not count."""
    numbers = [int(number) for number in re.findall(r"\d+", re.split(r"[^\d.]", text, maxsplit=1)[0])]
    return tuple((*numbers, 0, 0, 0)[:3])
