"""docker or podman by their command line, and one container of Stoma, run as compose.yaml runs it."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

AS_COMPOSE = ["--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=64m", "--cap-drop=all"]
AS_COMPOSE += ["--security-opt=no-new-privileges"]


class Engine:
    """docker or podman, by their command line."""

    def __init__(self, words: str) -> None:
        self.words = shlex.split(words)
        self.name = f"stoma-{uuid.uuid4().hex[:8]}"
        self.used: list[str] = []

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*self.words, *words], capture_output=True, text=True, timeout=900)
        assert done.returncode == 0 or not check, f"{words}: {done.stdout}{done.stderr}"
        return done

    def inspect(self, what: str, *keys: str, kind: str = "container") -> Any:
        """What the engine tells of a container or an image, by its keys."""
        [found] = json.loads(self(kind, "inspect", what).stdout)
        for key in keys:
            found = found[key]
        return found

    def remove(self) -> None:
        for name in self.used:
            self("rm", "-f", name, check=False)
        self("volume", "rm", "-f", self.name, check=False)


class Container:
    """One that runs Stoma; `port` is where this machine reaches it."""

    def __init__(
        self,
        engine: Engine,
        image: str,
        *words: str,
        environ: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
        volume: str | None = None,
    ) -> None:
        self.engine, self.port = engine, free_port()
        self.name = f"{engine.name}-{len(engine.used)}"
        engine.used.append(self.name)
        volumes = ["-v", f"{volume or engine.name}:/data"]
        listen = {"STOMA_LISTEN": f"0.0.0.0:{self.port}", **(environ or {})}
        given = [word for name, value in listen.items() for word in ("-e", f"{name}={value}")]
        published = ["-p", f"127.0.0.1:{self.port}:{self.port}"]
        command = ["run", "-d", "--name", self.name, *AS_COMPOSE, *volumes, *published, *given, *options]
        engine(*command, image, *words)

    def inside(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.engine("exec", self.name, *words, check=check)

    def ask(self, path: str, token: str | None = None) -> tuple[int, Any]:
        """Status and JSON; 0 where nobody answers."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with urlopen(
                Request(f"http://127.0.0.1:{self.port}{path}", headers=headers), timeout=5
            ) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, None
        except (URLError, OSError):
            return 0, None

    def ready(self) -> float:
        """Wait until it is; gives the seconds."""
        return within(30, lambda: self.ask("/health/ready")[0] == 200, f"{self.name} is ready", self.said)

    def said(self) -> str:
        done = self.engine("logs", self.name, check=False)
        return done.stdout + done.stderr

    def stop(self) -> float:
        begin = time.monotonic()
        self.engine("stop", "-t", "20", self.name)
        return time.monotonic() - begin

    def token(self) -> str:
        return self.inside("cat", "/data/token").stdout.strip()


def within(seconds: float, condition: Callable[[], object], what: str, why: Callable[[], str] = str) -> float:
    """Wait for it; gives the seconds. Raises AssertionError."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, f"not within {seconds} s: {what}\n{why()}"
        time.sleep(0.05)
    return time.monotonic() - begin


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
