"""Templates by Jinja2, which escapes all that is not marked as made here, inside the frame that all pages share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from stoma.api.answers import Asked, Document
from stoma.api.pages import looks, texts
from stoma.api.pages.static import address
from stoma.scheduler import zones

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
    # What was seen last will do: looking may be what went wrong.
    sight = asked.scheduler.board.latest()
    frame = _frame(asked, datetime.now(UTC), sight.status["paused_since"] if sight else None)
    told = {"status": status, "message": message, "hint": hint}
    return _document("fault.html", {**frame, **told}, status)


def bare(
    template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Document:
    """A page for somebody who may see nothing yet: nothing in its frame tells how things stand."""
    frame = {"demo": False, "errors": (), "restart_needed": (), "paused_since": None, "zone": "UTC"}
    told = {**frame, "now": datetime.now(UTC), "has_session": False, **values}
    return replace(_document(template, told, status), headers=headers or {})


def back(asked: Asked, otherwise: str) -> str:
    """Where a form wants its sender to go on: the `back` it carries, when that lies on this site."""
    return here((asked.body or {}).get("back"), otherwise)


def here(wanted: str | None, otherwise: str) -> str:
    """An address that somebody wants to go on to, when it lies on this site."""
    wanted = wanted or ""
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
        "has_session": asked.caller.has_session,
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
    def lasting(context: Context, value: Any) -> str:
        return looks.lasting(value, context["now"])

    @pass_context
    def by_clock(context: Context, text: str) -> str:
        return zones.by_clock(text, context["zone"])

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
        lasting=lasting,
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
