"""Reads the files of one configuration, gathers every fault, and puts the Config together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from stoma.documents import Document, explain, parse, problems_of_syntax, read
from stoma.errors import ConfigError, NotFound, Problem
from stoma.hosts import budget_name, is_loopback
from stoma.resources import NAME
from stoma.scheduler import definitions, dependencies, files, owncode
from stoma.scheduler.base import Task
from stoma.scheduler.settings import BUILT_IN_PRESET, CONTACT, Api, Config, Keep
from stoma.wording import did_you_mean, shown


class Source:
    """One file as it was read: what is wrong with it alone, and its tasks, each built once."""

    def __init__(self, document: Document, problems: Sequence[Problem]) -> None:
        self.document = document
        self.problems = problems
        self._entries: list[tuple[str, Mapping[str, Any], str]] | None = None
        self._built: tuple[Task, dict[str, Task]] | None = None

    @property
    def entries(self) -> Sequence[tuple[str, Mapping[str, Any], str]]:
        """The id, the entry and the place of every task."""
        if self._entries is None:
            data, name = self.document.data, self.document.name
            tasks = data.get("tasks") if isinstance(data, dict) else None
            self._entries = [
                (task_id, entry, f"{name}:{self.document.line(('tasks', task_id))}")
                for task_id, entry in (tasks.items() if isinstance(tasks, dict) else ())
            ]
        return self._entries

    def tasks(self, base: Task) -> Mapping[str, Task]:
        """The tasks on top of what holds for all of them; the same objects as long as that is the same."""
        if self._built is None or self._built[0] != base:
            made = {i: definitions.task_from(i, entry, base, origin) for i, entry, origin in self.entries}
            self._built = base, made
        return self._built[1]


Sources = dict[tuple[Path, str], dict[str, Source]]
"""By path and kind of file: what was read from it, by the hash of the content."""

VERSIONS = 2
"""How many texts of one file are remembered: the one on disk, and the one in force."""


class Loading:
    """One load: what was read so far and what is wrong with it."""

    def __init__(
        self,
        view: files.View,
        path: Path | None,
        presets: Sequence[str],
        given: Path | None = None,
        known: Sources | None = None,
        hashes: dict[str, tuple[Task, str]] | None = None,
        *,
        with_code: bool = False,
        wait_for_code: bool = True,
    ) -> None:
        self.view, self.base, self.path = view, view.base, path
        # The path of the configuration file as somebody wrote it, if somebody did.
        self._as_given = given
        self._given = tuple(presets)
        self._with_code, self._wait_for_code = with_code, wait_for_code
        self._known: Sources = known if known is not None else {}
        self._hashes = hashes if hashes is not None else {}
        # Faults of single files, faults of files that do not go together, and what hides files.
        self.own: dict[Path, Sequence[Problem]] = {}
        self._problems: list[Problem] = []
        self.obstacles: dict[Path, Problem] = {}
        self.read: dict[Path, str] = {}
        # Every file that may declare tasks, in order; the name of the preset it is, if it is one.
        self._sources: list[tuple[Source, str | None]] = []

    @property
    def problems(self) -> list[Problem]:
        """Everything that is wrong, in the order of files and lines."""
        found = [*self.obstacles.values(), *self._problems]
        found += [problem for problems in self.own.values() for problem in problems]
        return sorted(found, key=lambda p: (p.file, p.line, p.column))

    @property
    def disagreements(self) -> list[Problem]:
        """What is wrong with files only because they do not go together."""
        return self._problems

    def config(self, *, despite_obstacles: bool = False) -> Config:
        """The whole configuration, or a ConfigError with every fault."""
        main = self._read(self.path, "stoma") if self.path else None
        settings = main.data if main is not None and isinstance(main.data, dict) else {}
        named = [*self._named(main)] if main is not None else [(BUILT_IN_PRESET, None, 0)]
        include = self._include(main, settings)
        for path in self._included(include):
            named += self._named(self._read(path, "tasks"))
        presets = self._presets([*named, *((name, None, 0) for name in self._given)])
        self._entries()
        self._check_after()
        if main is not None and self.path is not None:
            checks = (self._check_hosts, self._check_api, self._check_store)
            faults = [problem for check in checks for problem in check(main, settings)]
            self._check_targets(main, settings)
            if faults:
                self.own[self.path] = [*self.own.get(self.path, ()), *faults]
        self._stop_if_faulty(despite_obstacles=despite_obstacles)
        notify = definitions.notify_of(settings.get("notify") or {})
        base = definitions.base_task(settings.get("timezone", "UTC"), settings.get("defaults"), notify)
        tasks: dict[str, Task] = {}
        for source, _ in self._sources:
            tasks.update(source.tasks(base))
        of_preset: dict[str, list[str]] = {name: [] for name in presets}
        for source, preset in self._sources:
            if preset is not None:
                of_preset[preset] += [task_id for task_id, _, _ in source.entries]
        return Config(
            base=self.base,
            path=self.path,
            built_in=self.path is None,
            tasks=tasks,
            presets=tuple(presets),
            preset_tasks={name: tuple(ids) for name, ids in of_preset.items()},
            include=include,
            files={str(path): digest for path, digest in self.read.items()},
            hashes=self._hashes,
            **_settings(settings, built_in=self.path is None),
        )

    def preset(self, name: str) -> dict[str, Task]:
        """The tasks of one preset alone, with Stoma's own defaults."""
        self._presets([(name, None, 0)])
        entries = self._entries()
        self._stop_if_faulty()
        base = definitions.base_task("UTC", None)
        return {i: definitions.task_from(i, entry, base, origin) for i, (entry, origin, _) in entries.items()}

    def _stop_if_faulty(self, *, despite_obstacles: bool = False) -> None:
        if self.own or self._problems or (self.obstacles and not despite_obstacles):
            raise ConfigError(self.problems)

    def _read(self, path: Path, kind: str, preset: str | None = None) -> Document:
        versions = self._known.setdefault((path, kind), {})
        text = self.view.instead.get(path)
        # A file that is read for the first time is not read twice.
        digest = text.digest if text is not None else files.digest_of(path) if versions else ""
        source = versions.pop(digest, None)
        if source is None:
            document = self._document(path, text)
            problems = [*self._as_written(path, document)]
            if document.readable:
                faults = definitions.checker(kind).faults(document.data)
                problems += explain(document, faults, definitions.FORMATS)
                problems += owncode.problems(
                    document, self.base, with_code=self._with_code, wait=self._wait_for_code
                )
            source = Source(document, problems)
            if text is None:
                # What could not be read is known by its hash only if it was not edited meanwhile.
                digest = document.digest or (digest if files.digest_of(path) == digest else "")
            for oldest in [*versions][: 1 - VERSIONS]:
                del versions[oldest]
        versions[digest] = source
        self.read[path] = digest
        if source.problems:
            self.own[path] = source.problems
        self._sources.append((source, preset))
        return source.document

    def _document(self, path: Path, text: files.Text | None) -> Document:
        name = files.shown_name(path, self.base)
        return read(path, name) if text is None else parse(text.content, name)

    def _as_written(self, path: Path, document: Document) -> Sequence[Problem]:
        """The faults of a file's syntax; a named file that cannot be read at all is called as it was named."""
        if document.readable or path != self.path:
            return problems_of_syntax(document)
        if self._as_given is None:
            hint = "" if files.is_there(path) else _RESTORE
            return [replace(p, hint=p.hint or hint) for p in problems_of_syntax(document)]
        name = str(self._as_given)
        where = "" if self._as_given.is_absolute() else f"looked for at {path}"
        return [p if p.line else replace(p, file=name, hint=p.hint or where) for p in document.problems]

    def _include(self, main: Document | None, settings: Mapping[str, Any]) -> tuple[str, ...]:
        patterns = settings.get("include")
        if not isinstance(patterns, list):
            return files.DEFAULT_INCLUDE
        for number, pattern in enumerate(patterns):
            plain_name = isinstance(pattern, str) and not set(pattern) & set("*?[")
            if main is not None and plain_name and (reason := self._no_file(self.base / pattern)):
                text = f'include: {reason} "{shown(pattern)}"'
                self._problems.append(
                    main.problem(("include", number), text, "paths count from this file's folder")
                )
        return tuple(pattern for pattern in patterns if isinstance(pattern, str))

    def _included(self, include: Sequence[str]) -> list[Path]:
        for path, (message, hint) in files.obstacles(self.base, include).items():
            self.obstacles[path] = Problem(message, files.shown_name(path, self.base), hint=hint)
        return [path for path in self.view.included(include) if path != self.path]

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
                path = self.view.preset_path(name)
            except NotFound as error:
                unknown.add(name)
                self._problems += self._no_preset(name, document, number, error)
                continue
            found.append(name)
            self._read(path, "preset", name)
        return found

    def _no_preset(
        self, name: str, document: Document | None, number: int, error: NotFound
    ) -> Iterator[Problem]:
        """Why a preset cannot be used; nothing where its name is not even one: the schema has said so."""
        message, hint = error.message, error.hint
        hidden = self.base / "presets" / f"{name}.yaml"
        if NAME.match(name) and files.is_there(hidden):
            message, hint = f'the preset "{shown(name)}" is not in order', f"mend presets/{name}.yaml"
        if document is None:
            yield Problem(message, hint=hint)
        elif NAME.match(name):
            yield document.problem(("presets", number), f"presets: {message}", hint)

    def _entries(self) -> dict[str, tuple[Mapping[str, Any], str, str | None]]:
        """Every task's entry, where it stands, and the preset it belongs to; an id is used once."""
        found: dict[str, tuple[Mapping[str, Any], str, str | None]] = {}
        declared_in: dict[str, Document] = {}
        for source, preset in self._sources:
            document = source.document
            for task_id, entry, origin in source.entries:
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

    def _check_after(self) -> None:
        """Who waits for whom: unknown tasks and circles, each told where it is written."""
        if self.own:
            return  # a task of a file that is not in order would seem to be missing
        waits: dict[str, list[str]] = {}
        written: dict[str, Source] = {}
        for source, _ in self._sources:
            for task_id, entry, _ in source.entries:
                waits[task_id] = [found.task for found in definitions.dependencies_of(entry.get("after", []))]
                written[task_id] = source
        for task_id, number, message in dependencies.faults(waits) if any(waits.values()) else ():
            document = written[task_id].document
            place: tuple[str | int, ...] = ("tasks", task_id, "after")
            if isinstance(document.data["tasks"][task_id]["after"], list):
                place += (number,)
            self._problems.append(document.problem(place, message))

    def _check_targets(self, main: Document, settings: Mapping[str, Any]) -> None:
        """Who is to be told has to be declared; each fault is told where it is written."""
        if self.own:
            return  # what is not in order may be what declares it
        known = list((settings.get("notify") or {}).get("targets") or {})
        written: list[tuple[Document, tuple[str, ...]]] = [
            (main, ("notify",)),
            (main, ("defaults", "notify")),
        ]
        written += [
            (source.document, ("tasks", task_id, "notify"))
            for source, _ in self._sources
            for task_id, entry, _ in source.entries
            if entry.get("notify")
        ]
        for document, place in written:
            found = document.data
            for key in place:
                found = (found or {}).get(key)
            to = (found or {}).get("to", [])
            for number, name in enumerate(definitions.targets_named(to)):
                if name not in known:
                    near = did_you_mean(name, known)
                    message = f'{".".join(map(str, place))}.to: there is no target "{shown(name)}"{near}'
                    where: tuple[str | int, ...] = (*place, "to")
                    where += () if isinstance(to, str) else (number,)
                    hint = "" if near else "declare it under notify.targets in stoma.yaml"
                    self._problems.append(document.problem(where, message, hint))

    def _check_hosts(self, main: Document, settings: Mapping[str, Any]) -> Iterator[Problem]:
        hosts = settings.get("hosts")
        for host in hosts if isinstance(hosts, dict) else ():
            counted = budget_name(host)
            if counted != host.lower().rstrip("."):
                message = f'hosts: "{shown(host)}" is counted together with {counted}; write its budget there'
                yield main.problem(("hosts", host), message, of_key=True)

    def _check_api(self, main: Document, settings: Mapping[str, Any]) -> Iterator[Problem]:
        given = settings.get("api")
        api = given if isinstance(given, dict) else {}
        host = api.get("host")
        # What is no address at all, the schema has said.
        if not isinstance(host, str) or not re.fullmatch(r"[^\s/$]+", host):
            return
        if not api.get("tokens") and not is_loopback(host):
            message = f"api.host: {shown(host)} can be reached by others, and there is no token"
            yield main.problem(("api", "host"), message, _TOKENS)

    def _check_store(self, main: Document, settings: Mapping[str, Any]) -> Iterator[Problem]:
        given = settings.get("store")
        store = given if isinstance(given, dict) else {}
        url, schema = store.get("url", Config.store_url), store.get("schema")
        if not isinstance(url, str) or not isinstance(schema, str):
            return
        # A reference is resolved later; whoever connects says the same then.
        if url.startswith("sqlite:"):
            message = "store.schema: is for PostgreSQL; a SQLite file has none"
            yield main.problem(("store", "schema"), message, "take it out, or name another file in store.url")

    def _no_file(self, path: Path) -> str:
        """Why a named file cannot be included; nothing where it can be tried."""
        if path in self.view.instead:
            return "" if self.view.instead[path] is not None else "there is no file"
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return "there is no file"
        except OSError as error:
            return f"{error.strerror or error}:"
        return ""


_TOKENS = 'set api.tokens, for example ["${env:STOMA_TOKEN}"], or api.host: 127.0.0.1'
_RESTORE = "restore it; `presets: [default]` in a new one gives the built-in preset"
_TWICE = "give one of them another id; a preset's task cannot be replaced, but disable-task switches it off"


def _settings(given: Mapping[str, Any], *, built_in: bool) -> dict[str, Any]:
    """The fields of Config that come from stoma.yaml itself; what is not written keeps its default."""
    scheduler, store, api = (given.get(key) or {} for key in ("scheduler", "store", "api"))
    url, schema = store.get("url", "sqlite:///stoma.db"), store.get("schema")
    if schema is not None:
        # Only here, because the databases come with it: most files are judged without them.
        from stoma.stores.addresses import with_schema

        url = with_schema(url, schema)
    found: dict[str, Any] = {
        "timezone": given.get("timezone", "UTC"),
        "max_concurrent_tasks": scheduler.get("max_concurrent_tasks", 3),
        "check_interval": timedelta(seconds=scheduler.get("check_interval_seconds", 1)),
        "lease": definitions.positive_duration(scheduler.get("lease", "30s")),
        "store_url": url,
        "synchronous": store.get("synchronous", "normal"),
        "raw": definitions.positive_duration(store["raw"]) if store.get("raw") else None,
        "keep": Keep(
            **{kind: definitions.keep_time(kept) for kind, kept in (given.get("keep") or {}).items()}
        ),
        "api": Api(
            api.get("host", "127.0.0.1"),
            api.get("port", 8000),
            tuple(api.get("hosts") or ()),
            tuple(api.get("tokens") or ()),
            (api.get("public_url") or "").rstrip("/"),
        ),
        "hosts": definitions.host_rules(given.get("hosts")),
        "targets": {
            name: definitions.targets_named(written)
            for name, written in ((given.get("notify") or {}).get("targets") or {}).items()
        },
        "notify": definitions.notify_of(given.get("notify") or {}),
        "contact": (given.get("identity") or {}).get("contact", CONTACT if built_in else None),
    }
    return found
