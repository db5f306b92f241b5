"""The encoding of a feed: what the bytes are, whatever they are called."""

from __future__ import annotations

import codecs

import pytest

from stoma.collectors.feed_text import text_of

UTF8, LATIN = "<?xml version='1.0' encoding='utf-8'?>", "<?xml version='1.0' encoding='iso-8859-1'?>"


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("<é>".encode(), "", "<é>"),
        ("<é>".encode(), "text/xml; charset=iso-8859-1", "<é>"),
        (f"{LATIN}<é>".encode(), "", f"{LATIN}<é>"),
        (b'<?xml version="1.0" encoding="utf-16"?><e>', "", '<?xml version="1.0" encoding="utf-16"?><e>'),
        (codecs.BOM_UTF8 + "<é>".encode(), "", "<é>"),
        ("<é>".encode("utf-16"), "text/xml; charset=utf-8", "<é>"),
        ("<é>".encode("utf-32"), "", "<é>"),
        ("<é>".encode("utf-16-le"), "", "<é>"),
        ("<é>".encode("utf-16-be"), "", "<é>"),
        # What is called Latin-1 is Windows' set, and what is called gb2312 is the larger one.
        (f"{LATIN}<“é”>".encode("cp1252"), "", f"{LATIN}<“é”>"),
        ('<?xml encoding="gb2312"?><國>'.encode("gb18030"), "", '<?xml encoding="gb2312"?><國>'),
        ("<日本>".encode("cp932"), 'text/xml; charset="Shift_JIS"', "<日本>"),
        ('<?xml encoding="iso-2022-jp"?><日本>'.encode("iso-2022-jp"), "", '<?xml encoding="iso-2022-jp"?><日本>'),
        # One broken byte spoils one letter, not all of them.
        (UTF8.encode() + "äöüß".encode() + b"\xff", "", f"{UTF8}äöüß\ufffd"),
        (UTF8.encode() + "“a”".encode("cp1252"), "", f"{UTF8}“a”"),
        (b'<?xml encoding="hex"?>\xe9', "", '<?xml encoding="hex"?>é'),
        (b'<?xml encoding="no-such"?>\xe9', "text/xml; charset=undefined", '<?xml encoding="no-such"?>é'),
        (b"\xff\xfe", "", ""),
        (b"", "", ""),
    ],
)  # fmt: skip
def test_what_the_bytes_are(body: bytes, content_type: str, text: str):
    assert text_of(body, content_type) == text
