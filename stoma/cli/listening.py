"""Where the control server listens, when the environment says so: for containers, where a file cannot know it.

`STOMA_LISTEN=ADDRESS:PORT` stands above the files and below `--host` and `--port`. Where others can reach the address
and the files name no token, the one in `STOMA_TOKEN` counts, else the one in the file that `STOMA_TOKEN_FILE` names;
that file is made when it is not there, so that nobody has to think of a token and none is ever shown in a log.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from stoma.errors import UsageError
from stoma.hosts import is_loopback
from stoma.scheduler.settings import Api
from stoma.wording import shown

LISTEN, TOKEN, TOKEN_FILE = "STOMA_LISTEN", "STOMA_TOKEN", "STOMA_TOKEN_FILE"


def listening(api: Api, host: str | None, port: int | None, environ: Mapping[str, str]) -> Api:
    """What the files say, with what the environment and the command line (`host`, `port`) add.

    Raises UsageError for what is no address.
    """
    if given := environ.get(LISTEN):
        address, number = _address(given)
        api = replace(api, host=address, port=api.port if number is None else number)
    api = replace(api, host=api.host if host is None else host, port=api.port if port is None else port)
    if api.tokens or is_loopback(api.host):
        return api
    if environ.get(TOKEN):
        return replace(api, tokens=(f"${{env:{TOKEN}}}",))
    if file := environ.get(TOKEN_FILE):
        return replace(api, tokens=(_reference(file),))
    return api


def make_token(api: Api, environ: Mapping[str, str]) -> Path | None:
    """Make the file of the token that `listening` added to `api`; gives it, or None where nothing had to be made.

    Raises UsageError where it cannot be written.
    """
    file = environ.get(TOKEN_FILE)
    if not file or api.tokens != (_reference(file),):
        return None
    path = Path(file).absolute()
    if path.exists() or path.is_symlink():
        return None
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Whole under its name or not at all, and for the user of this process alone.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            written.write(secrets.token_urlsafe(32) + "\n")
        os.replace(draft, path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        hint = f"set {TOKEN}, or name a file in {TOKEN_FILE} that can be written"
        raise UsageError(f"no token can be written into {path}: {error.strerror}", hint) from None
    return path


def _reference(file: str) -> str:
    if {*file} & {*"{}"}:
        # It would be no reference, and the text itself would be the token.
        raise UsageError(
            f"{TOKEN_FILE}: a name with braces cannot be referred to", "give the file another name"
        )
    return f"${{file:{Path(file).absolute()}}}"


def _address(given: str) -> tuple[str, int | None]:
    """Address and port of `0.0.0.0:8000` or `[::]:8000`; None for a port that is not there."""
    hint = f"{LISTEN} is an address and a port, such as 0.0.0.0:8000 or [::]:8000"
    try:
        parts = urlsplit(f"//{given}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.path or parts.query or parts.fragment or "@" in given or given.count("//"):
        raise UsageError(f"{LISTEN}: {shown(given)} is no address to listen on", hint)
    return host, port
