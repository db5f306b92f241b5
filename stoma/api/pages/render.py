"""Templates by Jinja2, which escapes all that is not marked as made here; and how values look to people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from stoma.api.answers import Asked, Document
from stoma.api.pages.static import address

if TYPE_CHECKING:
    from jinja2 import Environment


def page(asked: Asked, template: str, *, status: int = 200, **values: Any) -> Document:
    """A whole page; beside `values` each one has what the frame around it shows."""
    scheduler = asked.scheduler
    frame: Mapping[str, Any] = {
        "demo": scheduler.config.demo,
        "errors": scheduler.errors,
        "restart_needed": scheduler.restart_needed,
        "path": template.removesuffix(".html"),
    }
    text = _environment().get_template(template).render({**frame, **values})
    return Document(text, status=status)


def clock(value: Any) -> str:
    """An instant in UTC to the second; a dash for none."""
    if not value:
        return "–"
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return f"{instant:%Y-%m-%d %H:%M:%S}"


def web(url: str | None) -> str:
    """A link only where it leads to the web: records come from strangers."""
    return url if url and url.startswith(("https://", "http://")) else ""


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("stoma.api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(clock=clock, web=web)
    made.globals.update(static=address)
    return made
