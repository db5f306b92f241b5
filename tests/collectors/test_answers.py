"""What an answer says: addresses without secrets, first words, patience, encodings. No network here."""

from __future__ import annotations

import gzip
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stoma.collectors.answers import PIECE, Undecodable, decoded, first_words, retry_after, shown
from stoma.references import remember
from tests.support.budget import START


class TestShown:
    @pytest.mark.parametrize(
        ("url", "text"),
        [
            ("http://h/a?b=c", "http://h/a?b=c"),
            ("http://me:hush@h:81/a", "http://…@h:81/a"),
            ("http://h/\r\nX: y\x1b[31m", "http://h/ X: y [31m"),
            ("http://[bad", "http://[bad"),
        ],
    )
    def test_no_password_and_no_control_character(self, url: str, text: str):
        assert shown(url) == text

    def test_a_secret_is_found_however_it_is_spelled(self):
        remember("a+b c/ä", "${env:TOKEN}")
        assert shown("http://h/?k=a%2Bb+c%2F%C3%A4&x=1") == "http://h/?k=${env:TOKEN}&x=1"
        assert shown("http://h/?k=a%2Bb%20c/ä") == "http://h/?k=${env:TOKEN}"
        assert shown("http://h/?k=a+b c/ä") == "http://h/?k=${env:TOKEN}"


class TestFirstWords:
    def test_markup_and_control_characters_are_left_out(self):
        page = b"<html><head><title>x</title></head><body><h1>Not\x00 here</h1>\r\n<p>at\tall</body></html>"
        assert first_words(page) == "Not here at all"

    def test_a_long_text_ends_at_a_word(self):
        assert first_words(b"word " * 100, 12) == "word word …"

    def test_bytes_that_are_no_text(self):
        assert first_words(b"\xff\xfe") == "\ufffd\ufffd"


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [("0", 0), (" 12 ", 12), ("1.5", 1.5), ("", None), ("-3", None), ("soon", None), ("1e9", None)],
    )
    def test_seconds(self, value: str, seconds: float | None):
        assert retry_after({"retry-after": value}, START) == seconds

    def test_a_date(self):
        later = format_datetime(START + timedelta(minutes=2), usegmt=True)
        assert retry_after({"retry-after": later}, START) == 120
        assert retry_after({"retry-after": later.replace("GMT", "-0000")}, START) == 120
        assert retry_after({"retry-after": later, "date": later}, START) == 0

    @pytest.mark.parametrize(
        "value", ["Mon, 99 Nov 2026 09:00:00 GMT", "Mon,", "99999999999999 Nov 2026", "١٢"]
    )
    def test_what_is_no_date(self, value: str):
        assert retry_after({"retry-after": value}, START) is None

    @given(some.text())
    def test_no_header_breaks_it(self, value: str):
        assert (retry_after({"retry-after": value, "date": value}, START) or 0) >= 0


class TestDecoded:
    @given(some.binary(max_size=3000), some.integers(1, 400))
    def test_gzip_in_any_pieces(self, body: bytes, step: int):
        packed = gzip.compress(body)
        pieces = [packed[at : at + step] for at in range(0, len(packed), step)]
        assert b"".join(decoded(pieces, "gzip")) == body

    @given(some.binary(max_size=300), some.integers(1, 400))
    def test_a_gzip_cut_anywhere_is_an_error(self, body: bytes, cut: int):
        packed = gzip.compress(body)
        with pytest.raises(Undecodable):
            list(decoded([packed[: -min(cut, len(packed) - 1)]], "gzip"))

    def test_no_piece_is_large(self):
        sizes = [len(piece) for piece in decoded([gzip.compress(bytes(10 << 20))], "gzip")]
        assert max(sizes) <= PIECE
        assert sum(sizes) == 10 << 20
