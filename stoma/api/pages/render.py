"""Templates by Jinja2, which escapes all that is not marked as made here, inside the frame that all pages share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from stoma.api.answers import Asked, Document
from stoma.api.pages import looks, texts
from stoma.api.pages.static import address
from stoma.errors import StoreError

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

SECTIONS = (
    ("overview", "Overview", "/"),
    ("tasks", "Tasks", "/tasks"),
    ("runs", "Runs", "/runs"),
    ("records", "Records", "/records"),
    ("changes", "Changes", "/changes"),
    ("hosts", "Hosts", "/hosts"),
    ("calendar", "Calendar", "/calendar"),
)
"""The pages that the frame leads to; a template says with `section` where it belongs."""


def page(asked: Asked, template: str, *, status: int = 200, **values: Any) -> Document:
    """A whole page; beside `values` each one has what the frame around it shows. Raises StoreError."""
    sight = asked.scheduler.board.look()
    frame = _frame(asked, sight.now, sight.status["paused_since"])
    return _document(template, {**frame, **values}, status)


def fault(asked: Asked, status: int, message: str, hint: str = "") -> Document:
    """What went wrong, as a page; it comes also while the store is away."""
    now, paused_since = datetime.now(UTC), None
    try:
        sight = asked.scheduler.board.look()
        now, paused_since = sight.now, sight.status["paused_since"]
    except StoreError:
        pass
    told = {"status": status, "message": message, "hint": hint}
    return _document("fault.html", {**_frame(asked, now, paused_since), **told}, status)


def back(asked: Asked, otherwise: str) -> str:
    """Where a form wants its sender to go on: the `back` it carries, when that lies on this site."""
    wanted = (asked.body or {}).get("back") or ""
    # A browser reads `//host` and `/\host` as another site, and drops tabs and line ends before it looks.
    is_here = wanted.startswith("/") and wanted[1:2] not in ("/", "\\") and wanted.isprintable()
    return wanted if is_here and wanted.isascii() else otherwise


def _frame(asked: Asked, now: datetime, paused_since: str | None) -> Mapping[str, Any]:
    scheduler = asked.scheduler
    return {
        "demo": scheduler.config.demo,
        "errors": scheduler.errors,
        "restart_needed": scheduler.restart_needed,
        "paused_since": paused_since,
        "zone": scheduler.config.timezone,
        "now": now,
    }


def _document(template: str, values: Mapping[str, Any], status: int) -> Document:
    return Document(_environment().get_template(template).render(values), status=status)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context

    @pass_context
    def local(context: Context, value: Any, *, seconds: bool = False) -> str:
        return looks.local(value, context["zone"], context["now"], seconds=seconds)

    @pass_context
    def full(context: Context, value: Any) -> str:
        return looks.full(value, context["zone"])

    @pass_context
    def relative(context: Context, value: Any) -> str:
        return looks.relative(value, context["now"])

    @pass_context
    def by_clock(context: Context, text: str) -> str:
        return looks.by_clock(text, context["zone"])

    @pass_context
    def day(context: Context, value: Any) -> str:
        return looks.day(value, context["zone"])

    made = Environment(
        loader=PackageLoader("stoma.api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        exact=looks.exact,
        local=local,
        full=full,
        relative=relative,
        took=looks.length,
        grouped=looks.grouped,
        plural=looks.plural,
        day=day,
        by_clock=by_clock,
        web=looks.web,
        plain=texts.plain,
        short=texts.short,
        figure=texts.number_text,
        record_path=texts.record_path,
    )
    made.globals.update(static=address, sections=SECTIONS)
    return made
