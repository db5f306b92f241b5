"""Pages for people: made here on each request, whole without scripts."""

from __future__ import annotations

from stoma.api.pages import overview, static
from stoma.api.route import Route

PAGES: tuple[Route, ...] = (
    Route("GET", "/", overview.page),
    Route("GET", "/static/<name>", static.file, static.PARAMS),
)
