"""Loads what people wrote: stoma.yaml, the files it includes and the presets it names become one Config.

Everything is checked before anything else sees it, and all faults of all files are told at once. References
(`${env:NAME}`) stay unresolved: whoever uses a value resolves it, and one that is unset blocks only what needs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stoma import own
from stoma.documents import explain, of_values
from stoma.errors import ConfigError, NotFound
from stoma.references import unset
from stoma.resources import preset_path
from stoma.scheduler import definitions, owncode
from stoma.scheduler.base import Task, TaskPriority
from stoma.scheduler.definitions import schedule_hash, task_hash
from stoma.scheduler.files import MAIN, Text, View, is_there
from stoma.scheduler.loading import Loading
from stoma.scheduler.settings import CONTACT, Api, Config
from stoma.wording import nearest

__all__ = [
    "Api",
    "Config",
    "base_of",
    "blocked_reason",
    "create_custom_task",
    "load_config",
    "load_preset",
    "nearest_task",
    "schedule_hash",
    "task_hash",
]


def load_config(
    path: Path | None = None,
    *,
    presets: Sequence[str] = (),
    base: Path | None = None,
    overlay: Mapping[Path, str] | None = None,
    with_code: bool = False,
) -> Config:
    """Load `path`, else `stoma.yaml` in `base` or the present folder, else the built-in preset.

    `presets` are added to those that the files name; `overlay` gives files a text other than the one on disk;
    `with_code` makes faults of collectors and normalizers of your own that cannot be used, which otherwise only block
    their tasks. Raises ConfigError with every fault, NotFound for an unknown preset among `presets`.
    """
    base = base_of(path, base)
    given = path
    if path is None and is_there(base / MAIN):
        path = base / MAIN
    for name in presets:
        preset_path(name, base)
    instead = {path: Text.of(text) for path, text in (overlay or {}).items()}
    view = View(base, instead)
    return Loading(view, path.absolute() if path else None, presets, given, with_code=with_code).config()


def base_of(path: Path | None, base: Path | None = None) -> Path:
    """The folder from which relative paths count: that of the configuration file, else the present one."""
    if base is not None:
        return base.absolute()
    # Not resolve(): where stoma.yaml is a link, its neighbours lie beside the link.
    return path.absolute().parent if path is not None else Path.cwd()


def load_preset(name: str, base: Path) -> dict[str, Task]:
    """The tasks of one preset with Stoma's own defaults; NotFound for an unknown name."""
    preset_path(name, base)
    return Loading(View(base.absolute()), None, (name,)).preset(name)


def create_custom_task(
    task_id: str,
    name: str,
    collector_type: str,
    collector_config: Mapping[str, Any] | None = None,
    schedule_pattern: str | Sequence[str] | None = None,
    priority: TaskPriority | str = TaskPriority.NORMAL,
    **more: Any,
) -> Task:
    """A task made in Python, checked like one in a file; `more` are further keys of a task. Raises ConfigError."""
    entry: dict[str, Any] = {"name": name, "collector": collector_type, **more}
    if collector_config is not None:
        entry["config"] = collector_config
    if schedule_pattern is not None:
        entry["schedule"] = schedule_pattern
    entry["priority"] = str(priority)
    normalizer = None if isinstance(more.get("normalizer"), str) else entry.pop("normalizer", None)
    document = of_values({"tasks": {task_id: definitions.plain(entry)}})
    faults = definitions.checker("tasks").faults(document.data)
    if problems := explain(document, faults, definitions.FORMATS) or [*owncode.problems(document, None)]:
        raise ConfigError(problems)
    base = definitions.base_task("UTC", None)
    task = definitions.task_from(task_id, document.data["tasks"][task_id], base, "python")
    return task if normalizer is None else definitions.with_normalizer(task, normalizer)


def blocked_reason(task: Task, config: Config, *, wait: bool = True) -> str | None:
    """Why a task cannot run now, and what to do about it; None when it can.

    Without `wait` code of its own that is still being imported will do: its run waits for it.
    """
    from stoma import collectors

    if reason := unset(task.config, config.base):
        return reason
    if reason := owncode.reason(task, wait=wait):
        return reason
    try:
        needs_contact = collectors.kind(task.collector, wait=wait).needs_contact
    except (own.Unread, own.Beginning):
        return None
    except NotFound as error:
        return error.message
    if needs_contact:
        missing = "there is none" if config.contact is None else unset(config.contact, config.base)
        if missing:
            return (
                f"{task.collector} needs a contact ({missing}): the source asks who is calling; set STOMA_CONTACT="
                f'"Your Name you@example.org" and identity: {{contact: "{CONTACT}"}} in stoma.yaml'
            )
    return None


def nearest_task(config: Config, task_id: str) -> str | None:
    """The id of the task that was probably meant."""
    return nearest(task_id, config.tasks)
