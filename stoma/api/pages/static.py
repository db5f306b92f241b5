"""Style and script, under addresses that change with their content, so that browsers may keep them."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.resources import files

from stoma.api.answers import Asked, Document
from stoma.api.route import Param
from stoma.errors import NotFound

KINDS = {
    "style.css": "text/css; charset=utf-8",
    "data.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}
PARAMS = (Param("v", "The mark of the content; any will do."),)
A_YEAR = {"Cache-Control": "public, max-age=31536000, immutable"}


def file(asked: Asked, name: str) -> Document:
    """A style sheet, a script or a picture of the pages."""
    if name not in KINDS:
        raise NotFound("there is no such file")
    return Document(_content(name), KINDS[name], headers=A_YEAR)


@cache
def address(name: str) -> str:
    """Where a file is found."""
    return f"/static/{name}?v={blake2b(_content(name), digest_size=4).hexdigest()}"


@cache
def _content(name: str) -> bytes:
    return (files(__package__) / "static" / name).read_bytes()
