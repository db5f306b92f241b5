"""Questions to the store by those who only look, and must never hang: a frozen database answers and refuses nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakKeyDictionary

from stoma.errors import StoreUnavailable
from stoma.stores.base import Database

T = TypeVar("T")

PATIENCE_SECONDS = 3.0
"""How long an answer is waited for: probes and scrapes wait for ten seconds, or less."""

_frozen: WeakKeyDictionary[Database, dict[str, threading.Thread]] = WeakKeyDictionary()
"""The threads that still wait for an answer that nobody waits for any more, by the kind of question."""


def answered(database: Database, question: Callable[[], T], kind: str) -> T:
    """The answer to a question; raises StoreUnavailable where none comes in time, or none has come yet to the last one.

    Each kind of question stands for itself: one that takes long says nothing of the others.
    """
    frozen = _frozen.get(database, {}).get(kind)
    if frozen is not None and frozen.is_alive():
        raise StoreUnavailable(f"{database.place} does not answer")
    found: Future[T] = Future()

    def ask() -> None:
        try:
            found.set_result(question())
        except BaseException as error:  # raised again by the one who asked
            found.set_exception(error)

    thread = threading.Thread(target=ask, name="looking", daemon=True)
    thread.start()
    try:
        return found.result(PATIENCE_SECONDS)
    except TimeoutError:
        if found.done():
            raise
        _frozen.setdefault(database, {})[kind] = thread
        raise StoreUnavailable(f"{database.place} does not answer") from None
