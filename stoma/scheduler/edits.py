"""The files that commands and the API write: `tasks/ID.yaml` for one task, `tasks/_presets.yaml` for presets.

What people wrote is theirs: only a file that stands exactly as Stoma wrote it is replaced or deleted, anything else is
named with its line. Each edit is tried on the whole configuration first, then the file is replaced in one step.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from stoma.documents import Document, parse, read
from stoma.errors import ConfigError, NotFound, UsageError
from stoma.own import is_path
from stoma.resources import folder, preset_path
from stoma.scheduler import files
from stoma.scheduler.base import TaskPriority
from stoma.scheduler.config import Config, create_custom_task, load_config, nearest_task
from stoma.scheduler.definitions import plain
from stoma.wording import shown

P = ParamSpec("P")
T = TypeVar("T")

# Requests come on several threads; reading, judging and writing a file is one step.
_one_at_a_time = threading.Lock()

TASKS = "tasks"
PRESETS = "_presets"
TASK_ID = re.compile(r"[a-z0-9_-]{1,64}\Z")
_BY_ADD_TASK = "# Written by `stoma scheduler add-task`; `stoma scheduler remove-task {}` deletes this file."
_BY_LOAD_PRESET = "# Written by `stoma scheduler load-preset`; take a line away to unload that preset."


def _alone(edit: Callable[Concatenate[Path, P], T]) -> Callable[Concatenate[Path, P], T]:
    @wraps(edit)
    def alone(base: Path, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with _one_at_a_time, _locked(base):
            return edit(base, *args, **kwargs)

    return alone


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time edit the files of a folder; the lock is the folder's own and leaves no file."""
    if os.name == "nt":  # pragma: no cover — Windows locks no folders
        yield
        return
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield  # whoever writes there will be told why not
        return
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@_alone
def add_task(
    base: Path,
    task_id: str,
    name: str,
    collector: str,
    schedule: str | list[str] | None,
    priority: TaskPriority | str | None = None,
    config: Mapping[str, Any] | None = None,
    replace: bool = False,
    *,
    path: Path | None = None,
) -> Path:
    """Write `tasks/ID.yaml` and give its path; `path` is the configuration file, if it is not stoma.yaml.

    Raises ConfigError where the task, or the whole configuration with it, would not load, UsageError where the id is
    taken (`replace` writes over a file that add_task wrote) and where the collector is the path of a class.
    """
    if is_path(collector):
        raise UsageError(
            f'"{shown(collector)}" names code to run, and that is declared in files only',
            f"write the task into {TASKS}/{shown(task_id)}.yaml by hand",
        )
    entry: dict[str, Any] = {"name": name, "collector": collector}
    if config:
        entry["config"] = plain(config)
    if schedule is not None:
        entry["schedule"] = schedule
    if priority is not None:
        entry["priority"] = str(priority)
    create_custom_task(task_id, name, collector, config, schedule, priority or TaskPriority.NORMAL)
    if task_id == PRESETS:
        raise UsageError(
            f'"{task_id}" cannot be the id of a task', f"tasks/{PRESETS}.yaml is where presets are listed"
        )
    base = base.absolute()
    target = base / TASKS / f"{task_id}.yaml"
    current = load_config(path, base=base)
    _check_included(current, target)
    if task_id in current.tasks:
        origin = current.tasks[task_id].origin
        if not replace:
            raise UsageError(f'the task "{task_id}" exists already, in {origin}', "--replace writes over it")
        _check_declared_in(current, target, task_id)
    if target.exists() or target.is_symlink():
        _check_untouched(target, base, task_id, "written over")
    text = _task_text(base, task_id, entry)
    load_config(path, base=base, overlay={target: text})
    _write(target, text)
    return target


@_alone
def load_preset(base: Path, name: str, *, path: Path | None = None) -> list[str]:
    """Add a preset to `tasks/_presets.yaml`; the ids of the tasks that are new with it, none if it was in force."""
    base = base.absolute()
    preset_path(name, base)
    current = load_config(path, base=base)
    if name in current.presets:
        return []
    target = base / TASKS / f"{PRESETS}.yaml"
    _check_included(current, target)
    if target.exists():
        text = _with_preset(read(target, files.shown_name(target, base)), base, name)
    else:
        text = _presets_text(base, [name])
    fresh = load_config(path, base=base, overlay={target: text})
    _write(target, text)
    return [task_id for task_id in fresh.tasks if task_id not in current.tasks]


@_alone
def remove_task(base: Path, task_id: str, *, path: Path | None = None) -> Path:
    """Delete the file that add_task wrote for a task, and give its path; records and runs stay in the store.

    Raises NotFound for an unknown task, UsageError, naming file and line, for one that is declared elsewhere.
    """
    if not TASK_ID.match(task_id):
        raise NotFound(f'there is no task "{shown(task_id)}"', "`stoma scheduler list-tasks` shows them all")
    base = base.absolute()
    target = base / TASKS / f"{task_id}.yaml"
    try:
        current = load_config(path, base=base)
    except ConfigError:
        # The way out of a broken configuration may be just this; another task's file is not looked for then.
        if not (target.is_file() and task_id in _tasks_of(read(target))):
            raise
    else:
        _check_declared_in(current, target, task_id)
    _check_untouched(target, base, task_id, "deleted")
    try:
        target.unlink()
        _sync_folder(target.parent)
    except OSError as error:
        raise UsageError(f"{target} cannot be deleted: {error.strerror or error}") from None
    return target


def _check_included(config: Config, target: Path) -> None:
    name = files.shown_name(target, config.base)
    if not files.covers(config.include, name):
        raise UsageError(
            f"{name} would not be read, because `include` in stoma.yaml does not name it",
            f"add {files.DEFAULT_INCLUDE[0]} to include; it is {list(config.include)} now",
        )


def _check_declared_in(config: Config, target: Path, task_id: str) -> None:
    if task_id not in config.tasks:
        near = nearest_task(config, task_id)
        hint = f'did you mean "{near}"?' if near else "`stoma scheduler list-tasks` shows them all"
        raise NotFound(f'there is no task "{task_id}"', hint)
    origin = config.tasks[task_id].origin
    if not origin.startswith(f"{files.shown_name(target, config.base)}:"):
        for preset, ids in config.preset_tasks.items():
            if task_id in ids:
                raise UsageError(
                    f'the task "{task_id}" comes from the preset {preset}, in {origin}',
                    "disable-task switches it off; without the preset's name in `presets:` all its tasks go",
                )
        raise UsageError(f'the task "{task_id}" is declared in {origin}', "remove it there")


def _check_untouched(target: Path, base: Path, task_id: str, what: str) -> None:
    """Refuse to lose anything that people wrote into a file."""
    name = files.shown_name(target, base)
    document = read(target, name)
    tasks = _tasks_of(document)
    others = [other for other in tasks if other != task_id]
    if others:
        line = document.line(("tasks", others[0]))
        raise UsageError(
            f'{name} is not {what}: it also declares "{others[0]}", in line {line}', "edit it by hand"
        )
    if not document.text.startswith(_header(base)) or _BY_ADD_TASK.format(task_id) not in document.text:
        raise UsageError(
            f"{name} is not {what}, because add-task did not write it", "edit or delete it by hand"
        )
    if task_id in tasks and document.text != _task_text(base, task_id, tasks[task_id]):
        # Values that were edited may go with the task; words that somebody wrote for people may not.
        own = {_header(base), _BY_ADD_TASK.format(task_id)}
        for number, text in enumerate(document.text.splitlines(), start=1):
            if "#" in text and text not in own:
                raise UsageError(
                    f"{name} is not {what}: it holds a comment, in line {number}", "do it by hand"
                )


def _tasks_of(document: Document) -> dict[str, Any]:
    tasks = document.data.get("tasks") if isinstance(document.data, dict) else None
    return tasks if isinstance(tasks, dict) else {}


def _with_preset(document: Document, base: Path, name: str) -> str:
    """The text of `tasks/_presets.yaml` with one more preset, and all else as it stands."""
    named = (document.data.get("presets") if isinstance(document.data, dict) else None) or []
    if document.text == _presets_text(base, named):
        return _presets_text(base, [*named, name])
    lines = document.text.splitlines()
    if named:
        last = document.place(("presets", len(named) - 1))[0] - 1
        if item := re.match(r"(\s*)-\s", lines[last]):
            lines.insert(last + 1, f"{item[1]}- {_word(name)}")
            text = "\n".join(lines) + "\n"
            wanted = {**document.data, "presets": [*named, name]}
            if parse(text, document.name).data == wanted:
                return text
    line = document.place(("presets",), of_key=True)[0] if named else 1
    raise UsageError(
        f"{document.name} was edited by hand, and the preset cannot be added without losing that",
        f"add {name} to the presets in {document.name}:{line}",
    )


def _header(base: Path) -> str:
    """The line by which editors find the schema."""
    beside = (base / "schemas" / "tasks.schema.json").is_file()
    schema = "../schemas/tasks.schema.json" if beside else folder("schemas") / "tasks.schema.json"
    return f"# yaml-language-server: $schema={schema}"


def _task_text(base: Path, task_id: str, entry: Mapping[str, Any]) -> str:
    return f"{_header(base)}\n{_BY_ADD_TASK.format(task_id)}\n{_yaml({'tasks': {task_id: dict(entry)}})}"


def _presets_text(base: Path, names: list[str]) -> str:
    return f"{_header(base)}\n{_BY_LOAD_PRESET}\n{_yaml({'presets': names})}"


def _word(name: str) -> str:
    return _yaml(name).removesuffix("...\n").strip()


def _yaml(value: Any) -> str:
    """A value as YAML that this and every other reader understands alike."""
    import yaml

    from stoma.documents.scalars import value_of

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def text(dumper: yaml.SafeDumper, word: str) -> yaml.Node:
        # PyYAML quotes what YAML 1.1 misreads, such as `on`; this is what YAML 1.2 would, such as `1e3`.
        style = "'" if not isinstance(value_of(word), str) else "|" if "\n" in word.strip("\n") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", word, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(
        value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )


def _write(target: Path, text: str) -> None:
    """Put the text in place at once: a reader sees the old file or the new one, also after a power cut."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Hidden, so that no pattern of `include` and no watcher takes it up.
        draft = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from None


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
