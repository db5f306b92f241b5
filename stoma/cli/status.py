"""What `stoma scheduler status` shows, also when a file is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stoma.cli.output import local, tell, tell_error


def status_despite(config_file: Path | None) -> dict[str, Any] | None:
    """The overview without the tasks, when a file is broken; None where no store can be found either."""
    from stoma.scheduler.config import Config
    from stoma.scheduler.lastgood import store_despite
    from stoma.scheduler.loader import Loader
    from stoma.scheduler.overview import status_overview

    loader = Loader(config_file)
    store = store_despite(loader)
    if store is None:
        return None
    with store:
        return status_overview(Config(base=loader.base, path=loader.path), store, store.now())


def show_status(overview: dict[str, Any]) -> None:
    """The overview in lines for people."""
    for node in overview["nodes"]:
        tell(
            f"running: {node['node']} since {local(node['started_at'])}"
            + (f", {node['api']}/" if node["api"] else "")
        )
        if words := _usage_words(node.get("usage") or {}):
            tell(f"  uses {words}")
        if node["abandoned_threads"]:
            tell(f"  {node['abandoned_threads']} threads hang and were given up; a restart frees them")
    if overview["silent"]:
        tell_error(
            f"{overview['silent']} holds the database but is not heard of",
            "it hangs or cannot write: look at its log and at the free space of the disk",
        )
    if not overview["running"]:
        tell("not running: start it with `stoma-run`")
    for name in sorted({name for node in overview["nodes"] for name in node.get("restart_needed", ())}):
        tell(f"restart needed: {name} was edited")
    if overview["paused_since"]:
        tell(f"paused since {local(overview['paused_since'])}: nothing starts until `stoma scheduler resume`")
    for error in overview["config"]["errors"]:
        place = f"{error['file']}:{error['line']}:{error['column']}" if error["line"] else error["file"]
        tell_error(f"{place}: {error['message']}", error["hint"])
    tell(
        f"tasks: {overview['tasks']}, switched on {overview['enabled']}, blocked {overview['blocked']};"
        f" configuration {overview['config']['hash']}, generation {overview['config']['generation']}"
    )
    for run in overview["running_runs"]:
        tell(
            f"  now: {run['task']} (run {run['run']}, try {run['attempt']}): {run['seen']} seen, {run['pages']} pages"
        )
    for run in overview["waiting_runs"]:
        waits = run["waits_for"] if overview["running"] else "continues when a scheduler runs"
        tell(f"  open: {run['task']} (run {run['run']}): {waits}")
    for task in overview["failing"]:
        tell(f"  {task['status']}: {task['task']}: {task['reason']}")
    for task in overview["gone"]:
        tell(f"  gone: {task['task']}: {task['reason']}")
    for host in overview["hosts"]:
        tell(f"  host {host['host']} cools down until {local(host['cooling_until'])}: {host['reason']}")
    for due in overview["next_runs"][:5]:
        tell(f"  next: {due['task']} at {local(due['at'])}")
    records = ", ".join(f"{count} of kind {kind}" for kind, count in overview["records"].items())
    tell(f"records: {records or 'none yet'} ({overview['store']})")


def _usage_words(usage: dict[str, Any]) -> str:
    """What a scheduler process costs; a node of another version, or just started, tells less."""
    memory, cpu, threads = (usage.get(key) for key in ("memory_bytes", "cpu_percent", "threads"))
    words = [f"{memory / 1_000_000:.0f} MB of memory"] if memory else []
    words += [f"{cpu:g} % of a core"] if cpu is not None else []
    words += [f"{threads} threads"] if threads else []
    return ", ".join(words)
