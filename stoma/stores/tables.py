"""The tables as the migrations declare them, the same for every database; they are written down nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from stoma.stores.schema import declarations

_COMMENT = re.compile(r"--.*")
_STEP = re.compile(
    r"create table (?:if not exists )?(?P<new>\w+) \((?P<body>.*?)\n\)[^;]*;"
    r"|alter table (?P<of>\w+) add column (?P<column>[^;]+);"
    r"|alter table (?P<keyed>\w+) add (?P<key>primary key [^;]+);"
    r"|drop table (?:if exists )?(?P<gone>\w+);",
    re.DOTALL,
)
_COLUMN = re.compile(r'^"?(\w+)"?\s+(\{\w+\}|double precision|\w+)')
_KEY = re.compile(r"^primary key \(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns with their types (`json instant bytes boolean identity`, else SQL's), and its key."""

    name: str
    columns: Mapping[str, str]
    key: Sequence[str]

    @property
    def identity(self) -> str | None:
        """The column that the database numbers, if there is one."""
        return next((column for column, of in self.columns.items() if of == "identity"), None)


@cache
def tables(dialect: str, upto: int | None = None) -> Mapping[str, Table]:
    """Every table by name as the migrations leave it, or as number `upto` of them left it."""
    found: dict[str, Table] = {}
    for number, of, text in declarations():
        if of not in ("", dialect) or (upto is not None and number > upto):
            continue
        for step in _STEP.finditer(_COMMENT.sub("", text)):
            if step["new"]:
                found[step["new"]] = _table(step["new"], step["body"])
            elif step["gone"]:
                found.pop(step["gone"], None)
            elif step["keyed"]:
                found[step["keyed"]] = replace(found[step["keyed"]], key=_key(step["key"]))
            else:
                table, (column, kind) = found[step["of"]], _column(step["column"])
                found[table.name] = replace(table, columns={**table.columns, column: kind})
    return found


def shared() -> Mapping[str, Table]:
    """The tables that every database has, with the columns that every one has of them."""
    here, there = tables("sqlite"), tables("postgres")
    return {
        name: Table(
            name, {c: kind for c, kind in table.columns.items() if c in there[name].columns}, table.key
        )
        for name, table in here.items()
        if name in there
    }


def _table(name: str, body: str) -> Table:
    columns: dict[str, str] = {}
    key: Sequence[str] = ()
    for line in filter(None, map(str.strip, body.splitlines())):
        if listed := _key(line):
            key = listed
        elif not line.startswith(("unique", "check", "foreign")):
            column, kind = _column(line)
            columns[column] = kind
            if kind == "identity" or " primary key" in line:
                key = [column]
    return Table(name, columns, key)


def _key(text: str) -> Sequence[str]:
    listed = _KEY.match(text)
    return [part.strip().strip('"') for part in listed[1].split(",")] if listed else ()


def _column(text: str) -> tuple[str, str]:
    found = _COLUMN.match(text.strip())
    if found is None:
        raise ValueError(f"a migration declares a column in a way that is not understood: {text.strip()}")
    return found[1], found[2].strip("{}")
