"""How a database would answer a statement of `sql/`: the steps of its plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stoma.stores import Store
from stoma.stores.base import chosen, statements


def plan(store: Store, name: str, **values: Any) -> list[str]:
    """Each step in one line; on PostgreSQL `NODE TABLE INDEX`."""
    text = chosen(statements(store.dialect)[name], values)
    with store.database.reader() as reader:
        connection: Any = reader._connection  # type: ignore[attr-defined]
        if store.dialect == "sqlite":
            from stoma.stores.sqlite_rows import encode

            given = {key: encode(value) for key, value in values.items()}
            return [row[3] for row in connection.execute(f"explain query plan {text}", given)]
        from stoma.stores.postgres import _encoded

        row = connection.execute(f"explain (format json) {text}", _encoded(values)).fetchone()
    told = row["QUERY PLAN"]
    return list(_steps((json.loads(told) if isinstance(told, str) else told)[0]["Plan"]))


def _steps(node: dict[str, Any]) -> Iterator[str]:
    yield " ".join(filter(None, (node["Node Type"], node.get("Relation Name"), node.get("Index Name"))))
    for inner in node.get("Plans", ()):
        yield from _steps(inner)
