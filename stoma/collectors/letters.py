"""Letters that XML forbids, as bytes of the document and as references such as `&#0;`. Pure."""

from __future__ import annotations

import re

_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-f]{1,8})|([0-9]{1,10}));", re.IGNORECASE)
_REFERENCE_IN_BYTES = re.compile(_REFERENCE.pattern.encode(), re.IGNORECASE)


def without_forbidden(document: str) -> str:
    """The document with blanks in their place, so that one of them does not spoil everything around it."""
    return _REFERENCE.sub(lambda found: found[0] if _is_letter(found) else " ", _TEXT.sub(" ", document))


def without_forbidden_bytes(document: bytes) -> bytes:
    """The same for a document whose letters of ASCII are bytes of ASCII."""
    plain = _BYTES.sub(b" ", document)
    return _REFERENCE_IN_BYTES.sub(lambda found: found[0] if _is_letter(found) else b" ", plain)


def _is_letter(found: re.Match[str] | re.Match[bytes]) -> bool:
    """True where a reference leads to a letter of XML (1.0, production 2)."""
    code = int(found[1], 16) if found[1] else int(found[2])
    return (
        code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    )
