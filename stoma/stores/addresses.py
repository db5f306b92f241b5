"""Addresses of stores: `sqlite:///FILE`, `postgresql://…`, and which schema of a database is meant."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

from stoma.errors import ConfigError, Problem

_SCHEMA = re.compile(r"[?&]schema=([^?&]*)")
_NAME = re.compile(r"(?!pg_)[^\x00-\x1f]{1,63}")


def with_schema(url: str, schema: str | None) -> str:
    """One text that names the store whole; `url` may be a reference that is resolved later, with options or without."""
    return url if schema is None else f"{url}?schema={quote(schema, safe='')}"


def apart(url: str) -> tuple[str, str | None]:
    """What `with_schema` joined, as it was written."""
    rest, mark, name = url.rpartition("?schema=")
    return (rest, unquote(name)) if mark else (url, None)


def split_schema(url: str, name: str = "store.url") -> tuple[str, str | None]:
    """An address without its schema, and that schema; raises ConfigError where it names two, or one that cannot be.

    Messages call the address by its `name`; to store.url belongs store.schema.
    """
    is_written_apart = name == "store.url"
    part = "store.schema" if is_written_apart else f"?schema= of {name}"
    names = list(dict.fromkeys(unquote(found[1]) for found in _SCHEMA.finditer(url)))
    if not names:
        return url, None
    if len(names) > 1:
        raise _error(f"{name} names the schema {names[0]}, {part} {names[1]}", "write one of them")
    if not _NAME.fullmatch(names[0]) or len(names[0].encode()) > 63:
        hint = "write store: {schema: stoma}" if is_written_apart else "write ?schema=stoma"
        raise _error(f'{part}: "{names[0]}" cannot be the name of a schema', hint)
    rest = _SCHEMA.sub("", url)
    # Where it was the first of the options, the next one begins them.
    if "?" not in rest:
        rest = rest.replace("&", "?", 1)
    if rest.startswith("sqlite:"):
        raise _error(f"{part} is for PostgreSQL; a SQLite file has none", "take it out, or name another file")
    return rest, names[0]


def sqlite_path(url: str, base: Path) -> Path | None:
    """The file that a `sqlite:///` address names, or None for another kind of address."""
    if not url.startswith("sqlite:///"):
        return None
    return base / url.removeprefix("sqlite:///")


def _error(message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(message, hint=hint)])
