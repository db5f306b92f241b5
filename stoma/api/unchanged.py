"""Whether whoever asks has what would be sent (RFC 9110, If-None-Match). Pure."""

from __future__ import annotations


def is_known(told: str | None, mark: str | None) -> bool:
    """True where one of the told marks is that of the answer; compared weakly, as is right for reading."""
    if not told or not mark:
        return False
    known = {one.strip().removeprefix("W/") for one in told.split(",")}
    return "*" in known or mark.removeprefix("W/") in known
