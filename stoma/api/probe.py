"""Whether the scheduler of this container works: `python -m stoma.api.probe` ends with 0 or 1.

Asks `/health/live` where `STOMA_LISTEN` says. It imports nothing else of Stoma, for it is run twice a minute.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

SECONDS = 3.0
"""How long an answer may take."""

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 — asked, not listened on
"""What is asked instead of an address that stands for all."""


def address(listen: str) -> tuple[str, int]:
    """Host and port to ask where `listen` is listened on."""
    parts = urlsplit(f"//{listen}")
    host = parts.hostname or "127.0.0.1"
    return ANYWHERE.get(host, host), parts.port or 8000


def main() -> int:
    """Ask, and give the exit code; standard output says what was answered."""
    connection = None
    try:
        connection = HTTPConnection(*address(os.environ.get("STOMA_LISTEN", "")), timeout=SECONDS)
        connection.request("GET", "/health/live")
        answer = connection.getresponse()
        print(answer.read(1000).decode("utf-8", "replace"))  # noqa: T201 — shown by `docker inspect`
        return 0 if answer.status == 200 else 1
    except (OSError, HTTPException, ValueError) as error:
        print(f"no answer: {error}")  # noqa: T201
        return 1
    finally:
        if connection is not None:
            connection.close()


if __name__ == "__main__":
    sys.exit(main())
