"""What a shell may put in where TAB is pressed: read straight from the files, for that has to be done in an instant.

Nothing here checks, warns or fails: what cannot be read offers nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

MOST_RUNS = 50
"""Runs that are offered, the newest first."""

Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
Pairs = Iterable[tuple[str, str]]

_ENTRY = re.compile(r"^  ([A-Za-z0-9_.-]+):")
_REFERENCE = re.compile(r"\$\{env:([^{}]*)\}")

SCHEDULES = ("hourly", "daily", "weekly", "daily_at_09:00", "interval_30m", "interval_2h")
COLLECTORS = ("arxiv", "feed", "github", "http_json", "sec_edgar")
KINDS = ("entry", "filing", "paper", "repository", "transaction")
OWN_SOURCE = ("feed", "http_json")
"""Collectors whose records are of the source `config.source`, else of the task's id."""


def offered(find: Callable[[click.Context], Pairs]) -> Offer:
    """What `find` gives as (value, explanation), as far as it begins like what was typed; nothing where it fails."""

    @wraps(find)
    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with suppress(Exception):
            found = find(ctx)
            return [
                CompletionItem(value, help=said or None)
                for value, said in found
                if value.startswith(incomplete)
            ]
        return []

    return offer


@offered
def tasks(ctx: click.Context) -> Pairs:
    """The tasks of all files, with their names."""
    chosen = ctx.params.get("task_ids") or ()
    return [
        (task_id, str(entry.get("name", "")))
        for task_id, entry in _tasks(ctx).items()
        if task_id not in chosen
    ]


@offered
def presets(ctx: click.Context) -> Pairs:
    """The presets that can be loaded."""
    from stoma.resources import preset_names

    return [(name, "") for name in preset_names(_base(ctx))]


@offered
def collectors(ctx: click.Context) -> Pairs:
    """The collectors that ship with Stoma."""
    return [(name, "") for name in COLLECTORS]


@offered
def priorities(ctx: click.Context) -> Pairs:
    """The priorities of a task."""
    return [(name, "") for name in ("critical", "high", "normal", "low")]


@offered
def schedules(ctx: click.Context) -> Pairs:
    """The forms of a schedule that are one word."""
    return [(form, "") for form in SCHEDULES]


@offered
def kinds(ctx: click.Context) -> Pairs:
    """The kinds of records that sources give."""
    own = {str(kind) for task in _tasks(ctx).values() if (kind := _config(task).get("kind"))}
    return [(kind, "") for kind in sorted({*KINDS, *own})]


@offered
def sources(ctx: click.Context) -> Pairs:
    """The sources of the tasks."""
    found = set()
    for task_id, task in _tasks(ctx).items():
        collector = str(task.get("collector", ""))
        own = str(_config(task).get("source", task_id))
        found.add(own if collector in OWN_SOURCE else collector)
    return [(source, "") for source in sorted(found - {""})]


@offered
def hosts(ctx: click.Context) -> Pairs:
    """The hosts that have a rule."""
    from stoma.hosts import BUILT_IN

    named = _read(_main(ctx)).get("hosts")
    return [(host, "") for host in sorted({*BUILT_IN, *(named if isinstance(named, dict) else ())} - {"*"})]


@offered
def runs(ctx: click.Context) -> Pairs:
    """The newest runs."""
    return _runs(ctx, "")


@offered
def open_runs(ctx: click.Context) -> Pairs:
    """The runs that can be cancelled."""
    return _runs(ctx, "where status in ('pending', 'running', 'interrupted')")


@offered
def ended_runs(ctx: click.Context) -> Pairs:
    """The runs that can be begun again."""
    return _runs(ctx, "where status not in ('running', 'completed')")


def _runs(ctx: click.Context, which: str) -> Pairs:
    """Runs of a SQLite store; a PostgreSQL takes too long to be asked while somebody types."""
    import sqlite3

    file = _store(ctx)
    if file is None:
        return
    # Read only, past everything that keeps a store in order: that has to be loaded first.
    link = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=0.1)
    with closing(link):
        text = f"select id, task_id, status from runs {which} order by id desc limit {MOST_RUNS}"  # noqa: S608
        for number, task_id, status in link.execute(text).fetchall():
            yield str(number), f"{task_id}, {status}"


def _store(ctx: click.Context) -> Path | None:
    """The file of the store, as well as can be told."""
    given = os.environ.get("STOMA_DATA")
    folder = Path(given) if given else _base(ctx)
    if ctx.params.get("demo"):
        return folder / "stoma-demo" / "stoma.db"
    store = _read(_main(ctx)).get("store")
    url = str(store.get("url", "")) if isinstance(store, dict) else ""
    url = _REFERENCE.sub(lambda match: os.environ.get(match[1], ""), url) or "sqlite:///stoma.db"
    return folder / url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else None


def _tasks(ctx: click.Context) -> dict[str, Mapping[str, Any]]:
    """Each task of the files and presets as it is written, unchecked."""
    from stoma.resources import preset_path

    base, main = _base(ctx), _read(_main(ctx))
    texts = [main]
    include = main.get("include")
    for pattern in include if isinstance(include, list) else ["tasks/*.yaml"]:
        texts += [_read(path) for path in sorted(base.glob(str(pattern)))]
    named = [name for text in texts for name in text.get("presets") or []]
    named += list(ctx.params.get("presets") or ()) if isinstance(ctx.params.get("presets"), tuple) else []
    if not _main(ctx).exists():
        named.append("default")
    for name in dict.fromkeys(map(str, named)):
        with suppress(Exception):
            texts.append(_read(preset_path(name, base)))
    found: dict[str, Mapping[str, Any]] = {}
    for text in texts:
        entries = text.get("tasks")
        for task_id, entry in entries.items() if isinstance(entries, dict) else ():
            found[task_id] = entry if isinstance(entry, dict) else {}
    return dict(sorted(found.items()))


def _config(task: Mapping[str, Any]) -> Mapping[str, Any]:
    found = task.get("config")
    return found if isinstance(found, dict) else {}


def _main(ctx: click.Context) -> Path:
    given = ctx.params.get("config_file") or os.environ.get("STOMA_CONFIG")
    return Path(given) if given else Path("stoma.yaml")


def _base(ctx: click.Context) -> Path:
    return _main(ctx).absolute().parent


def _read(path: Path) -> dict[str, Any]:
    """A file of YAML with everything as text; of one that is broken, the names of its tasks."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError:
        return {}
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        found = yaml.load(text, loader)  # noqa: S506 — the base loader makes texts, lists and mappings
    except yaml.YAMLError:
        return {"tasks": {name: {} for name in _names(text)}}
    return found if isinstance(found, dict) else {}


def _names(text: str) -> Iterator[str]:
    is_inside = False
    for line in text.splitlines():
        if line[:1].strip():
            is_inside = line.startswith("tasks:")
        elif is_inside and (match := _ENTRY.match(line)):
            yield match[1]
