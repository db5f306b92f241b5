"""Letters that XML forbids, as they are and as references."""

from __future__ import annotations

import pytest

from stoma.collectors.letters import without_forbidden, without_forbidden_bytes


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("a\x00b\x0bc\x1fd", "a b c d"),
        ("tab\tline\r\nend", "tab\tline\r\nend"),
        ("&#0; &#x0; &#x1F; &#11; &#xFFFF; &#xD800; &#57343; &#x110000; &#9999999999;", " " * 17),
        (
            "&#9; &#xA; &#233; &#xE9; &#x1F600; &amp; &#x; &#;",
            "&#9; &#xA; &#233; &#xE9; &#x1F600; &amp; &#x; &#;",
        ),
        ("É & 😀", "É & 😀"),
    ],
)
def test_what_is_left(given: str, left: str) -> None:
    assert without_forbidden(given) == left
    assert without_forbidden_bytes(given.encode()) == left.encode()


def test_a_letter_that_is_none_and_half_a_letter() -> None:
    assert without_forbidden("a\uffffb") == "a b"
    # Bytes of another encoding stay as they are.
    assert without_forbidden_bytes(b"\xe9\xff\x01") == b"\xe9\xff "
