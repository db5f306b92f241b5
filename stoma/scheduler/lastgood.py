"""The texts that were in force last, kept in the store: with them a start outlives a broken file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stoma.documents import parse, read
from stoma.errors import ConfigError, NotFound, Problem, StomaError
from stoma.resources import folder
from stoma.scheduler import definitions, location
from stoma.scheduler.choosing import choose
from stoma.scheduler.config import Config
from stoma.scheduler.files import MAIN, Instead, Text, shown_name
from stoma.scheduler.loader import Loader
from stoma.scheduler.overview import is_at_work
from stoma.scheduler.owner import is_gone
from stoma.scheduler.parts import connect
from stoma.stores import Store
from stoma.stores.addresses import with_schema

FIXED = ("store", "api", "scheduler")
"""The parts of stoma.yaml that a start takes from the file on disk or not at all."""


def keep(store: Store, base: Path, texts: Mapping[Path, Text]) -> None:
    """Note the texts in force; what ships with Stoma need not be kept."""
    shipped = folder("presets")
    kept = {
        shown_name(path, base): (text.content, text.digest)
        for path, text in texts.items()
        if shipped not in path.parents
    }
    store.files.keep(str(base), kept, store.now())


def config_in_force(store: Store, path: Path | None, base: Path) -> Config | None:
    """The configuration as last accepted, from the kept texts alone; None where there is none that loads.

    `path` is the main file, if it is not stoma.yaml.
    """
    loader = Loader(path, base=base)
    return _as_accepted(loader, _kept(store, loader.base))


def on_disk(loader: Loader) -> Config:
    """The configuration as it is on disk; raises ConfigError, also where a stoma.yaml that was in force is missing."""
    config = loader.config()
    if config.built_in and _was_in_force(loader):
        # Not a wish for the built-in preset: whoever wants that can write it.
        loader.path = loader.main
        config = loader.config()
    return config


def at_start(loader: Loader) -> tuple[Config, list[Problem]]:
    """The configuration to begin with, and what is wrong with the files.

    A file that is broken is replaced by its last good text. Raises ConfigError where there is none, or where the fault
    stands in a part of stoma.yaml that only a start brings into force.
    """
    try:
        return on_disk(loader), []
    except ConfigError as error:
        found = None if _is_fixed(loader, error) else _despite(loader)
        if found is None:
            raise
        return found


def existing_store(config: Config) -> Store | None:
    """The store of a configuration, for one who only looks: None where that would make a new one."""
    try:
        return connect(config, existing=True)
    except NotFound:
        return None


def store_despite(loader: Loader) -> Store | None:
    """The store that a broken stoma.yaml names, or named last, as well as can be told; None where there is none yet."""
    return existing_store(_at(loader, store_url_in(loader.main)))


def running_url(loader: Loader, besides: str | None = None) -> str | None:
    """The store's address, as it was written, of the scheduler that runs on these files; None for `besides`, or none.

    What was noted counts only if the one who noted it is found at work there.
    """
    known = location.noted(_bare(loader))
    if known is None or known.url == besides or is_gone(known.owner):
        return None
    try:
        store = existing_store(_at(loader, known.url))
        if store is None:
            return None
        with store:
            return known.url if is_at_work(store, known.owner, store.now()) else None
    except StomaError:
        return None


def _bare(loader: Loader) -> Config:
    return loader.amend(Config(base=loader.base, path=loader.path))


def _at(loader: Loader, url: str | None) -> Config:
    """As much of a configuration as it takes to open its store: at this address, else where it was last."""
    config = _bare(loader)
    if url is None and (known := location.noted(config)) is not None:
        url = known.url
    return config if url is None or config.demo else replace(config, store_url=url)


def _was_in_force(loader: Loader) -> bool:
    """True when a stoma.yaml that is not there now was in force last."""
    store = existing_store(_at(loader, None))
    if store is None:
        return False
    with store:
        return MAIN in store.files.of(str(loader.base))


def _despite(loader: Loader) -> tuple[Config, list[Problem]] | None:
    try:
        store = store_despite(loader)
        if store is None:
            return None
        with store:
            accepted = _kept(store, loader.base)
    except StomaError:
        return None  # the fault of the file is what a person can mend first
    before = _as_accepted(loader, accepted)
    if before is None:
        return None
    choice = choose(loader.load, accepted, loader.main, before.tasks)
    if choice.config is None:
        return None
    loader.path = choice.config.path
    return choice.config, choice.problems


def _kept(store: Store, base: Path) -> dict[Path, Text]:
    return {
        base / path: Text(content, digest) for path, (content, digest) in store.files.of(str(base)).items()
    }


def _as_accepted(loader: Loader, accepted: Mapping[Path, Text]) -> Config | None:
    """What the kept texts say, whatever lies on disk."""
    if not accepted or (loader.path is not None and loader.path not in accepted):
        return None
    instead: Instead = dict(accepted)
    while True:
        outcome = loader.load(instead)
        # What is on disk only is not in force; shipped presets are.
        fresh = [path for path in outcome.read if path not in instead and not _is_shipped(path)]
        if not fresh:
            return outcome.config
        instead = {**instead, **dict.fromkeys(fresh)}


def _is_shipped(path: Path) -> bool:
    return folder("presets") in path.parents


def _is_fixed(loader: Loader, error: ConfigError) -> bool:
    """True when a fault stands in a part of the main file that only a start brings into force."""
    name = shown_name(loader.main, loader.base)
    document = read(loader.main, name)
    if not isinstance(document.data, dict):
        # Where a text cannot be understood, its faults stand anywhere: each part is judged alone.
        return not all(_is_good(key, block) for key in FIXED if (block := _block(loader.main, key)))
    lines = sorted((document.line((key,)), key) for key in document.data)
    for problem in error.problems:
        above = [key for line, key in lines if line <= problem.line]
        if problem.file == name and above and above[-1] in FIXED:
            return True
    return False


def _is_good(key: str, block: str) -> bool:
    document = parse(block, key)
    return document.readable and not document.problems and definitions.checker("stoma").accepts(document.data)


def _block(path: Path, key: str) -> str:
    """The lines of a key at the top of a file, which may be broken elsewhere."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return ""
    found: list[str] = []
    for line in lines:
        if found and line[:1].strip() and not line.startswith("#"):
            break
        if found or re.match(rf"{key}\s*:", line):
            found.append(line)
    return "\n".join(found)


def store_url_in(path: Path) -> str | None:
    """The store's address in a file that may be broken elsewhere; None where it cannot be told."""
    document = read(path)
    if isinstance(document.data, dict) and "store" not in document.data:
        return Config.store_url
    if not isinstance(document.data, dict):
        document = parse(_block(path, "store"), "store")
    store = document.data.get("store") if isinstance(document.data, dict) else None
    url = store.get("url", Config.store_url) if isinstance(store, dict) else None
    schema = store.get("schema") if isinstance(store, dict) else None
    return with_schema(url, schema if isinstance(schema, str) else None) if isinstance(url, str) else None
