"""Reads the files of one configuration, gathers every fault, and puts the Config together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from stoma.documents import Document, explain, parse, problems_of_syntax, read
from stoma.errors import ConfigError, NotFound, Problem
from stoma.hosts import budget_name, is_loopback
from stoma.resources import NAME, preset_path
from stoma.scheduler import definitions, files
from stoma.scheduler.base import Task
from stoma.scheduler.settings import BUILT_IN_PRESET, CONTACT, Api, Config
from stoma.wording import shown


class Loading:
    """One load: what was read so far and what is wrong with it."""

    def __init__(
        self,
        base: Path,
        path: Path | None,
        presets: Sequence[str],
        overlay: Mapping[Path, str],
        given: Path | None = None,
    ) -> None:
        self.base, self.path = base, path
        # The path of the configuration file as somebody wrote it, if somebody did.
        self._as_given = given
        self._given = tuple(presets)
        self._overlay = overlay
        self._problems: list[Problem] = []
        self._files: dict[str, str] = {}
        # Every document that may declare tasks, in order; the name of the preset it is, if it is one.
        self._sources: list[tuple[Document, str | None]] = []

    def config(self) -> Config:
        """The whole configuration, or a ConfigError with every fault."""
        main = self._read(self.path, "stoma") if self.path else None
        settings = main.data if main is not None and isinstance(main.data, dict) else {}
        named = [*self._named(main)] if main is not None else [(BUILT_IN_PRESET, None, 0)]
        include = self._include(main, settings)
        for path in self._included(include):
            named += self._named(self._read(path, "tasks"))
        presets = self._presets([*named, *((name, None, 0) for name in self._given)])
        entries = self._entries()
        if main is not None:
            self._check_hosts(main, settings)
            self._check_api(main, settings)
        self._stop_if_faulty()
        base = definitions.base_task(settings.get("timezone", "UTC"), settings.get("defaults"))
        tasks = {
            task_id: definitions.task_from(task_id, entry, base, origin)
            for task_id, (entry, origin, _) in entries.items()
        }
        return Config(
            base=self.base,
            path=self.path,
            built_in=self.path is None,
            tasks=tasks,
            presets=tuple(presets),
            preset_tasks={
                name: tuple(task_id for task_id, (_, _, preset) in entries.items() if preset == name)
                for name in presets
            },
            include=include,
            files=self._files,
            **_settings(settings, built_in=self.path is None),
        )

    def preset(self, name: str) -> dict[str, Task]:
        """The tasks of one preset alone, with Stoma's own defaults."""
        self._presets([(name, None, 0)])
        entries = self._entries()
        self._stop_if_faulty()
        base = definitions.base_task("UTC", None)
        return {i: definitions.task_from(i, entry, base, origin) for i, (entry, origin, _) in entries.items()}

    def _stop_if_faulty(self) -> None:
        if self._problems:
            raise ConfigError(sorted(self._problems, key=lambda p: (p.file, p.line, p.column)))

    def _read(self, path: Path, kind: str, preset: str | None = None) -> Document:
        name = files.shown_name(path, self.base)
        if path in self._overlay:
            document = parse(self._overlay[path], name)
        else:
            document = read(path, name)
        self._files[str(path)] = document.digest
        self._problems += self._as_written(path, document)
        if document.readable:
            faults = definitions.checker(kind).faults(document.data)
            self._problems += explain(document, faults, definitions.FORMATS)
        self._sources.append((document, preset))
        return document

    def _as_written(self, path: Path, document: Document) -> Sequence[Problem]:
        """The faults of a file's syntax; a named file that cannot be read at all is called as it was named."""
        if document.readable or path != self.path or self._as_given is None:
            return problems_of_syntax(document)
        name = str(self._as_given)
        where = "" if self._as_given.is_absolute() else f"looked for at {path}"
        return [p if p.line else replace(p, file=name, hint=p.hint or where) for p in document.problems]

    def _include(self, main: Document | None, settings: Mapping[str, Any]) -> tuple[str, ...]:
        patterns = settings.get("include")
        if not isinstance(patterns, list):
            return files.DEFAULT_INCLUDE
        for number, pattern in enumerate(patterns):
            plain_name = isinstance(pattern, str) and not set(pattern) & set("*?[")
            if main is not None and plain_name and (reason := _no_file(self.base / pattern)):
                text = f'include: {reason} "{shown(pattern)}"'
                self._problems.append(
                    main.problem(("include", number), text, "paths count from this file's folder")
                )
        return tuple(pattern for pattern in patterns if isinstance(pattern, str))

    def _included(self, include: Sequence[str]) -> list[Path]:
        found = dict.fromkeys(files.included(self.base, include))
        for path in self._overlay:
            if files.covers(include, files.shown_name(path, self.base)):
                found[path] = None
        for path, (message, hint) in files.obstacles(self.base, include).items():
            self._problems.append(Problem(message, files.shown_name(path, self.base), hint=hint))
        return [path for path in sorted(found) if path != self.path]

    def _named(self, document: Document) -> list[tuple[str, Document | None, int]]:
        """The presets that a file names, and where."""
        data = document.data if isinstance(document.data, dict) else {}
        names = data.get("presets")
        if not isinstance(names, list):
            return []
        return [(name, document, number) for number, name in enumerate(names) if isinstance(name, str)]

    def _presets(self, named: Sequence[tuple[str, Document | None, int]]) -> list[str]:
        found: list[str] = []
        unknown: set[str] = set()
        for name, document, number in named:
            if name in found or name in unknown:
                continue
            try:
                path = preset_path(name, self.base)
            except NotFound as error:
                unknown.add(name)
                # Where the name is not even one, the schema has said so.
                if document is not None and NAME.match(name):
                    at = ("presets", number)
                    self._problems.append(document.problem(at, f"presets: {error.message}", error.hint))
                continue
            found.append(name)
            self._read(path, "preset", name)
        return found

    def _entries(self) -> dict[str, tuple[Mapping[str, Any], str, str | None]]:
        """Every task's entry, where it stands, and the preset it belongs to; an id is used once."""
        found: dict[str, tuple[Mapping[str, Any], str, str | None]] = {}
        declared_in: dict[str, Document] = {}
        for document, preset in self._sources:
            tasks = document.data.get("tasks") if isinstance(document.data, dict) else None
            for task_id, entry in tasks.items() if isinstance(tasks, dict) else ():
                origin = f"{document.name}:{document.line(('tasks', task_id))}"
                if task_id not in found:
                    found[task_id], declared_in[task_id] = (entry, origin, preset), document
                    continue
                # Told where a person can mend it: a preset may be one of the shipped ones.
                mendable, other = document, found[task_id][1]
                if preset is not None and found[task_id][2] is None:
                    mendable, other = declared_in[task_id], origin
                message = f'the task "{shown(task_id)}" is declared twice; the other one is in {other}'
                self._problems.append(mendable.problem(("tasks", task_id), message, _TWICE, of_key=True))
        return found

    def _check_hosts(self, main: Document, settings: Mapping[str, Any]) -> None:
        hosts = settings.get("hosts")
        for host in hosts if isinstance(hosts, dict) else ():
            counted = budget_name(host)
            if counted != host.lower().rstrip("."):
                message = f'hosts: "{shown(host)}" is counted together with {counted}; write its budget there'
                self._problems.append(main.problem(("hosts", host), message, of_key=True))

    def _check_api(self, main: Document, settings: Mapping[str, Any]) -> None:
        given = settings.get("api")
        api = given if isinstance(given, dict) else {}
        host = api.get("host")
        # What is no address at all, the schema has said.
        if not isinstance(host, str) or not re.fullmatch(r"[^\s/$]+", host):
            return
        if not api.get("tokens") and not is_loopback(host):
            message = f"api.host: {shown(host)} can be reached by others, and there is no token"
            self._problems.append(main.problem(("api", "host"), message, _TOKENS))


_TOKENS = 'set api.tokens, for example ["${env:STOMA_TOKEN}"], or api.host: 127.0.0.1'
_TWICE = "give one of them another id; a preset's task cannot be replaced, but disable-task switches it off"


def _no_file(path: Path) -> str:
    """Why a named file cannot be included; nothing where it can be tried."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return "there is no file"
    except OSError as error:
        return f"{error.strerror or error}:"
    return ""


def _settings(given: Mapping[str, Any], *, built_in: bool) -> dict[str, Any]:
    """The fields of Config that come from stoma.yaml itself; what is not written keeps its default."""
    scheduler, store, api = (given.get(key) or {} for key in ("scheduler", "store", "api"))
    found: dict[str, Any] = {
        "timezone": given.get("timezone", "UTC"),
        "max_concurrent_tasks": scheduler.get("max_concurrent_tasks", 3),
        "check_interval": timedelta(seconds=scheduler.get("check_interval_seconds", 1)),
        "lease": definitions.positive_duration(scheduler.get("lease", "30s")),
        "store_url": store.get("url", "sqlite:///stoma.db"),
        "synchronous": store.get("synchronous", "normal"),
        "api": Api(
            api.get("host", "127.0.0.1"),
            api.get("port", 8000),
            tuple(api.get("hosts") or ()),
            tuple(api.get("tokens") or ()),
        ),
        "hosts": definitions.host_rules(given.get("hosts")),
        "contact": (given.get("identity") or {}).get("contact", CONTACT if built_in else None),
    }
    return found
