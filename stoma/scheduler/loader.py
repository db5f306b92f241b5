"""Loads one configuration again and again; what was not edited is neither parsed, nor judged, nor built twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from stoma.documents.reading import digest as hash_of
from stoma.errors import ConfigError, Problem
from stoma.scheduler.base import Task
from stoma.scheduler.config import base_of
from stoma.scheduler.files import MAIN, Instead, Text, View, is_there
from stoma.scheduler.loading import Loading, Sources
from stoma.scheduler.settings import Config


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one load: a configuration, or why there is none."""

    base: Path
    config: Config | None
    problems: Sequence[Problem]
    # The faults of single files, what is wrong with files only together, and what hides files.
    own: Mapping[Path, Sequence[Problem]]
    disagreements: Sequence[Problem]
    obstacles: Mapping[Path, Problem]
    # Every file that was read, with the hash of its content.
    read: Mapping[Path, str]


class Loader:
    """The files of one configuration; `path` is its main file, None as long as the built-in preset stands for it."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        presets: Sequence[str] = (),
        base: Path | None = None,
        amend: Callable[[Config], Config] = lambda config: config,
    ) -> None:
        """`presets` are added to those that the files name; `amend` has the last word, as the command line does."""
        self.base = base_of(path, base)
        self.path = path.absolute() if path is not None else None
        self._as_given = path
        self._presets = tuple(presets)
        self.amend = amend
        # False where a load may not be held up by the import of somebody's code, as in a scheduler that works.
        self.waits_for_code = True
        self._known: Sources = {}
        self._hashes: dict[str, tuple[Task, str]] = {}

    @property
    def main(self) -> Path:
        """Where the main file lies, or would lie."""
        return self.path or self.base / MAIN

    def config(self) -> Config:
        """The configuration as it is on disk; raises ConfigError with every fault."""
        outcome = self.load()
        if outcome.config is None or outcome.obstacles:
            raise ConfigError([*outcome.problems])
        # A file that was there and is gone is a fault, not a wish for the built-in preset.
        self.path = outcome.config.path
        return outcome.config

    def load(self, instead: Instead | None = None) -> Outcome:
        """One load, with some files other than they are on disk; what hides files is told, and is no reason to stop."""
        view = View(self.base, instead or {})
        path = self.path
        if path is None and view.is_there(self.main):
            path = self.main
        elif path is not None and view.instead.get(path, True) is None:
            path = None
        loading = Loading(
            view,
            path,
            self._presets,
            self._as_given,
            self._known,
            self._hashes,
            wait_for_code=self.waits_for_code,
        )
        try:
            config: Config | None = self.amend(loading.config(despite_obstacles=True))
        except ConfigError:
            config = None
        return Outcome(
            self.base,
            config,
            loading.problems,
            dict(loading.own),
            [*loading.disagreements],
            dict(loading.obstacles),
            dict(loading.read),
        )

    def texts(self, config: Config, before: Mapping[Path, Text]) -> dict[Path, Text]:
        """The texts that a configuration was made of, as far as they are known; `before` are known ones."""
        found: dict[Path, Text] = {}
        for name, digest in config.files.items():
            path = Path(name)
            known = before.get(path)
            if known is None or known.digest != digest:
                known = self._text(path, digest)
            if known is not None:
                found[path] = known
        return found

    def keep_only(self, paths: AbstractSet[Path]) -> None:
        """Forget what was read from all other files, and of tasks that are gone."""
        for key in [key for key in self._known if key[0] not in paths]:
            del self._known[key]
        sources = [source for versions in self._known.values() for source in versions.values()]
        alive = {task_id for source in sources for task_id, _, _ in source.entries}
        for task_id in [task_id for task_id in self._hashes if task_id not in alive]:
            del self._hashes[task_id]

    def _text(self, path: Path, digest: str) -> Text | None:
        for kind in ("stoma", "tasks", "preset"):
            source = self._known.get((path, kind), {}).get(digest)
            if source is not None:
                return Text(source.document.text, digest)
        # Read by somebody else, before this.
        try:
            raw = path.read_bytes()
            return Text(raw.decode("utf-8-sig"), digest) if hash_of(raw) == digest else None
        except (OSError, UnicodeDecodeError):
            return None


def missing(path: Path) -> bool:
    """True where there is no file now; a link that leads nowhere counts, as in the midst of a swap."""
    try:
        return not path.exists()
    except OSError:
        return not is_there(path)
