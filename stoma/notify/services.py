"""Sends one message to one address. The only module that knows apprise."""

from __future__ import annotations

import logging
import threading
from typing import Any

from stoma.errors import UsageError
from stoma.references import mask
from stoma.wording import clean

MISSING = "messages are sent by Apprise, which is not installed"
INSTALL = "pip install 'stoma-scheduler[notify]' (in a checkout .venv/bin/pip install apprise)"

SECONDS = 60.0
"""How long one delivery may take."""


class Unsure(str):
    """Why it cannot be told whether a message arrived."""


def is_installed() -> bool:
    """Whether anything can be sent at all; imports nothing."""
    from importlib.util import find_spec

    return find_spec("apprise") is not None


def send(url: str, title: str, body: str, kind: str) -> str | None:
    """Send a message; None when the service took it, else why it did not. `kind`: success, warning, failure or info.

    Raises UsageError where apprise is not installed.
    """
    try:
        import apprise
    except ImportError:
        raise UsageError(MISSING, INSTALL) from None
    # From 2.0 on apprise keeps a time limit of its own, with threads that hold up the end of the process.
    own_limit: dict[str, Any] = (
        {"service_timeout": 0} if hasattr(apprise.AppriseAsset, "_service_timeout") else {}
    )
    asset = apprise.AppriseAsset(
        app_id="Stoma", app_desc="Stoma", app_url="", async_mode=False, secure_logging=True, **own_limit
    )
    carrier: Any = apprise.Apprise(asset=asset)
    if not carrier.add(url) or not len(carrier):
        return "this is no address that Apprise knows (https://appriseit.com lists them)"
    for service in carrier:
        # Longer than ours: apprise tells a silence as a refusal, and then nobody marks what may have arrived.
        service.socket_read_timeout = 2 * SECONDS
    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addFilter(heard)
    try:
        is_sent = carrier.notify(
            body=body,
            title=title,
            notify_type=apprise.NotifyType(kind),
            body_format=apprise.NotifyFormat.TEXT,
        )
    finally:
        logger.removeFilter(heard)
    if is_sent:
        return None
    return " ".join(clean(mask("; ".join(heard.lines) or "the service did not take it")).split())


def send_within(url: str, title: str, body: str, kind: str, seconds: float = SECONDS) -> str | None:
    """The same, but no longer than so many seconds: what hangs in foreign code is left behind."""
    found: list[str | None] = []

    def work() -> None:
        try:
            found.append(send(url, title, body, kind))
        except UsageError as error:
            found.append(error.message)
        except Exception as error:  # plugins are anybody's code
            found.append(f"{type(error).__name__}: {' '.join(clean(mask(str(error))).split())}")

    thread = threading.Thread(target=work, name="delivery", daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else Unsure(f"no answer within {seconds:.0f} s")


class _Heard(logging.Filter):
    """Takes what apprise says is wrong, on the thread that made this, out of the log: whoever sends tells it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread or record.levelno < logging.WARNING:
            return True
        if len(self.lines) < 5:
            self.lines.append(record.getMessage())
        return False
