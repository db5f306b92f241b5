"""`stoma replay`: normalise again what was kept of a task's answers, without a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli import completing
from stoma.cli.context import config_option, demo_option, json_option, opened
from stoma.cli.noting import noted
from stoma.cli.output import (
    NOT_COMPLETE,
    console,
    leave,
    local,
    print_json,
    print_table,
    reporting,
    several,
    tell,
)
from stoma.scheduler.base import duration_text, iso

if TYPE_CHECKING:
    from stoma.cli.context import Opened
    from stoma.scheduler.replay import LeftOut, Report
    from stoma.stores.raw import KeptSize

SHOWN = 20
"""Lost records, and reasons, that are told to people; --json holds them all."""

KEEP = "write `store: {raw: 90d}` into stoma.yaml to keep what its next runs are answered"

OnAttempt = Callable[[int, int, "Report"], None]


@click.command()
@click.argument("task_id", metavar="TASK", shell_complete=completing.tasks)
@click.option("--since", metavar="DATE", help="Only what was collected on this day or later.")
@click.option("--dry-run", is_flag=True, help="Write nothing: only tell what would change, and what is kept.")
@config_option
@demo_option
@json_option
@reporting
def replay(
    task_id: str, since: str | None, dry_run: bool, config_file: Path | None, demo: bool, as_json: bool
) -> None:
    """Normalise again what was kept of a task's answers, without a request.

    For when a normalizer was mended or `fields` were edited. Ends with 0 whatever it finds, for what is lost stays in
    the store; with 1 where something that was kept cannot be read any more.
    """
    from stoma.scheduler.parts import task_named
    from stoma.scheduler.replay import replay as replayed

    with opened(config_file, demo=demo, with_code=True) as here:
        task = task_named(here.config, task_id)
        kept = here.store.raw.kept(task_id, here.store.now())
        noting = nullcontext() if dry_run else noted(here.store, "replay", task_id, since=since)
        with noting, _progress(task_id, quiet=as_json) as on_attempt:
            report = replayed(
                here.store,
                task,
                here.config.base,
                _since(since, here),
                dry_run=dry_run,
                on_attempt=on_attempt,
            )
        if as_json:
            print_json(_as_json(task_id, report, kept, dry_run))
        else:
            _tell(task_id, report, kept, here, dry_run)
    if any(left.is_fault for left in report.left_out):
        leave(NOT_COMPLETE)


def _since(text: str | None, here: Opened) -> datetime:
    from stoma.scheduler.asking import day_of
    from stoma.scheduler.outlook import bounds
    from stoma.scheduler.zones import zone_of

    if text is None:
        return datetime(1970, 1, 1, tzinfo=UTC)
    zone = zone_of(here.config.timezone)
    today: date = here.store.now().astimezone(zone).date()
    return bounds(day_of(text, today), zone)[0]


def _tell(task_id: str, report: Report, kept: KeptSize, here: Opened, dry_run: bool) -> None:
    zone = here.config.timezone
    if not kept.pages:
        raw = here.config.raw
        hint = f"what it collects from now on is, for {duration_text(raw)}" if raw else KEEP
        tell(f"nothing is kept of {task_id}; {hint}")
        return
    tell(
        f"{task_id}: {several(kept.pages, 'answer')} kept since {local(kept.oldest_at, zone)}, "
        f"{size_text(kept.bytes)} ({size_text(kept.size)} before compression)"
    )
    would = "would be " if dry_run else ""
    columns = ("tries", "pages", "same", f"{would}changed", f"{would}new", "newer", "lost", "rejected")
    counts = (report.same, report.changed, report.new, len(report.newer), len(report.lost))
    rows = [(report.attempts, report.pages, *counts, report.rejected.total())]
    print_table(columns, rows, empty="", numbers=len(columns))
    if report.newer:
        tell(f"left alone, what is stored came later: {several(len(report.newer), 'record')}")
    for reason, count in report.rejected.most_common(SHOWN):
        tell(f"rejected: {several(count, 'item')}: {reason}")
    if report.lost:
        tell(f"given then and no more (they stay as they are): {several(len(report.lost), 'record')}")
        for _, external_id in report.lost[:SHOWN]:
            tell(f"  {external_id}")
        if len(report.lost) > SHOWN:
            tell(f"  and {len(report.lost) - SHOWN} more; --json names them all")
    for line in _left_out(report.left_out):
        tell(line)


def _left_out(left_out: list[LeftOut]) -> Iterator[str]:
    """What was not replayed, by reason; the newest run first."""
    by_reason: dict[str, list[LeftOut]] = {}
    for left in left_out:
        by_reason.setdefault(left.reason, []).append(left)
    for reason, some in by_reason.items():
        pages = several(sum(left.pages for left in some), "page")
        runs = list(dict.fromkeys(left.run_id for left in some))
        named = f"run {runs[0]}" if len(runs) == 1 else f"runs {runs[-1]} to {runs[0]}"
        yield f"left out, {pages} of {named}: {reason}"


def _as_json(task_id: str, report: Report, kept: KeptSize, dry_run: bool) -> dict[str, Any]:
    return {
        "task": task_id,
        "dry_run": dry_run,
        "kept": {
            "answers": kept.pages,
            "bytes": kept.bytes,
            "uncompressed": kept.size,
            "oldest_at": iso(kept.oldest_at),
            "keep_until": iso(kept.last_until),
        },
        "tries": report.attempts,
        "pages": report.pages,
        "same": report.same,
        "changed": report.changed,
        "new": report.new,
        "newer": len(report.newer),
        "lost": [{"source": source, "external_id": external_id} for source, external_id in report.lost],
        "rejected": dict(report.rejected.most_common()),
        "left_out": [
            {"run": left.run_id, "pages": left.pages, "reason": left.reason, "fault": left.is_fault}
            for left in report.left_out
        ],
    }


def size_text(count: float) -> str:
    """Bytes as people say them: `812 B`, `3.4 MB`."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


@contextmanager
def _progress(task_id: str, *, quiet: bool) -> Iterator[OnAttempt]:
    """A function to report progress to: a bar on a terminal, silence elsewhere."""
    screen = console(stderr=True)
    if quiet or not screen.is_terminal:
        yield lambda done, total, report: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=screen) as shown:
        bar = shown.add_task(task_id, total=None, said="")

        def on_attempt(done: int, total: int, report: Report) -> None:
            said = f"{report.changed} changed, {report.new} new, {len(report.lost)} lost"
            shown.update(bar, completed=done, total=total, said=said)

        yield on_attempt
