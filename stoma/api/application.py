"""The routes behind Bottle: who asks is looked at first, then the route answers, and what changes is noted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import bottle

from stoma.api import guard
from stoma.api.answers import Answer, Asked, Caller, Document, Given, Redirect, Stream
from stoma.api.audit import Requests
from stoma.api.body import read_body
from stoma.api.gate import Gate
from stoma.api.guard import READING, Refusal, Shown
from stoma.api.pages.render import fault
from stoma.api.pages.sign_in import form
from stoma.api.passwords import CHALLENGE, are_taken, as_bearer
from stoma.api.route import Route, read
from stoma.api.routes import ROUTES
from stoma.api.unchanged import is_known
from stoma.errors import ConfigError, NotFound, StomaError, StoreError, UsageError
from stoma.log import log_details, logger
from stoma.scheduler.manager import Scheduler
from stoma.wording import shown as printable

SESSION_IS_OVER = Refusal(401, "your session is over", "sign in, then do it again")

SHOWN, CALLER, WHY = "stoma.shown", "stoma.caller", "stoma.why"
"""Where a request carries what it has shown, who that is, and why it failed."""


class _Bottle(bottle.Bottle):  # type: ignore[misc]
    """Bottle, given only what it can read, and kept from writing past the log."""

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> Any:
        for name, value in environ.items():
            if name.startswith("HTTP_") or name == "CONTENT_TYPE":
                # WSGI hands bytes over as letters. What is no UTF-8 is taken for the letters themselves: a cookie of
                # another program on this machine is enough for that.
                environ[name] = value if _is_utf8(value) else value.encode().decode("latin-1")
        path = environ.get("PATH_INFO", "")
        if not _is_utf8(path):
            # Bottle leaves out what it cannot read: another task could be meant.
            environ["PATH_INFO"] = (
                path.encode("latin-1").decode("utf-8", "replace").encode().decode("latin-1")
            )
        environ["wsgi.errors"] = _Errors()
        return super().wsgi(environ, start_response)


class _Errors:
    """Where Bottle writes tracebacks: they are details for the log, masked like all of it."""

    def write(self, text: str) -> None:
        if text.strip():
            logger.debug("{}", text.rstrip())

    def flush(self) -> None:
        """Nothing waits."""


def _is_utf8(value: str) -> bool:
    try:
        value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return True


def application(scheduler: Scheduler, gate: Gate) -> bottle.Bottle:
    """The routes as a WSGI application, behind a gate."""
    app = _Bottle()
    audit = Requests(lambda: scheduler.store)
    for route in ROUTES:
        answer = _callback(gate, audit, scheduler, route)
        app.route(route.path, method=route.method, callback=answer, stoma=route)

    @app.hook("before_request")  # type: ignore[untyped-decorator]
    def _guard() -> None:
        method, path = bottle.request.method, bottle.request.path
        headers = {name.lower(): value for name, value in bottle.request.headers.items()}
        # Not `remote_addr`, which believes what a client says of itself.
        address = bottle.request.environ.get("REMOTE_ADDR", "")
        shown = Shown(method, path, as_bearer(method, path, headers), address)
        caller, refused = gate.admit(shown)
        bottle.request.environ[SHOWN], bottle.request.environ[CALLER] = shown, caller
        if refused is not None:
            _note(audit, shown, caller, refused.status, why=refused.message)
            raise _refused(app, shown, refused)
        if method == "OPTIONS" and (allow := _allow(app)):
            raise bottle.HTTPResponse("", 204, {**guard.HEADERS, "Allow": allow})

    app.default_error_handler = partial(_error, scheduler, app)
    return app


def _refused(app: bottle.Bottle, shown: Shown, refused: Refusal) -> bottle.HTTPResponse:
    """The answer to somebody who may not ask; who is to see a page is led to where they can sign in."""
    if refused.status == 401 and _wants_page(app):
        if shown.method not in READING:
            return _page_response(form("/", SESSION_IS_OVER))
        query = bottle.request.query_string
        wanted = {"next": quote(shown.path) + (f"?{query}" if query else "")}
        headers = {**guard.HEADERS, "Location": f"{guard.SIGN_IN}?{urlencode(wanted)}"}
        return bottle.HTTPResponse("", 303, headers)
    answer = _response(refused.status, refused.message, refused.hint)
    if refused.after:
        answer.set_header("Retry-After", str(refused.after))
    if refused.status == 401:
        basic = are_taken(shown.method, shown.path)
        answer.headers.update(CHALLENGE if basic else {"WWW-Authenticate": 'Bearer realm="Stoma"'})
    return answer


def _wants_page(app: bottle.Bottle) -> bool:
    """True where a person asks for a page, also for one that there is not."""
    if "text/html" not in bottle.request.get_header("Accept", ""):
        return False
    try:
        found, _ = app.match(bottle.request.environ)
    except bottle.HTTPError:
        return not bottle.request.path.startswith("/api/")
    return bool(found.config["stoma"].page)


def _allow(app: bottle.Bottle) -> str:
    """The methods that an address takes, as the header `Allow` names them; nothing where there is no such address."""
    found = []
    for method in ("DELETE", "GET", "HEAD", "POST", "PUT"):
        try:
            app.match({**bottle.request.environ, "REQUEST_METHOD": method})
        except bottle.HTTPError:
            continue
        found.append(method)
    return ", ".join([*found, "OPTIONS"]) if found else ""


def _callback(gate: Gate, audit: Requests, scheduler: Scheduler, route: Route) -> Any:
    def answer(**parts: str) -> bottle.HTTPResponse:
        environ = bottle.request.environ
        accept = bottle.request.get_header("Accept", "")
        asked = Asked(scheduler, caller=environ[CALLER], accept=accept, gate=gate, shown=environ[SHOWN])
        found, sent = _answered(asked, route, parts)
        _note(audit, environ[SHOWN], environ[CALLER], found.status_code, sent, environ.get(WHY, ""))
        return found

    return answer


def _answered(asked: Asked, route: Route, parts: Mapping[str, str]) -> tuple[bottle.HTTPResponse, Any]:
    """The answer of a route, also where it is a fault; and the JSON that was sent along."""
    try:
        asked = replace(asked, query=read(route.params, _given(route)), body=_body(route))
        found = _made(route.function(asked, **parts))
    except bottle.HTTPResponse as refused:
        # What Bottle itself refuses, such as a form that is too large.
        found = refused
    except NotFound as error:
        found = _fault(asked, route, 404, error.message, error.hint)
    except (UsageError, ConfigError) as error:
        found = _fault(asked, route, 400, error.message, error.hint)
    except StoreError as error:
        found = _fault(asked, route, 503, error.message, error.hint)
    except StomaError as error:
        found = _fault(asked, route, 409, error.message, error.hint)
    except Exception as error:
        found = _mistake(asked, route, error)
    return found, None if route.form else asked.body


def _note(
    audit: Requests, shown: Shown, caller: Caller, status: int, sent: Any = None, why: str = ""
) -> None:
    audit.note(caller.name, caller.address, shown.method, shown.path, status, sent, why)


def _made(found: Given) -> bottle.HTTPResponse:
    """What a route gives, as it is sent."""
    match found:
        case Answer():
            return _json_response(found.body, found.status)
        case Stream():
            return bottle.HTTPResponse(found.pieces, 200, {**guard.HEADERS, **found.headers})
        case Document():
            return _page_response(found)
        case Redirect():
            if found.who:
                environ = bottle.request.environ
                environ[CALLER] = replace(environ[CALLER], name=found.who)
            return bottle.HTTPResponse("", 303, {**guard.HEADERS, "Location": found.to, **found.headers})


def _page_response(found: Document) -> bottle.HTTPResponse:
    headers = {**guard.HEADERS, "Content-Type": found.kind, **found.headers}
    if is_known(bottle.request.get_header("If-None-Match"), headers.get("ETag")):
        return bottle.HTTPResponse("", 304, headers)
    return bottle.HTTPResponse(found.text, found.status, headers)


def _given(route: Route) -> dict[str, str]:
    """What stands behind the question mark; what a form of a page leaves empty was not said."""
    given = {name: _value(name) for name in bottle.request.query}
    return {name: value for name, value in given.items() if value or not route.page}


def _fault(asked: Asked, route: Route, status: int, message: str, hint: str) -> bottle.HTTPResponse:
    """A fault as JSON, or as a page to somebody who asked for one."""
    bottle.request.environ[WHY] = message
    if not route.page or not _may_see(asked.shown):
        return _response(status, message, hint)
    page = fault(asked, status, message, hint)
    return bottle.HTTPResponse(page.text, status, {**guard.HEADERS, "Content-Type": page.kind})


def _may_see(shown: Shown) -> bool:
    """Whether the frame of a page may tell how things stand: not where anybody may ask."""
    return not guard.is_open(shown.path)


def _body(route: Route) -> Any:
    """What was sent along, where the route takes anything."""
    if route.form:
        try:
            return {name: bottle.request.forms.getunicode(name) for name in bottle.request.forms}
        except ValueError:
            raise UsageError(
                "the form cannot be read", "send its fields as application/x-www-form-urlencoded, in UTF-8"
            ) from None
    if route.body is None:
        return None
    return read_body(route.body, bottle.request.body.read(), bottle.request.content_type)


def _value(name: str) -> str:
    """What is given behind a name in the query."""
    if len(bottle.request.query.getall(name)) > 1:
        # One of them would count, and nobody would know which.
        raise UsageError(f"{printable(name)}: it is given more than once", "ask once for each")
    value: str | None = bottle.request.query.getunicode(name)
    if value is None:
        # Left out it would narrow nothing, and all would be told.
        raise UsageError(f"{printable(name)}: what is given is no UTF-8")
    return value


def _mistake(asked: Asked, route: Route, error: Exception) -> bottle.HTTPResponse:
    """A fault of ours: told to the log, not to whoever asked."""
    logger.error("{} {}: {!r}", bottle.request.method, bottle.request.path, error)
    log_details(error)
    told = 500, "the request could not be answered", "see the log"
    try:
        return _fault(asked, route, *told)
    except Exception:  # the page itself may be what is at fault
        return _response(*told)


def _response(status: int, message: str, hint: str = "") -> bottle.HTTPResponse:
    kind = bottle.HTTP_CODES.get(status, "error")
    return _json_response({"error": kind, "message": message, "hint": hint}, status)


def _json_response(body: Any, status: int) -> bottle.HTTPResponse:
    text = json.dumps(body, ensure_ascii=False)
    return bottle.HTTPResponse(
        text, status, guard.HEADERS | {"Content-Type": "application/json; charset=utf-8"}
    )


def _error(scheduler: Scheduler, app: bottle.Bottle, error: bottle.HTTPError) -> str:
    """Bottle's own refusals in the same form; a fault of ours is logged and told without its inside."""
    bottle.response.headers.update(guard.HEADERS | {"Content-Type": "application/json; charset=utf-8"})
    told = {
        404: (
            "there is nothing at this address",
            "the page at / and /api/scheduler/status show how things stand",
        ),
        405: ("this address does not take that method", ""),
        413: ("the request is too large", ""),
    }
    message, hint = told.get(error.status_code, ("the request could not be answered", "see the log"))
    if error.status_code >= 500:
        logger.error("{} {}: {!r}", bottle.request.method, bottle.request.path, error.exception)
    if error.status_code == 405:
        bottle.response.set_header("Allow", _allow(app))
    shown, caller = bottle.request.environ.get(SHOWN), bottle.request.environ.get(CALLER)
    is_page = "text/html" in bottle.request.get_header("Accept", "") and shown and _may_see(shown)
    if error.status_code < 500 and is_page:
        page = fault(
            Asked(scheduler, caller=caller),
            error.status_code,
            message,
            "" if error.status_code == 404 else hint,
        )
        bottle.response.content_type = page.kind
        return str(page.text)
    kind = bottle.HTTP_CODES.get(error.status_code, "error")
    return json.dumps({"error": kind, "message": message, "hint": hint})
