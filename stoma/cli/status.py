"""What `stoma scheduler status` shows, also when a file is broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stoma.cli.output import local, several, tell, tell_error

if TYPE_CHECKING:
    from stoma.scheduler.config import Config
    from stoma.stores import Store


def status_despite(config_file: Path | None) -> dict[str, Any] | None:
    """The overview without the tasks, when a file is broken; None where no store can be found either."""
    from stoma.scheduler.config import Config
    from stoma.scheduler.lastgood import store_despite
    from stoma.scheduler.loader import Loader

    loader = Loader(config_file)
    store = store_despite(loader)
    if store is None:
        return None
    config = Config(base=loader.base, path=loader.path)
    with store:
        return status_of(config, store)


def status_of(config: Config, store: Store) -> dict[str, Any]:
    """The overview, with the folder of a full disk: a scheduler cannot tell any more that it cannot write."""
    from stoma.scheduler.overview import status_overview
    from stoma.scheduler.parts import full_disk

    full = full_disk(config)
    return status_overview(config, store, store.now()) | {"full_disk": str(full) if full else None}


def is_degraded(overview: Mapping[str, Any]) -> bool:
    """True where somebody has to do something: a rejected file, a store that cannot be written. No failing task is."""
    return bool(overview["config"]["errors"] or overview["silent"] or overview["full_disk"])


def show_status(overview: dict[str, Any], zone: str) -> None:
    """The overview in lines for people, by the clock of `zone`."""
    for node in overview["nodes"]:
        tell(
            f"running: {node['node']} since {local(node['started_at'], zone)}"
            + (f", {node['api']}/" if node["api"] else "")
        )
        if words := _usage_words(node.get("usage") or {}):
            tell(f"  uses {words}")
        if node["abandoned_threads"]:
            hung = several(node["abandoned_threads"], "thread")
            tell(f"  hanging, and given up: {hung}; a restart frees what they hold")
    if overview["silent"]:
        tell_error(
            f"{overview['silent']} holds the database but is not heard of",
            "it hangs or cannot write: look at its log and at the free space of the disk",
        )
    if overview["full_disk"]:
        tell_error(
            f"the disk of {overview['full_disk']} is full",
            "free some space; work goes on by itself",
        )
    if not overview["running"]:
        tell("not running: start it with `stoma-run`")
    for name in sorted({name for node in overview["nodes"] for name in node.get("restart_needed", ())}):
        tell(f"restart needed: {name} was edited")
    if overview["paused_since"]:
        tell(
            f"paused since {local(overview['paused_since'], zone)}: nothing starts until `stoma scheduler resume`"
        )
    tell_broken(overview["config"]["errors"])
    tell(
        f"tasks: {overview['tasks']}, switched on {overview['enabled']}, blocked {overview['blocked']};"
        f" configuration {overview['config']['hash']}, generation {overview['config']['generation']}"
    )
    for run in overview["running_runs"]:
        counts = f"{run['seen']} seen, {several(run['pages'], 'page')}"
        tell(f"  now: {run['task']} (run {run['run']}, try {run['attempt']}): {counts}")
    for run in overview["waiting_runs"]:
        waits = run["waits_for"] if overview["running"] else "continues when a scheduler runs"
        tell(f"  open: {run['task']} (run {run['run']}): {waits}")
    for task in overview["failing"]:
        again = f"; tried again at {local(task['again_at'], zone)}" if task["again_at"] else ""
        tell(f"  {task['status']}: {task['task']}: {task['reason']}{again}")
    for task in overview["gone"]:
        tell(f"  gone: {task['task']}: {task['reason']}")
    for host in overview["hosts"]:
        tell(f"  host {host['host']} cools down until {local(host['cooling_until'], zone)}: {host['reason']}")
    for due in overview["next_runs"][:5]:
        tell(f"  next: {due['task']} at {local(due['at'], zone)}")
    records = ", ".join(f"{count} of kind {kind}" for kind, count in overview["records"].items())
    tell(f"records: {records or 'none yet'} ({overview['store']})")


def tell_broken(errors: Iterable[Mapping[str, Any]]) -> None:
    """What is wrong with the files, and where."""
    for error in errors:
        place = f"{error['file']}:{error['line']}:{error['column']}" if error["line"] else error["file"]
        tell_error(f"{place}: {error['message']}", error["hint"])


def _usage_words(usage: dict[str, Any]) -> str:
    """What a scheduler process costs; a node of another version, or just started, tells less."""
    memory, cpu, threads = (usage.get(key) for key in ("memory_bytes", "cpu_percent", "threads"))
    words = [f"{memory / 1_000_000:.0f} MB of memory"] if memory else []
    words += [f"{cpu:g} % of a core"] if cpu is not None else []
    words += [f"{threads} threads"] if threads else []
    return ", ".join(words)
