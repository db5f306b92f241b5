"""`stoma doctor`: the files, the references in them, and who may read and write what."""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stoma.cli.checkup import Found, Patient, problem, warning, well
from stoma.cli.output import several

if TYPE_CHECKING:
    from stoma.scheduler.config import Config

CONFIG, REFERENCES, RIGHTS, EXTRAS = "config", "references", "permissions", "extras"

SHOWN = 5
"""Tasks that are named where many have the same trouble."""


def config(patient: Patient) -> Iterator[Found]:
    """Whether every file can be used; leaves the configuration."""
    from stoma.errors import ConfigError
    from stoma.scheduler.files import credentials_in, passwords_in, shown_name

    loader = patient.loader
    try:
        loaded = loader.config()
    except ConfigError as error:
        patient.is_broken = True
        for one in error.problems:
            told = f"{one.place}: {one.message}" if one.place else one.message
            yield problem(CONFIG, told, one.hint or "mend it; `stoma-run --check` shows the line")
        return
    patient.config = loaded
    told = f"{several(len(loaded.files), 'file')}, {several(len(loaded.tasks), 'task')}"
    if loaded.built_in:
        yield warning(
            CONFIG,
            f"no stoma.yaml in {loaded.base}: the built-in preset `default` stands for it",
            "go to the folder of your stoma.yaml, or name it with --config",
        )
    elif not loaded.tasks:
        yield warning(CONFIG, f"{told}: nothing is collected", "`stoma scheduler add-task` adds one")
    else:
        yield well(CONFIG, f"{told}, no fault")
    for path in map(Path, loaded.files):
        text, name = path.read_text(encoding="utf-8-sig"), shown_name(path, loaded.base)
        for find in (passwords_in, credentials_in):
            for one in find(text, name):
                yield warning(CONFIG, f"{one.place}: {one.message}", one.hint)


def references(patient: Patient) -> Iterator[Found]:
    """Whether what is named by reference is set, and secret."""
    from stoma.references import references as named
    from stoma.references import unset

    loaded = patient.config
    blocked = {} if loaded.demo else _blocked(loaded)
    for reason, tasks in blocked.items():
        more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
        yield warning(
            REFERENCES,
            f"{', '.join(tasks[:SHOWN])}{more}: blocked: {reason}",
            "the other tasks run; set what is missing where the scheduler is started, too",
        )
    rest = {"store.url": loaded.store_url, "api.tokens": loaded.api.tokens, "notify.targets": loaded.targets}
    for name, value in rest.items():
        missing = unset(value, loaded.base)
        if missing:
            state = problem if name == "store.url" else warning
            yield state(REFERENCES, f"{name}: {missing}", "set it where the scheduler is started, too")
    values = [*rest.values(), loaded.contact, *(task.config for task in loaded.tasks.values())]
    found = sorted({one for value in values for one in named(value)})
    open_to_all = False
    for kind, name in found:
        path = loaded.base / name
        if kind == "file" and path.is_file() and path.stat().st_mode & stat.S_IROTH:
            open_to_all = True
            yield warning(REFERENCES, f"{path} can be read by everybody here", f"chmod 600 {path}")
    if not blocked and not open_to_all:
        yield well(REFERENCES, f"{several(len(found), 'reference')}, all of them set" if found else "none")


def _blocked(loaded: Config) -> dict[str, list[str]]:
    """Why tasks cannot run now, and which."""
    from stoma.scheduler.config import blocked_reason

    found: dict[str, list[str]] = {}
    for task in loaded.tasks.values():
        if reason := blocked_reason(task, loaded):
            found.setdefault(reason, []).append(task.id)
    return found


def permissions(patient: Patient) -> Iterator[Found]:
    """Whether this user may write where Stoma writes."""
    from stoma.scheduler.parts import data_folder

    data = data_folder(patient.config)
    faults = False
    if (closed := _closed(data)) is not None:
        faults = True
        hint = "give this user the right to it, or set STOMA_DATA to a folder that it may write"
        yield problem(RIGHTS, f"{closed} may not be written", hint)
    if (closed := _closed(patient.base / "tasks")) is not None:
        faults = True
        hint = "add-task and load-preset need it; what you write by hand works all the same"
        yield warning(RIGHTS, f"{closed} may not be written", hint)
    if not faults:
        yield well(RIGHTS, f"{data} and tasks/ may be written")


def _closed(folder: Path) -> Path | None:
    """The folder, or the one that it would be made in, if that may not be written."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return None if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) else folder


def extras(patient: Patient) -> Iterator[Found]:
    """Whether libraries that are not always there are there where they are needed."""
    has = {name: importlib.util.find_spec(name) is not None for name in ("apprise", "pyarrow")}
    if patient.config.targets and not has["apprise"]:
        yield warning(
            EXTRAS,
            "notify.targets is written, and nobody is told: apprise is not installed",
            "pip install 'stoma-scheduler[notify]'",
        )
        return
    words = {"apprise": "notify (alerts)", "pyarrow": "parquet (export)"}
    told = ", ".join(f"{words[name]}: {'there' if there else 'not installed'}" for name, there in has.items())
    yield well(EXTRAS, told)
