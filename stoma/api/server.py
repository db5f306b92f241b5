"""The routes behind waitress, on a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic
from typing import Any

from waitress.server import BaseWSGIServer, create_server
from waitress.wasyncore import close_all

from stoma.api import connections
from stoma.api.application import application
from stoma.api.connections import IDLE_SECONDS, LARGEST_HEAD, Channel, Sweeper, make_room
from stoma.api.gate import Gate
from stoma.api.lanes import Lanes
from stoma.api.tokens import Tokens
from stoma.errors import ConfigError, Problem
from stoma.hosts import is_loopback
from stoma.log import log_details, logger
from stoma.scheduler.manager import Scheduler

MOST_BODY = 1_000_000
"""Bytes of a request's body; nothing here needs more."""


class Server:
    """Answers HTTP until it is stopped."""

    def __init__(self, scheduler: Scheduler, host: str, port: int, tokens: Sequence[str] = ()) -> None:
        """`tokens` count beside those of the configuration, as texts or references."""
        is_exposed = not is_loopback(host)
        if is_exposed and not (tokens or scheduler.config.api.tokens):
            raise ConfigError(
                [
                    Problem(
                        f"api.host is {host}, which others can reach, and there is no token",
                        hint='set api.tokens, for example ["${env:STOMA_TOKEN}"], or api.host: 127.0.0.1',
                    )
                ]
            )
        self.tokens = Tokens(lambda: scheduler.config, tokens, is_exposed=is_exposed)
        app = application(scheduler, Gate(self.tokens, lambda: scheduler.config.api.hosts))
        # A map of its own, so that every socket can be found and closed.
        self._sockets: dict[int, Any] = {}
        most = make_room()
        try:
            self._server: Any = create_server(
                app,
                _dispatcher=Lanes(),
                map=self._sockets,
                host=host,
                port=port,
                ident="stoma",
                asyncore_use_poll=True,
                connection_limit=most,
                channel_timeout=int(IDLE_SECONDS),
                recv_bytes=65_536,
                max_request_header_size=LARGEST_HEAD,
                max_request_body_size=MOST_BODY,
                # A body that is larger waits in a file: many connections must not fill the memory.
                inbuf_overflow=65_536,
                clear_untrusted_proxy_headers=True,
                # Clients that go away are no news.
                log_socket_errors=False,
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
        # Several where a name has several addresses, as `localhost` may.
        self._listeners = [one for one in self._sockets.values() if isinstance(one, BaseWSGIServer)]
        for listener in self._listeners:
            listener.channel_class = Channel
        self.host, self.port = host, int(self._listeners[0].effective_port)
        self._sweeper = Sweeper(self._channels, most)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    @property
    def url(self) -> str:
        """The address for a browser."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.port}"

    @property
    def is_alive(self) -> bool:
        """True while its thread lives and listens on every address."""
        return self._thread.is_alive() and all(
            self._sockets.get(listener._fileno) is listener for listener in self._listeners
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._stopping = True
        if self.is_alive:
            self._listeners[0].pull_trigger()
        self._thread.join(timeout=2)
        self._listeners[0].task_dispatcher.shutdown(timeout=1)
        for channel in self._channels():
            # Wakes a thread that waits for its client to read.
            channel.handle_close()
        close_all(self._sockets, True)

    def _run(self) -> None:
        try:
            # waitress's own loop ends only when its sockets were closed under it.
            while not self._stopping:
                self._listeners[0].asyncore.loop(
                    timeout=connections.SWEEP_SECONDS, map=self._sockets, use_poll=True, count=1
                )
                self._sweeper.sweep(monotonic())
        except Exception as error:
            logger.critical("the server is dead: {!r}", error)
            log_details(error)
            # Whoever asks is refused at once, instead of waiting for an answer that nobody will give.
            for listener in self._listeners:
                listener.socket.close()

    def _channels(self) -> list[Channel]:
        return [one for one in list(self._sockets.values()) if isinstance(one, Channel)]
