"""What keeps tests from touching the world: no network beyond this machine, no files of the person who runs them.

Only this process is watched. Programs that a test starts, and libpq inside psycopg, are not.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest


class NetworkTouched(RuntimeError):
    """A test reached for an address that is not on this machine.

    No OSError, or the code under test would take it for an ordinary failure of the network and try again.
    """


class NetworkGuard:
    """Lets sockets reach loopback and unix addresses only. Keeps what was tried, for code that swallows errors."""

    def __init__(self) -> None:
        self.touched: list[str] = []

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put the guard before every way out, until `patch` is undone."""
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, self._guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", self._looked_up(socket.getaddrinfo))

    def _guarded(self, real: Any) -> Any:
        def method(sock: socket.socket, *arguments: Any) -> Any:
            address = arguments[
                -1
            ]  # the last one for connect(address) and sendto(data, flags, address) alike
            if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_local(str(address[0])):
                self._refuse(f"{address[0]}:{address[1]}")
            return real(sock, *arguments)

        return method

    def _looked_up(self, real: Any) -> Any:
        def getaddrinfo(host: str | bytes | None, port: Any, *arguments: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name and name.endswith(
                ".invalid"
            ):  # never resolves, by RFC 6761: say so without asking anybody
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            if name and not is_local(name):
                self._refuse(f"{name}:{port}")
            return real(host, port, *arguments, **options)

        return getaddrinfo

    def _refuse(self, address: str) -> None:
        self.touched.append(address)
        raise NetworkTouched(f"a test reached for {address}; only this machine's own addresses are allowed")


def is_local(host: str) -> bool:
    """True for localhost, loopback addresses, and the empty or wildcard address that servers bind to."""
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def enclose(
    patch: pytest.MonkeyPatch, home: Path, cwd: Path, environ: Mapping[str, str] = os.environ
) -> None:
    """An empty home, an empty current folder, and none of Stoma's environment variables."""
    for name in list(environ):
        if name.startswith("STOMA_"):
            patch.delenv(name)
    patch.setenv("HOME", str(home))
    patch.setenv("USERPROFILE", str(home))
    for kind in ("CONFIG", "CACHE", "DATA", "STATE"):
        patch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    patch.chdir(cwd)
