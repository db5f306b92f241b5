"""Which tasks follow which, and when one has all it waits for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from stoma.scheduler.base import Dependency, Task, TaskStatus
from stoma.wording import did_you_mean, shown

MOST_SPELLED = 20
"""How many tasks of a circle are named."""

ACCEPTED: Mapping[str, AbstractSet[TaskStatus]] = {
    "completed": frozenset({TaskStatus.COMPLETED}),
    "failed": frozenset({TaskStatus.FAILED, TaskStatus.SUSPECT}),
    "any": frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.SUSPECT}),
}
"""How a run may have ended, by the word in `after`. What was skipped or cancelled leads to nothing."""


def accepts(dependency: Dependency, status: TaskStatus) -> bool:
    """Whether a run of the task it names that ended like this is what was waited for."""
    return status in ACCEPTED[dependency.status]


def followers(tasks: Mapping[str, Task]) -> dict[str, tuple[str, ...]]:
    """By task: those that name it in `after`, in the order of their ids."""
    found: dict[str, list[str]] = {}
    for task_id in sorted(tasks):
        for upstream in dict.fromkeys(dependency.task for dependency in tasks[task_id].after):
            found.setdefault(upstream, []).append(task_id)
    return {upstream: tuple(ids) for upstream, ids in found.items()}


def missing(task: Task, ended: AbstractSet[str]) -> list[str]:
    """The tasks whose end is still waited for, in the order they are written."""
    return [name for name in dict.fromkeys(d.task for d in task.after) if name not in ended]


def faults(waits: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, int, str]]:
    """What is wrong with who waits for whom: the task, which of its upstream tasks (from 0), and a sentence."""
    for task_id, upstreams in waits.items():
        for number, upstream in enumerate(upstreams):
            if upstream not in waits:
                near = did_you_mean(upstream, waits)
                yield task_id, number, f'after: there is no task "{shown(upstream)}"{near}'
    for circle in cycles(waits):
        task_id, upstream = circle[0], circle[1]
        told = " -> ".join(shown(name) for name in circle)
        if len(circle) > MOST_SPELLED:
            told = " -> ".join([*circle[: MOST_SPELLED - 2], "…", *circle[-2:]])
        what = "waits for itself" if len(circle) == 2 else "waits for itself through others"
        yield task_id, list(waits[task_id]).index(upstream), f"after: {task_id} {what}: {told}"


def cycles(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Every circle of tasks that wait for one another, each once: `[a, b, a]`; `edges` names what each waits for."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in edges:
        # No recursion: a chain may be as long as there are tasks.
        path: list[str] = []
        on_path: dict[str, int] = {}
        stack: list[tuple[str, int]] = [(start, 0)] if start not in done else []
        while stack:
            name, number = stack.pop()
            if number == 0:
                on_path[name] = len(path)
                path.append(name)
            upstreams = edges.get(name, ())
            if number == len(upstreams):
                path.pop()
                del on_path[name]
                done.add(name)
                continue
            stack.append((name, number + 1))
            upstream = upstreams[number]
            if upstream in on_path:
                found.append([*path[on_path[upstream] :], upstream])
            elif upstream not in done:
                stack.append((upstream, 0))
    return found


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """The tasks, each behind those of them that it waits for; else in the order they came."""
    by_id = {task.id: task for task in tasks}
    found: dict[str, Task] = {}
    for first in by_id:
        stack = [first]
        while stack:
            name = stack[-1]
            waiting = [d.task for d in by_id[name].after if d.task in by_id and d.task not in found]
            if name in found or not waiting:
                stack.pop()
                found.setdefault(name, by_id[name])
            else:
                stack.append(waiting[0])
    return list(found.values())
