"""The body of a feed as text: by its bytes first, and by its labels only where the bytes leave a choice.

Labels lie: documents of UTF-8 are sent as ISO-8859-1 or declare UTF-16. What decodes as UTF-8 and is not plain ASCII is
UTF-8, for text of another encoding practically never does.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNMARKED = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"), (b"{\0", "utf-16-le"), (b"\0{", "utf-16-be"))

# What a label means in practice: the larger set that everybody uses under its name (WHATWG, Encoding).
_MEANT = {
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "shift_jis": "cp932", "x-sjis": "cp932",
    "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "iso-8859-9": "cp1254", "tis-620": "cp874",
}  # fmt: skip

_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def text_of(body: bytes, content_type: str = "") -> str:
    """The text; a byte that fits no encoding becomes U+FFFD, for one of them should not spoil a feed."""
    for mark, encoding in (*_BOMS, *_UNMARKED):
        if body.startswith(mark):
            return body.decode(encoding, "replace").removeprefix("\ufeff")
    if b"\x1b" not in body:  # ISO-2022 writes other alphabets with bytes of ASCII
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    for label in _labels(body, content_type):
        if label in ("utf-8", "utf8"):
            text = body.decode("utf-8", "replace")
            broken = text.count("\N{REPLACEMENT CHARACTER}")
            if broken < sum(letter > "\x7f" for letter in text) - broken:
                return text  # UTF-8 with a few faults, not something else under its name
            continue
        try:
            return body.decode(_MEANT.get(label, label))
        except (LookupError, ValueError):
            continue
    return body.decode("cp1252", "replace")


def _labels(body: bytes, content_type: str) -> Iterator[str]:
    """What document and header call the encoding; UTF-8 where neither says anything (XML 1.0, 4.3.3)."""
    declared, charset = _DECLARED.search(body[:1000]), _CHARSET.search(content_type)
    labels = [declared[1].decode("ascii")] if declared else []
    labels += [charset[1]] if charset else []
    for label in labels or ["utf-8"]:
        # Bytes that were none of these above are none of these now, but anything decodes as one of them.
        if not label.lower().startswith(("utf-16", "utf-32", "ucs", "iso-10646")):
            yield label.lower()
