"""Signing in with a token and out again, for browsers."""

from __future__ import annotations

from stoma.api.answers import Asked, Document, Redirect
from stoma.api.guard import SIGN_IN, Refusal
from stoma.api.pages import render
from stoma.api.route import Param

PARAMS = (Param("next", "Where to go on, on this site."),)


def page(asked: Asked) -> Document | Redirect:
    """Where a person shows their token."""
    to = render.here(asked.query.get("next"), "/")
    if asked.gate is None or not asked.gate.tokens.are_needed or asked.caller.has_session:
        return Redirect(to)
    # Browsers hold back the cookie when a link elsewhere leads here, and send it when this page leads on.
    site = asked.shown.headers.get("sec-fetch-site")
    return form(to, look_again=site in ("cross-site", "same-site"), is_unsure=site is None)


def sign_in(asked: Asked) -> Document | Redirect:
    """Begin a session, or say why not."""
    to = render.here(asked.body.get("next"), "/")
    if asked.gate is None or not asked.gate.tokens.are_needed:
        return Redirect(to)
    found = asked.gate.sign_in((asked.body.get("token") or "").strip(), asked.shown)
    if isinstance(found, Refusal):
        return form(to, found)
    name, cookie = found
    return Redirect(to, {"Set-Cookie": cookie}, who=name)


def sign_out(asked: Asked) -> Redirect:
    """End the session."""
    if asked.gate is None:
        return Redirect(SIGN_IN)
    return Redirect(SIGN_IN, {"Set-Cookie": asked.gate.sign_out(asked.shown)})


def form(
    to: str, refused: Refusal | None = None, *, look_again: bool = False, is_unsure: bool = False
) -> Document:
    """The page with the field for the token; it tells nothing of what lies behind.

    `look_again`: the browser has held back its cookie, if it has one. `is_unsure`: it may have, as over plain HTTP.
    """
    status = refused.status if refused else 200
    headers = {"Retry-After": str(refused.after)} if refused and refused.after else {}
    return render.bare(
        "sign_in.html",
        status=status,
        headers=headers,
        to=to,
        refused=refused,
        look_again=look_again,
        is_unsure=is_unsure,
    )
