"""The routes behind Bottle and waitress, on a thread of their own."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import bottle
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.wasyncore import close_all

from stoma.api import guard
from stoma.api.answers import Answer, Asked, Caller, Document, Redirect, Stream
from stoma.api.body import read_body
from stoma.api.pages.render import fault
from stoma.api.passwords import CHALLENGE, are_taken, as_bearer
from stoma.api.route import Route, read
from stoma.api.routes import ROUTES
from stoma.api.unchanged import is_known
from stoma.errors import ConfigError, NotFound, Problem, StomaError, StoreError, UsageError
from stoma.hosts import is_loopback
from stoma.log import log_details, logger
from stoma.scheduler.manager import Scheduler
from stoma.wording import shown

MOST_BODY = 1_000_000
"""Bytes of a request's body; nothing here needs more."""


class Server:
    """Answers HTTP until it is stopped."""

    def __init__(self, scheduler: Scheduler, host: str, port: int, tokens: Sequence[str] = ()) -> None:
        if not is_loopback(host) and not tokens:
            raise ConfigError(
                [
                    Problem(
                        f"api.host is {host}, which others can reach, and there is no token",
                        hint='set api.tokens, for example ["${env:STOMA_TOKEN}"], or api.host: 127.0.0.1',
                    )
                ]
            )
        app = application(scheduler, scheduler.config.api.hosts, tokens)
        # A map of its own, so that every socket can be found and closed.
        self._sockets: dict[int, Any] = {}
        try:
            self._server: Any = create_server(
                app,
                map=self._sockets,
                host=host,
                port=port,
                threads=4,
                ident="stoma",
                asyncore_use_poll=True,
                connection_limit=2000,
                channel_timeout=30,
                max_request_body_size=MOST_BODY,
                clear_untrusted_proxy_headers=True,
            )
        except OSError as error:
            close_all(self._sockets, True)
            raise ConfigError(
                [
                    Problem(
                        f"the server cannot listen on {host} port {port}: {error.strerror}",
                        hint="another program uses it? set api.port in stoma.yaml or pass --port",
                    )
                ]
            ) from None
        self.host, self.port = host, int(self._server.effective_port)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    @property
    def url(self) -> str:
        """The address for a browser."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._stopping = True
        self._server.pull_trigger()
        self._thread.join(timeout=2)
        self._server.task_dispatcher.shutdown(timeout=1)
        for channel in list(self._sockets.values()):
            if isinstance(channel, HTTPChannel):
                # Wakes a thread that waits for its client to read.
                channel.handle_close()
        close_all(self._sockets, True)

    def _run(self) -> None:
        # waitress's own loop ends only when its sockets were closed under it.
        while not self._stopping:
            self._server.asyncore.loop(timeout=1, map=self._sockets, use_poll=True, count=1)


def application(scheduler: Scheduler, hosts: Sequence[str] = (), tokens: Sequence[str] = ()) -> bottle.Bottle:
    """The routes as a WSGI application."""
    app = bottle.Bottle()
    for route in ROUTES:
        app.route(route.path, method=route.method, callback=_callback(scheduler, route))

    @app.hook("before_request")  # type: ignore[untyped-decorator]
    def _guard() -> None:
        method, path = bottle.request.method, bottle.request.path
        headers = {name.lower(): value for name, value in bottle.request.headers.items()}
        headers = as_bearer(method, path, headers)
        refused = guard.refusal(method, path, headers, hosts, tokens)
        if refused is not None:
            status, message, hint = refused
            answer = _response(status, message, hint)
            if status == 401 and are_taken(method, path):
                answer.headers.update(CHALLENGE)
            raise answer

    app.default_error_handler = partial(_error, scheduler)
    return app


def _callback(scheduler: Scheduler, route: Route) -> Any:
    def answer(**parts: str) -> bottle.HTTPResponse:
        try:
            query = read(route.params, _given(route))
            caller = Caller(address=bottle.request.remote_addr or "")
            asked = Asked(scheduler, query, _body(route), caller, bottle.request.get_header("Accept", ""))
            found = route.function(asked, **parts)
        except NotFound as error:
            return _fault(scheduler, route, 404, error.message, error.hint)
        except (UsageError, ConfigError) as error:
            return _fault(scheduler, route, 400, error.message, error.hint)
        except StoreError as error:
            return _fault(scheduler, route, 503, error.message, error.hint)
        except StomaError as error:
            return _fault(scheduler, route, 409, error.message, error.hint)
        except Exception as error:
            return _mistake(scheduler, route, error)
        match found:
            case Answer():
                return _json_response(found.body, found.status)
            case Stream():
                return bottle.HTTPResponse(found.pieces, 200, {**guard.HEADERS, **found.headers})
            case Document():
                headers = {**guard.HEADERS, "Content-Type": found.kind, **found.headers}
                if is_known(bottle.request.get_header("If-None-Match"), headers.get("ETag")):
                    return bottle.HTTPResponse("", 304, headers)
                return bottle.HTTPResponse(found.text, found.status, headers)
            case Redirect():
                return bottle.HTTPResponse("", 303, {**guard.HEADERS, "Location": found.to, **found.headers})

    return answer


def _given(route: Route) -> dict[str, str]:
    """What stands behind the question mark; what a form of a page leaves empty was not said."""
    given = {name: _value(name) for name in bottle.request.query}
    return {name: value for name, value in given.items() if value or not route.page}


def _fault(scheduler: Scheduler, route: Route, status: int, message: str, hint: str) -> bottle.HTTPResponse:
    """A fault as JSON, or as a page to somebody who asked for one."""
    if not route.page:
        return _response(status, message, hint)
    page = fault(Asked(scheduler), status, message, hint)
    return bottle.HTTPResponse(page.text, status, {**guard.HEADERS, "Content-Type": page.kind})


def _body(route: Route) -> Any:
    """What was sent along, where the route takes anything."""
    if route.form:
        return {name: bottle.request.forms.getunicode(name) for name in bottle.request.forms}
    if route.body is None:
        return None
    return read_body(route.body, bottle.request.body.read(), bottle.request.content_type)


def _value(name: str) -> str:
    """What is given behind a name in the query."""
    if len(bottle.request.query.getall(name)) > 1:
        # One of them would count, and nobody would know which.
        raise UsageError(f"{shown(name)}: it is given more than once", "ask once for each")
    value: str | None = bottle.request.query.getunicode(name)
    if value is None:
        # Left out it would narrow nothing, and all would be told.
        raise UsageError(f"{shown(name)}: what is given is no UTF-8")
    return value


def _mistake(scheduler: Scheduler, route: Route, error: Exception) -> bottle.HTTPResponse:
    """A fault of ours: told to the log, not to whoever asked."""
    logger.error("{} {}: {!r}", bottle.request.method, bottle.request.path, error)
    log_details(error)
    told = 500, "the request could not be answered", "see the log"
    try:
        return _fault(scheduler, route, *told)
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


def _error(scheduler: Scheduler, error: bottle.HTTPError) -> str:
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
    if error.status_code < 500 and "text/html" in bottle.request.get_header("Accept", ""):
        page = fault(Asked(scheduler), error.status_code, message, "" if error.status_code == 404 else hint)
        bottle.response.content_type = page.kind
        return str(page.text)
    kind = bottle.HTTP_CODES.get(error.status_code, "error")
    return json.dumps({"error": kind, "message": message, "hint": hint})
