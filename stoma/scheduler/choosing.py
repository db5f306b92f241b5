"""Which edits come into force when some are broken: a file that fails keeps its last good text, the others apply.

as on disk -> what is faulty by itself stays as it was -> what does not go together stays as it was
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stoma.errors import Problem
from stoma.scheduler.base import Task
from stoma.scheduler.files import Instead, Text, shown_name
from stoma.scheduler.loader import Outcome
from stoma.scheduler.settings import Config
from stoma.wording import shown

MOST_TRIED = 48
"""So many loads are spent on finding out which edited files do not go together; those not told apart by then stay."""

_KEY = re.compile(r"(?m)^\s*[\"']?([a-z0-9_-]{1,64})[\"']?\s*:")


@dataclass(frozen=True, slots=True)
class Choice:
    """The configuration that may be in force now, and what is wrong with the files; no config: nothing loads."""

    config: Config | None
    problems: list[Problem]


def choose(
    load: Callable[[Instead], Outcome],
    accepted: Mapping[Path, Text],
    main: Path,
    before: Mapping[str, Task],
    held: Collection[Path] = (),
) -> Choice:
    """Take up as many edits as go together.

    `accepted` are the texts in force and `before` their tasks; `held` files are not looked at yet. A file without an
    accepted text that fails is left out.
    """
    instead: dict[Path, Text | None] = {path: accepted.get(path) for path in held}
    told: dict[Problem, None] = {}
    while True:
        outcome = load(instead)
        told.update(dict.fromkeys(outcome.obstacles.values()))
        stay = {path for path in _hidden(accepted, outcome) if path not in instead}
        if not stay:
            stay = {path for path in outcome.own if path not in instead}
            # The main file says which others there are: what the broken one seems to say of them is no reason.
            stay = {main} if main in stay else stay
            told.update((problem, None) for path in stay for problem in outcome.own[path])
        if not stay and outcome.config is not None:
            config = outcome.config
            stay, losses = _moved(config, before, [path for path in instead if path not in held], accepted)
            stay -= instead.keys()
            if not stay:
                return Choice(config, sorted(told, key=lambda p: (p.file, p.line, p.column)))
            told.update(dict.fromkeys(losses))
        if not stay:
            changed = [path for path in _changed(accepted, outcome) if path not in instead]
            if not changed:
                return Choice(None, [*told] or [*outcome.problems])
            stay = _involved(load, instead, accepted, outcome, changed)
            told.update((_with_hint(p, stay, accepted, outcome), None) for p in outcome.disagreements)
        instead.update((path, accepted.get(path)) for path in stay)


def _hidden(accepted: Mapping[Path, Text], outcome: Outcome) -> Iterator[Path]:
    """Files that were not read because something hides them."""
    for path in accepted:
        if path not in outcome.read and any(_hides(obstacle, path) for obstacle in outcome.obstacles):
            yield path


def _hides(obstacle: Path, path: Path) -> bool:
    # A folder that cannot be listed, or a file that got an ending that is not read.
    return obstacle in path.parents or obstacle.with_suffix("") == path.with_suffix("")


def _changed(accepted: Mapping[Path, Text], outcome: Outcome) -> Iterator[Path]:
    for path, digest in outcome.read.items():
        if path not in accepted or accepted[path].digest != digest:
            yield path
    yield from (path for path in accepted if path not in outcome.read)


def _involved(
    load: Callable[[Instead], Outcome],
    instead: Instead,
    accepted: Mapping[Path, Text],
    outcome: Outcome,
    changed: list[Path],
) -> set[Path]:
    """The edited files without which something would be in order: those that are named first, then half by half."""
    said = _said(outcome)
    named = [path for path in changed if _is_named(shown_name(path, outcome.base), said)]
    groups = [[path for path in changed if path not in named], named]
    found: set[Path] = set()
    tried = 0
    while groups:
        group = groups.pop()
        if not group or tried >= MOST_TRIED:
            found |= {*group}
            continue
        tried += 1
        if said <= _said(load({**instead, **{path: accepted.get(path) for path in group}})):
            continue
        if len(group) == 1:
            found |= {*group}
        else:
            middle = len(group) // 2
            groups += [group[middle:], group[:middle]]
    return found or set(changed)


def _is_named(name: str, said: set[tuple[str, str]]) -> bool:
    return any(name == file or f"{name}:" in message for file, message in said)


def _said(outcome: Outcome) -> set[tuple[str, str]]:
    # Not the line: what is said of a file stands elsewhere in its text from before. Nor what may have been meant.
    return {(found.file, found.message.partition("; did you mean")[0]) for found in outcome.disagreements}


def _with_hint(problem: Problem, stay: set[Path], accepted: Mapping[Path, Text], outcome: Outcome) -> Problem:
    base = outcome.base
    old = ", ".join(shown_name(path, base) for path in sorted(stay) if path in accepted)
    new = ", ".join(shown_name(path, base) for path in sorted(stay) if path not in accepted)
    until = [f"{old} as before"] if old else []
    until += [f"{new} left out"] if new else []
    waits = f"until it is mended: {', '.join(until)}"
    return replace(problem, hint=f"{problem.hint}; {waits}" if problem.hint else waits)


def _moved(
    config: Config, before: Mapping[str, Task], kept: Collection[Path], accepted: Mapping[Path, Text]
) -> tuple[set[Path], list[Problem]]:
    """A task that moves to a file which is broken would be lost between the two: where it was, it stays."""
    lost = before.keys() - config.tasks.keys()
    files: set[Path] = set()
    problems: list[Problem] = []
    for path in kept if lost else ():
        try:
            named = lost & set(_KEY.findall(path.read_text(encoding="utf-8", errors="replace")))
        except OSError:
            continue
        for task_id in sorted(named):
            origin = before[task_id].origin.rpartition(":")[0]
            where = {file for file in accepted if shown_name(file, config.base) == origin}
            files |= where
            if where:
                problems.append(
                    Problem(
                        f'the task "{shown(task_id)}" is about to move to {shown_name(path, config.base)}, '
                        "which is not in order",
                        origin,
                        hint=f"until that is mended: {origin} as before",
                    )
                )
    return files, problems
