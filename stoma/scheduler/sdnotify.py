"""Tells who supervises this process how it stands, as systemd wants it: sd_notify(3), sd_watchdog_enabled(3).

`Type=notify` is told when it can be used, when it stops, and what it does, in a sentence; with `WatchdogSec=` a loop
that no longer turns is found out and the process started anew. Without a supervisor nothing is sent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from time import monotonic, monotonic_ns

from stoma.log import clean
from stoma.references import mask

PATIENCE_SECONDS = 0.5
"""How long a supervisor that does not read may hold up the one who tells."""

LONGEST = 500
"""Characters of a sentence."""


class Supervisor:
    """Where to tell it, and how often it wants to hear; one without an address hears nothing."""

    def __init__(self, address: str = "", watchdog_seconds: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog = watchdog_seconds if address else None
        self._told_at = float("-inf")
        self._sentence = ""
        self._is_ready = False

    @classmethod
    def of(cls, environment: MutableMapping[str, str] = os.environ) -> Supervisor:
        """The supervisor that the environment names; it is taken out of there, for it is not that of any child."""
        address = environment.pop("NOTIFY_SOCKET", "")
        every, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        is_watched = every.isascii() and every.isdigit() and int(every) > 0 and pid in ("", str(os.getpid()))
        is_known = address.startswith(("/", "@"))
        return cls(address if is_known else "", int(every) / 1_000_000 if is_watched else None)

    def ready(self) -> None:
        """It can be used now."""
        self._is_ready = True
        self._tell("READY=1")

    def stopping(self) -> None:
        """It is about to end."""
        self._tell("STOPPING=1", "STATUS=stopping")

    def reloaded(self) -> None:
        """An edit was taken up: what a supervisor wants to hear of it, begin and end."""
        if self._is_ready:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={monotonic_ns() // 1000}")
            self.ready()

    def status(self, sentence: str) -> None:
        """What it does, in a sentence that has to be new to be told."""
        sentence = clean(mask(" ".join(sentence.split())))[:LONGEST]
        if sentence != self._sentence:
            self._sentence = sentence
            self._tell(f"STATUS={sentence}")

    def alive(self) -> None:
        """The loop has turned; told four times as often as it is wanted."""
        if self._watchdog is not None and monotonic() - self._told_at >= self._watchdog / 4:
            self._told_at = monotonic()
            self._tell("WATCHDOG=1")

    def within(self, seconds: float) -> float:
        """How long the loop may rest, that wants to rest for so many seconds."""
        return seconds if self._watchdog is None else min(seconds, self._watchdog / 4)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # Whoever does not listen any more is no reason to fail.
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(PATIENCE_SECONDS)
            channel.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
