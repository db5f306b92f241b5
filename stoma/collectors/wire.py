"""Connections that can be cut and know where not to go, and what goes wrong with them in plain words.

Only http.py uses it; it knows urllib3, the machine inside requests.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import urllib3.exceptions as urllib3
from urllib3.connection import HTTPConnection

from stoma.collectors import addresses
from stoma.errors import BadAnswer, SourceError, SourceRefused, Unreachable

TROUBLE = (OSError, ValueError, urllib3.HTTPError, http.client.HTTPException)
"""All that requests and what lies below it raise."""

RESET = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
NO_CONNECTION = (urllib3.NewConnectionError, urllib3.ConnectTimeoutError)


class Wire:
    """The connections of one client; `cut` may be called from another thread."""

    def __init__(self) -> None:
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._cut = False
        # The address that is asked, as it may be shown, and whether the configuration names its host.
        self._asked, self._named = "", False
        # True when the next connection leads to a proxy, whose address says nothing about the source.
        self.proxied = False

    @property
    def is_cut(self) -> bool:
        """True when the request under way was cut."""
        return self._cut

    def renew(self, asked: str, named: bool) -> None:
        """A new request begins: the address as it may be shown, `named` when the configuration names its host."""
        self._cut, self._asked, self._named = False, asked, named

    def cut(self) -> None:
        """End every connection now: whoever reads from one sees its end."""
        with self._lock:
            self._cut = True
            for sock in list(self._sockets):
                _shut(sock)

    def watched(self, pool: Any) -> Any:
        """The pool, its connections known to this wire from the moment they stand."""
        kind: Any = pool.ConnectionCls
        if not issubclass(kind, _Watched):
            pool.ConnectionCls = type(
                kind.__name__,
                (_Watched, kind),
                {
                    "admit": staticmethod(self._admit),
                    "opened": staticmethod(self._opened),
                    "is_cut": staticmethod(lambda: self._cut),
                },
            )
        return pool

    def _opened(self, sock: socket.socket | None) -> None:
        if sock is None:
            return
        with self._lock:
            self._sockets.add(sock)
            if self._cut:
                _shut(sock)

    def _admit(self, sock: socket.socket) -> None:
        """Refuse an address that no public source has a reason to lead to; names were resolved by now."""
        if self.proxied:
            return
        try:
            text = sock.getpeername()[0].partition("%")[0]
        except OSError:
            return  # gone already; reading from it will say so
        if why := addresses.fault(ipaddress.ip_address(text), self._named):
            sock.close()
            raise addresses.refused(self._asked, why)


class _Watched(HTTPConnection):
    admit: Callable[[socket.socket], None]
    opened: Callable[[socket.socket | None], None]
    is_cut: Callable[[], bool]
    # A second handle on the connection while it is made, by which it can be cut: a proxy or TLS may never be done.
    door: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        # Before anything is sent, and before TLS.
        sock = super()._new_conn()
        self.admit(sock)
        # TLS makes another socket of this one before it shakes hands; what lies below is the same for both.
        self.door = sock.dup()
        self.opened(self.door)
        return sock

    def _tunnel(self) -> None:
        super()._tunnel()
        # To http.client the end of a connection that was cut looks like the end of the headers.
        if self.is_cut():
            raise ConnectionAbortedError

    def connect(self) -> None:
        try:
            super().connect()
            self.opened(self.sock)
        finally:
            if self.door is not None:
                self.door.close()
                self.door = None


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        # Not the method of an SSLSocket, which would take the cipher away from under the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def in_words(error: BaseException, connect: float, silence: float) -> tuple[type[SourceError], str]:
    """What kind of error it is, and its cause in plain words, without addresses: those may hold secrets."""
    chain = list(_chain(error))
    for kind, outcome, words in _WORDS:
        for cause in chain:
            if isinstance(cause, kind):
                if callable(words):
                    return outcome, words(cause)
                return outcome, words.format(connect=connect, silence=silence)
    return Unreachable, f"the connection failed ({type(chain[-1]).__name__})"


def never_connected(error: BaseException) -> bool:
    """True when no connection was made: no name, no route, refused, or no reply to the wish for one."""
    return any(isinstance(cause, NO_CONNECTION) for cause in _chain(error))


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error with all that it wraps, wherever it keeps it."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _certificate(error: Any) -> str:
    return f"its certificate cannot be verified ({error.verify_message})"


def _cut_off(error: Any) -> str:
    got = error.partial if isinstance(error.partial, int) else len(error.partial)
    if error.expected:
        return f"the answer was cut off after {got} bytes, {error.expected} are missing"
    return "the answer was cut off"


def _no_connection(error: Any) -> str:
    why = getattr(error.__cause__, "strerror", None)
    return f"no connection could be made ({why})" if why else "no connection could be made"


def _strerror(error: Any) -> str:
    return f"the connection failed ({error.strerror})" if error.strerror else "the connection failed"


_WORDS: list[tuple[Any, type[SourceError], str | Callable[[Any], str]]] = [
    # The most telling first: each error arrives wrapped in several others.
    (socket.gaierror, Unreachable, "the name of the host cannot be resolved"),
    (urllib3.NameResolutionError, Unreachable, "the name of the host cannot be resolved"),
    (urllib3.ProxyError, Unreachable, "the proxy does not let the request through"),
    (ssl.SSLCertVerificationError, Unreachable, _certificate),
    ((ssl.SSLError, urllib3.SSLError), Unreachable, "no secure connection (TLS) could be made"),
    (ConnectionRefusedError, Unreachable, "the connection was refused"),
    (http.client.IncompleteRead, BadAnswer, _cut_off),
    (http.client.RemoteDisconnected, Unreachable, "the connection was closed without an answer"),
    (RESET, Unreachable, "the connection was reset"),
    (urllib3.ReadTimeoutError, Unreachable, "no sign of life for {silence:g} s"),
    # Before the time-out, of which urllib3 calls it a kind.
    (urllib3.NewConnectionError, Unreachable, _no_connection),
    (urllib3.ConnectTimeoutError, Unreachable, "no connection within {connect:g} s"),
    (TimeoutError, Unreachable, "no sign of life for {silence:g} s"),
    ((urllib3.LocationValueError, UnicodeError), SourceRefused, "this is no address that can be asked"),
    (http.client.HTTPException, BadAnswer, "the answer is not HTTP as it should be"),
    (ValueError, SourceRefused, "this cannot be asked (the address or a header is malformed)"),
    (OSError, Unreachable, _strerror),
]
