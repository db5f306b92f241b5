"""`docs/data.md`: every column is on the page, every statement on it runs on both databases and gives rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from stoma.stores import Store, open_store
from stoma.stores.copying import copy
from stoma.stores.tables import shared
from stoma.stores.views import VIEWS
from tests.conftest import REPOSITORY
from tests.support import postgres
from tests.support.demo_store import collect
from tests.support.rows import asked, plain

PAGE = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
PUBLIC = (
    "records", "record_versions", "sightings", "observations", "rejects", "runs", "attempts", "skips", "agenda",
    "cursors", "progress", "raw_pages",
)  # fmt: skip
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def statements() -> list[tuple[str, str, str]]:
    """Heading, dialect or nothing, and text of each block."""
    found = []
    for part in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        found += [(heading, *block) for block in re.findall(r"```sql ?(\w*)\n(.*?)```", part, re.DOTALL)]
    return found


def described(name: str) -> list[str]:
    """The columns that the page names below the heading of a table or view."""
    part = re.split(rf"^### {name}$", PAGE, flags=re.MULTILINE)[1]
    part = re.split(r"^##", part, flags=re.MULTILINE)[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return [column for cell in cells for column in re.findall(r"`(\w+)`", cell)]


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: postgres.Server
) -> Iterator[dict[str, Store]]:
    folder = tmp_path_factory.mktemp("data")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        for name in [name for name in os.environ if name.startswith("STOMA_")]:
            patch.delenv(name)
        sqlite = stack.enter_context(open_store(collect(folder), folder))
        with sqlite.database.transaction() as tx:
            # What the stand-in, which only ever gives good answers once, cannot make.
            tx.insert("skips", ("task_id", "first", "last", "count", "reason", "detail"), [
                ("papers", NOW, NOW, 1, "overlap", "the one before was still running"),
            ])  # fmt: skip
            tx.insert("rejects", ("task_id", "run_id", "external_id", "reason", "item", "rejected_at"), [
                ("papers", 1, "", "the record has no id", {"item": {}}, NOW),
            ])  # fmt: skip
        url = stack.enter_context(postgres_server.fresh_database())
        other = stack.enter_context(open_store(url, folder))
        copy(sqlite.database, other.database)
        yield {"sqlite": sqlite, "postgres": other}


@pytest.mark.parametrize("name", [*PUBLIC, *VIEWS])
def test_every_column_is_on_the_page_once(both: dict[str, Store], name: str) -> None:
    for dialect, store in both.items():
        real = columns(store, name)
        assert sorted(described(name)) == sorted(real), dialect
    if name in PUBLIC:
        assert real == list(shared()[name].columns)
    else:
        assert real == [column.name for column in VIEWS[name]]


def columns(store: Store, name: str) -> list[str]:
    if store.dialect == "sqlite":
        return [row[1] for row in asked(store, f"pragma table_info({name})")]
    text = "select column_name from information_schema.columns where table_name = ? order by ordinal_position"
    return [row[0] for row in asked(store, text, name)]


def test_there_are_enough_questions() -> None:
    assert len({heading for heading, _, _ in statements()}) >= 15
    for heading in {heading for heading, _, _ in statements()}:
        dialects = {of for name, of, _ in statements() if name == heading}
        assert dialects in ({""}, {"sqlite", "postgres"}), heading


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        pytest.param(dialect, text, id=f"{dialect}-{heading}")
        for heading, of, text in statements()
        for dialect in ("sqlite", "postgres")
        if of in ("", dialect)
    ],
)
def test_a_question_has_an_answer(both: dict[str, Store], dialect: str, text: str) -> None:
    assert asked(both[dialect], text)


@pytest.mark.parametrize("heading", sorted({heading for heading, _, _ in statements()}))
def test_both_databases_answer_alike(both: dict[str, Store], heading: str) -> None:
    blocks = [(of, text) for name, of, text in statements() if name == heading]
    here = [asked(both["sqlite"], text) for of, text in blocks if of in ("", "sqlite")]
    there = [asked(both["postgres"], text) for of, text in blocks if of in ("", "postgres")]
    for mine, theirs in zip(here, there, strict=True):
        found, expected = ([[shown(cell) for cell in row] for row in rows] for rows in (mine, theirs))
        assert len(found) == len(expected)
        # What is rounded may fall to either side.
        for row in found:
            assert any(row == pytest.approx(other, abs=0.11) for other in expected), row


def shown(cell: Any) -> Any:
    """A cell without the ways in which each driver gives numbers and times."""
    if isinstance(cell, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", cell):
        cell = datetime.fromisoformat(cell)
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat()
    if cell is None or isinstance(cell, str):
        return cell
    return str(cell) if hasattr(cell, "year") else float(cell)


@pytest.mark.parametrize("view", list(VIEWS))
def test_a_view_shows_the_same_on_both(both: dict[str, Store], view: str) -> None:
    types = {
        "jsonb": "json", "timestamp with time zone": "instant", "boolean": "boolean", "double precision": "number",
    }  # fmt: skip
    text = "select column_name, data_type from information_schema.columns where table_name = ?"
    told = dict(asked(both["postgres"], text, view))
    assert told.keys() == {column.name for column in VIEWS[view]}
    kinds = [types.get(told[column.name], "") for column in VIEWS[view]]
    names = ", ".join(column.name for column in VIEWS[view])
    found = {
        dialect: [
            [plain(cell, kind) for cell, kind in zip(row, kinds, strict=True)]
            for row in asked(store, f"select {names} from {view} order by id")
        ]
        for dialect, store in both.items()
    }
    assert found["sqlite"] == found["postgres"]
    assert len(found["sqlite"]) > 3
    for place, column in enumerate(VIEWS[view]):
        cells = [row[place] for row in found["sqlite"] if row[place] is not None]
        ours = {"texts": "json", "json": "json", "instant": "instant", "boolean": "boolean"}.get(column.type)
        assert (kinds[place] in ("json", "instant", "boolean")) == (ours is not None), column
        assert ours in (None, kinds[place])
        if column.type == "text":
            assert all(isinstance(cell, str) for cell in cells), column.name
        if column.type in ("integer", "number"):
            assert all(isinstance(cell, int | float) for cell in cells), column.name


def test_instants_compare_as_text_in_sqlite(both: dict[str, Store]) -> None:
    moments = [(view, column.name) for view in VIEWS for column in VIEWS[view] if column.type == "instant"]
    for view, column in moments:
        widths = asked(
            both["sqlite"], f"select distinct length({column}) from {view} where {column} is not null"
        )
        assert widths in ([(27,)], []), (view, column)
