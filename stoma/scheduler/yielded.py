"""What a collector yields, looked at before anything is made of it: it may be a stranger's code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from inspect import isawaitable
from typing import Any

from stoma.collectors import refused_source
from stoma.collectors.base import BaseCollector
from stoma.errors import StomaError
from stoma.log import logger
from stoma.own import told
from stoma.records import CollectorResult


class Misuse(StomaError):
    """A collector or normalizer does not keep its contract; another try would not change that."""


def pages(collector: BaseCollector, name: str, given: Any) -> Iterator[CollectorResult]:
    """The pages that `collect` gave; raises Misuse, naming the collector, for what is none.

    Whatever comes behind the page that says it is the last would be lost: it is asked for before that page goes on. An
    error behind that page takes nothing from it and is only logged.
    """
    if isawaitable(given) or hasattr(given, "__aiter__"):
        if hasattr(given, "close"):
            given.close()
        raise Misuse(f"{name}: `collect` is async", "write `def collect`, and `yield` each page")
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise Misuse(
            f"{name}: `collect` returned {_called(given)}", "it yields a CollectorResult for each page"
        )
    found = iter(given)
    for result in found:
        page = _checked(collector, name, result)
        if page.next_page is None and _behind(found, name) is not _END:
            raise Misuse(
                f"{name} yielded another page behind the one that said it was the last",
                "set next_page of every page but the last: it is where a run goes on that was stopped",
            )
        yield page


_END = object()


def _behind(found: Iterator[Any], name: str) -> Any:
    try:
        return next(found, _END)
    except Exception as error:
        logger.warning("{} failed behind its last page, which is kept: {}", name, told(error))
        return _END


def _checked(collector: BaseCollector, name: str, page: Any) -> CollectorResult:
    if not isinstance(page, CollectorResult):
        raise Misuse(f"{name} yielded {_called(page)}", "`collect` yields a CollectorResult for each page")
    for field, kind, wanted in (
        ("source", str, "text"),
        ("items", Sequence, "a list"),
        ("url", str, "text"),
        ("fetched_at", datetime, "an instant, such as fetched_at of the answer or collection.now"),
        ("window", Mapping, "a mapping"),
    ):
        value = getattr(page, field)
        if not isinstance(value, kind) or (kind is Sequence and isinstance(value, str | bytes)):
            raise Misuse(f"{name} yielded a page whose {field} is {_called(value)}", f"it is {wanted}")
    if refused := refused_source(type(collector), page.source):
        raise Misuse(*refused)
    return page


def _called(value: Any) -> str:
    return "nothing (None)" if value is None else f"a value of type {type(value).__name__}"
