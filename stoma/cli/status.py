"""What `stoma scheduler status` shows, also when a file is broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from stoma.cli.output import local, tell, tell_error


def status_despite(config_file: Path | None) -> dict[str, Any] | None:
    """The overview without the tasks, when a file is broken; None where no store can be found either."""
    from stoma.documents import read
    from stoma.scheduler.config import Config, base_of
    from stoma.scheduler.files import MAIN
    from stoma.scheduler.overview import status_overview
    from stoma.scheduler.parts import connect, data_folder
    from stoma.stores import sqlite_path

    base = base_of(config_file)
    path = config_file or base / MAIN
    document = read(path, path.name)
    store = document.data.get("store") if isinstance(document.data, dict) else None
    url = store.get("url") if isinstance(store, dict) else None
    config = Config(base=base, path=path)
    if isinstance(url, str):
        config = replace(config, store_url=url)
    file = sqlite_path(config.store_url, data_folder(config))
    if file is not None and not file.exists():
        return None
    with connect(config) as opened_store:
        return status_overview(config, opened_store, opened_store.now())


def show_status(overview: dict[str, Any]) -> None:
    """The overview in lines for people."""
    for node in overview["nodes"]:
        tell(
            f"running: {node['node']} since {local(node['started_at'])}"
            + (f", {node['api']}/" if node["api"] else "")
        )
        if node["abandoned_threads"]:
            tell(f"  {node['abandoned_threads']} threads hang and were given up; a restart frees them")
    if overview["silent"]:
        tell_error(
            f"{overview['silent']} holds the database but is not heard of",
            "it hangs or cannot write: look at its log and at the free space of the disk",
        )
    if not overview["running"]:
        tell("not running: start it with `stoma-run`")
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
    for host in overview["hosts"]:
        tell(f"  host {host['host']} cools down until {local(host['cooling_until'])}: {host['reason']}")
    for due in overview["next_runs"][:5]:
        tell(f"  next: {due['task']} at {local(due['at'])}")
    records = ", ".join(f"{count} of kind {kind}" for kind, count in overview["records"].items())
    tell(f"records: {records or 'none yet'} ({overview['store']})")
