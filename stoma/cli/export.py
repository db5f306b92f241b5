"""`stoma export`: records in a file, as CSV, JSON Lines or Parquet, in constant memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from stoma.cli import completing
from stoma.cli.context import MOMENTS, config_option, demo_option, json_option, opened
from stoma.cli.output import console, harmless_json, print_json, reporting, several, tell, tell_warning
from stoma.formats import FORMATS
from stoma.wording import clean

if TYPE_CHECKING:
    from stoma.export import Export, Form
    from stoma.stores import Store

INDEXING_SECONDS = 30.0
"""How long the index of words is built first, before it is asked for all hits of a query."""

VIEW = (
    "The columns of papers (of arxiv), repositories (of github), filings or transactions (of sec_edgar),"
    " or entries (of every source)."
)


@click.command()
@click.option(
    "--kind",
    metavar="KIND",
    shell_complete=completing.kinds,
    help="Only records of this kind: paper, repository, filing, entry …",
)
@click.option(
    "--source", metavar="SOURCE", shell_complete=completing.sources, help="Only records of this source."
)
@click.option(
    "--task", "task_id", metavar="TASK", shell_complete=completing.tasks, help="Only what this task has seen."
)
@click.option("--since", metavar="WHEN", help=f"Only what was first seen then or later: {MOMENTS}.")
@click.option("--until", metavar="WHEN", help="Only what was first seen before that.")
@click.option("--query", metavar="QUERY", help="Only what this search finds, all of it, newest first.")
@click.option("--view", metavar="VIEW", help=VIEW)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="[default: by the name of FILE, else jsonl]"
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
    help="Write here, and FILE.manifest.json; .gz compresses.  [default: standard output]",
)  # fmt: skip
@click.option("--manifest", type=click.Path(path_type=Path), metavar="FILE", help="Write the manifest here.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option(
    "--safe-for-spreadsheets", is_flag=True, help="Put ' before cells of CSV that look like formulas."
)
@config_option
@demo_option
@json_option
@reporting
def export(
    kind: str | None,
    source: str | None,
    task_id: str | None,
    since: str | None,
    until: str | None,
    query: str | None,
    view: str | None,
    format_: str | None,
    output: Path | None,
    manifest: Path | None,
    force: bool,
    safe_for_spreadsheets: bool,
    config_file: Path | None,
    demo: bool,
    as_json: bool,
) -> None:
    """Write records to a file, or to standard output, in constant memory.

    The file appears when it is whole, with FILE.manifest.json beside it: selection, time, counts, columns, checksum.
    --json prints that manifest.
    """
    from stoma.errors import UsageError
    from stoma.export import Export, form_of, to_file
    from stoma.scheduler.selecting import doubts, selection_of, unknown
    from stoma.stores.extracts import Wanted

    output = None if output == Path("-") else output
    form = form_of(format_, output, for_spreadsheets=safe_for_spreadsheets)
    _check(form, output, as_json)
    with opened(config_file, demo=demo, must_exist=True) as here:
        selection = selection_of(
            here.config, here.store, kind=kind, source=source, task=task_id, since=since, until=until
        )
        wanted = Wanted(selection, view, query)
        if query is not None:
            _catch_up(here.store)
        work = Export(here.store, wanted, form)
        if output is not None and output.exists() and (strange := unknown(here.store, selection)):
            # Nothing would come in place of what is there.
            raise UsageError(strange[0], f"{output} stays as it is")
        for doubt in doubts(here.store, selection, view):
            tell_warning(doubt)
        if work.not_indexed:
            tell_warning(
                f"the query cannot find about {several(work.not_indexed, 'record')} yet, they are not indexed"
            )
        with _progress(quiet=output is None and sys.stdout.isatty()) as on_chunk:
            if output is None:
                _to_standard_output(work, manifest, force, on_chunk)
            else:
                told = to_file(work, output, manifest, force=force, on_chunk=on_chunk)
        if not work.count:
            tell_warning(_nothing(here.store))
    if output is not None and as_json:
        print_json(told)
    elif output is not None:
        from stoma.cli.replay import size_text

        tell(f"{several(work.count, 'record')} in {output}, {size_text(told['bytes'])}")


def _catch_up(store: Store) -> None:
    """Take up what is left of the index of words, where nobody else does: an export is to have all hits."""
    from stoma.scheduler.indexing import catch_up_here

    catch_up_here(store, INDEXING_SECONDS)


def _check(form: Form, output: Path | None, as_json: bool) -> None:
    if output is None and as_json:
        raise click.UsageError("--json prints what was written to a file: name one with -o")
    if output is None and form.format == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is nothing for a terminal: name a file with -o")


def _to_standard_output(
    work: Export, manifest: Path | None, force: bool, on_chunk: Callable[[Export], None]
) -> None:
    from stoma.errors import StomaError
    from stoma.export import to_stream

    if sys.stdout.isatty():
        to_stream(work, lambda chunk: _show(chunk, work.form.format), manifest, force=force)
        return
    sys.stdout.flush()
    # Past Python's buffer: what it still held when the reader leaves or the disk is full would fail once more at exit.
    stream: BinaryIO = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)

    def write(chunk: bytes) -> None:
        try:
            left = memoryview(chunk)
            while left:
                left = left[stream.write(left) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StomaError(f"standard output cannot be written: {error.strerror}") from None

    to_stream(work, write, manifest, force=force, on_chunk=on_chunk)


def _show(chunk: bytes, format_: str) -> None:
    """On a terminal, which must not obey what sources have written."""
    text = chunk.decode()
    if format_ == "csv":
        text = clean(text.replace("\r\n", "\n"))
    else:
        text = harmless_json(text)
    click.echo(text, nl=False)


def _nothing(store: Store) -> str:
    """That nothing was found, and what there would be."""
    counts = store.records.count_by_kind()
    if not counts:
        return "the store has no records yet"
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return f"no record is like that; there are {kinds}"


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[Export], None]]:
    """A function to report progress to: a bar on a terminal, silence elsewhere."""
    screen = console(stderr=True)
    if quiet or not screen.is_terminal:
        yield lambda work: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("export"), BarColumn(), TextColumn("{task.fields[count]:,} records"))
    with Progress(*columns, TimeElapsedColumn(), console=screen) as shown:
        bar = shown.add_task("export", total=None, count=0)

        def on_chunk(work: Export) -> None:
            share = work.share
            done = None if share is None else share * 100
            shown.update(bar, total=None if done is None else 100, completed=done, count=work.count)

        yield on_chunk
