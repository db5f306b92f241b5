"""Sessions of browsers."""

from __future__ import annotations

import pytest

from stoma.api import session
from stoma.api.session import LIFE_SECONDS, Sessions, set_cookie

TOKENS = {"env:A": "the-first-of-the-tokens", "env:B": "the-other-of-the-tokens"}
NOW = 1_800_000_000.0


def test_a_cookie_names_the_token_that_signed_it_until_it_is_over() -> None:
    sessions = Sessions()
    cookie = sessions.begin(TOKENS["env:B"], NOW)
    assert sessions.who(cookie, TOKENS, NOW) == "env:B"
    assert sessions.who(cookie, TOKENS, NOW + LIFE_SECONDS - 1) == "env:B"
    assert sessions.who(cookie, TOKENS, NOW + LIFE_SECONDS) is None
    # Another process, such as the one after a restart.
    assert Sessions().who(cookie, TOKENS, NOW) == "env:B"
    assert TOKENS["env:B"] not in cookie
    assert sessions.begin(TOKENS["env:B"], NOW) != cookie


def test_a_token_that_is_taken_out_ends_its_sessions() -> None:
    sessions = Sessions()
    first, second = (sessions.begin(token, NOW) for token in TOKENS.values())
    left = {"env:B": TOKENS["env:B"]}
    assert sessions.who(first, left, NOW) is None
    assert sessions.who(second, left, NOW) == "env:B"
    # The name alone is nothing: the token behind it has changed.
    assert sessions.who(second, {"env:B": "a-new-one-behind-the-name"}, NOW) is None


def test_signing_out_ends_one_session() -> None:
    sessions = Sessions()
    one, other = sessions.begin(TOKENS["env:A"], NOW), sessions.begin(TOKENS["env:A"], NOW)
    sessions.end(one, NOW)
    assert sessions.who(one, TOKENS, NOW + 1) is None
    assert sessions.who(other, TOKENS, NOW + 1) == "env:A"


def test_what_is_remembered_of_those_who_signed_out_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_ENDED", 3)
    sessions = Sessions()
    cookies = [sessions.begin(TOKENS["env:A"], NOW + number) for number in range(5)]
    for cookie in cookies:
        sessions.end(cookie, NOW + 5)
    assert len(sessions._ended) == 3
    # Those that last longest are the ones that stay ended.
    assert [sessions.who(cookie, TOKENS, NOW + 6) for cookie in cookies[2:]] == [None] * 3
    late = sessions.begin(TOKENS["env:A"], NOW + 10 * LIFE_SECONDS)
    sessions.end(late, NOW + 10 * LIFE_SECONDS)
    assert len(sessions._ended) == 1


def test_nothing_else_is_taken_for_a_cookie() -> None:
    sessions = Sessions()
    cookie = sessions.begin(TOKENS["env:A"], NOW)
    _, until, nonce, signature = cookie.split(".")
    bad = [
        "", ".", "...", "1.2.3.4", cookie + "0", cookie[:-1], f"{cookie}.", f"2.{until}.{nonce}.{signature}",
        f"1.{int(until) + 1}.{nonce}.{signature}", f"1.{until}.x.{signature}", f"1.{until}.{nonce}.",
        f"1.²³.{nonce}.{signature}", f"1.{until}.{nonce}.{'é' * 9}", "1." + "9" * 5000 + f".{nonce}.{signature}",
        f"1.-1.{nonce}.{signature}", "\0" * 100,
    ]  # fmt: skip
    assert [sessions.who(one, TOKENS, NOW) for one in bad] == [None] * len(bad)
    assert sessions.who(cookie, {}, NOW) is None


def test_one_that_was_signed_by_a_clock_that_was_wrong_does_not_last_for_ever() -> None:
    sessions = Sessions()
    cookie = sessions.begin(TOKENS["env:A"], NOW + 30 * LIFE_SECONDS)
    assert sessions.who(cookie, TOKENS, NOW) is None


def test_how_a_browser_is_given_it() -> None:
    assert set_cookie("v", is_https=False) == (
        f"stoma_session=v; Path=/; Max-Age={LIFE_SECONDS}; HttpOnly; SameSite=Strict"
    )
    assert set_cookie("", is_https=True) == (
        "stoma_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
    )


def test_a_token_need_not_be_text() -> None:
    token = b"\xff-not-utf-8-at-all".decode("utf-8", "surrogateescape")
    assert Sessions().who(Sessions().begin(token, NOW), {"env:X": token}, NOW) == "env:X"
