"""The last good texts of a configuration in the store: what stays in force when a file is broken at the next start."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from stoma.stores.base import Database

Texts = Mapping[str, tuple[str, str]]
"""By the path of each file: its text, and the hash of the bytes it was read from."""


class Files:
    """The table `config_files`; `base` is the folder that paths count from.

    Texts are kept exactly as they were written, for they are loaded again: references stand in them unresolved.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, base: str) -> dict[str, tuple[str, str]]:
        """The texts that were in force last."""
        with self._database.reader() as reader:
            rows = reader.all("files_of", base=base)
        return {row["path"]: (row["content"], row["digest"]) for row in rows}

    def keep(self, base: str, texts: Texts, now: datetime) -> None:
        """Note the texts in force, in place of those before; writes only what differs."""
        with self._database.reader() as reader:
            known = {row["path"]: row["digest"] for row in reader.all("file_digests", base=base)}
        fresh = {path: text for path, text in texts.items() if known.get(path) != text[1]}
        gone = known.keys() - texts.keys()
        if not (fresh or gone):
            return
        with self._database.transaction() as tx:
            tx.many("file_forget", [{"base": base, "path": path} for path in gone])
            tx.many(
                "file_keep",
                [
                    {"base": base, "path": path, "content": content, "digest": digest, "now": now}
                    for path, (content, digest) in fresh.items()
                ],
            )
