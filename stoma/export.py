"""Records written as CSV, JSON Lines or Parquet in constant memory, with a manifest that says what is in the file.

ids of what is wanted        stores/extracts: a window of numbers, or the hits of a query, after the other
  | rows of these ids        a few thousand at a time, each batch a statement of its own
  | bytes                    formats/
  | a file, or a stream      here: .part, checksum, manifest, name; over HTTP api/export
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from stoma import __version__
from stoma.errors import UsageError
from stoma.formats import FORMATS, encoder
from stoma.partfile import PartFile
from stoma.scheduler.base import iso
from stoma.stores.extracts import Extract, Wanted
from stoma.stores.views import KINDS, SOURCES, VIEWS
from stoma.wording import did_you_mean, shown

if TYPE_CHECKING:
    from stoma.stores import Store

ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""The format that a file's name asks for."""


@dataclass(frozen=True, slots=True)
class Form:
    """As what rows are written; raises UsageError for what does not go together."""

    format: str = "jsonl"
    is_gzipped: bool = False
    for_spreadsheets: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            near = did_you_mean(self.format, FORMATS)
            raise UsageError(f'"{shown(self.format)}" is not a format{near}', f"one of {', '.join(FORMATS)}")
        if self.for_spreadsheets and self.format != "csv":
            raise UsageError(f"only CSV is made safe for spreadsheets, and this is {self.format}")
        if self.is_gzipped and self.format == "parquet":
            raise UsageError("Parquet is compressed already", "leave out .gz")


def form_of(format: str | None, path: Path | None, *, for_spreadsheets: bool = False) -> Form:
    """The form that is asked for by name, else by the ending of a file, else JSON Lines; `.gz` compresses."""
    name = path.name.lower() if path else ""
    is_gzipped = name.endswith(".gz")
    ending = Path(name.removesuffix(".gz")).suffix
    return Form(format or ENDINGS.get(ending, "jsonl"), is_gzipped, for_spreadsheets)


class Export:
    """One export: its bytes, and what they have held so far."""

    def __init__(self, store: Store, wanted: Wanted, form: Form) -> None:
        """What is stored from now on is left out. Raises UsageError where the wishes do not fit together."""
        _check(wanted)
        self.wanted = wanted
        self.form = form
        self.began_at = store.now()
        self.counts: Counter[str] = Counter()
        self.first_id: int | None = None
        self.last_id: int | None = None
        self._lag = store.search.lag().records if wanted.query is not None else 0
        self._extract = Extract(store, wanted)
        self._encoder = encoder(form.format, wanted.columns, for_spreadsheets=form.for_spreadsheets)

    @property
    def count(self) -> int:
        """How many rows have been read."""
        return self.counts.total()

    @property
    def share(self) -> float | None:
        """How far it is, from 0 to 1; None where nobody can tell."""
        return self._extract.share

    @property
    def not_indexed(self) -> int:
        """How many records a query could not find yet, when it began."""
        return self._lag

    def chunks(self) -> Iterator[bytes]:
        """The bytes, some after the other; an empty chunk says only that the work goes on."""
        return _gzipped(self._plain()) if self.form.is_gzipped else self._plain()

    def manifest(self, file: str | None, size: int, sha256: str) -> dict[str, Any]:
        """What was written: how, from what, when, how much."""
        wanted, chosen = self.wanted, self.wanted.chosen
        return {
            "file": file,
            "format": self.form.format,
            "compression": "gzip" if self.form.is_gzipped else None,
            "safe_for_spreadsheets": self.form.for_spreadsheets,
            "bytes": size,
            "sha256": sha256,
            "stoma": __version__,
            "exported_at": iso(self.began_at),
            "selection": {
                "view": wanted.view,
                "kind": chosen.kind,
                "source": chosen.source,
                "task": chosen.task,
                "since": iso(chosen.since),
                "until": iso(chosen.until),
                "query": wanted.query,
            },
            "order": "id" if wanted.query is None else "-id",
            "count": self.count,
            "records": dict(sorted(self.counts.items())),
            "not_indexed": self._lag,
            "first_id": self.first_id,
            "last_id": self.last_id,
            "columns": [{"name": column.name, "type": column.type} for column in wanted.columns],
        }

    def _plain(self) -> Iterator[bytes]:
        columns = [column.name for column in self.wanted.columns]
        id_, kind = columns.index("id"), None if self.wanted.view else columns.index("kind")
        # Together with the first rows: what cannot be read shows before anything was sent.
        before = self._encoder.begin()
        for rows in self._extract.batches():
            if rows:
                self.first_id = rows[0][id_] if self.first_id is None else self.first_id
                self.last_id = rows[-1][id_]
                if kind is None:
                    self.counts[KINDS[str(self.wanted.view)]] += len(rows)
                else:
                    self.counts.update(row[kind] for row in rows)
            yield before + self._encoder.add(rows)
            before = b""
        yield before + self._encoder.end()


def to_file(
    export: Export,
    path: Path,
    manifest_path: Path | None = None,
    *,
    force: bool = False,
    on_chunk: Callable[[Export], None] = lambda _: None,
) -> dict[str, Any]:
    """Write a file and its manifest, `FILE.manifest.json` if not said otherwise; gives the manifest.

    Both appear when they are whole; whatever happens before leaves nothing. Raises UsageError where one of them
    exists, unless `force` replaces it.
    """
    manifest_path = manifest_path or path.parent / f"{path.name}.manifest.json"
    if path.resolve() == manifest_path.resolve():
        raise UsageError(f"{path} cannot be the export and its manifest")
    for one in (path, manifest_path):
        _refuse_existing(one, force)
    with PartFile(path) as data, PartFile(manifest_path) as about:
        written = _Written()
        for chunk in export.chunks():
            data.write(chunk)
            written.add(chunk)
            on_chunk(export)
        manifest = export.manifest(path.name, written.size, written.sha256)
        about.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        about.settle()
        data.settle()
        # Rather none than that of another file, if it ends right here.
        with suppress(OSError):
            manifest_path.unlink()
        data.publish()
        about.publish()
    return manifest


def to_stream(
    export: Export,
    write: Callable[[bytes], object],
    manifest_path: Path | None = None,
    *,
    force: bool = False,
    on_chunk: Callable[[Export], None] = lambda _: None,
) -> None:
    """Write to whatever takes bytes; the manifest only where a name for it is given."""
    if manifest_path is None:
        for chunk in export.chunks():
            write(chunk)
            on_chunk(export)
        return
    _refuse_existing(manifest_path, force)
    with PartFile(manifest_path) as about:
        written = _Written()
        for chunk in export.chunks():
            write(chunk)
            written.add(chunk)
            on_chunk(export)
        manifest = export.manifest(None, written.size, written.sha256)
        about.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        about.settle()
        about.publish()


class _Written:
    """Size and checksum of what went past."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._hash.update(chunk)


def _refuse_existing(path: Path, force: bool) -> None:
    if path.is_file() and not force:
        raise UsageError(f"{path} exists", "--force replaces it")


def _check(wanted: Wanted) -> None:
    view, kind = wanted.view, wanted.selection.kind
    if view is None:
        return
    if view not in VIEWS:
        near = did_you_mean(view, VIEWS)
        raise UsageError(f'"{shown(view)}" is not a view{near}', f"one of {', '.join(VIEWS)}")
    if kind is not None and kind != KINDS[view]:
        raise UsageError(f"the view {view} shows records of kind {KINDS[view]}, not {shown(kind)}")
    source = wanted.selection.source
    if source is not None and source != SOURCES.get(view, source):
        raise UsageError(f"the view {view} shows records of {SOURCES[view]}, not {shown(source)}")


def _gzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=6, wbits=31)
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()
