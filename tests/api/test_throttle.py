"""How often a token may be guessed."""

from __future__ import annotations

from stoma.api.throttle import AT_ONCE, EVERY, MOST_ADDRESSES, Throttle


def guess(throttle: Throttle, address: str, number: int, now: float = 0.0) -> list[bool]:
    return [throttle.wrong(address, b"guess %d %d" % (one, now), now) for one in range(number)]


def test_a_few_at_once_then_one_every_few_seconds() -> None:
    throttle = Throttle()
    assert throttle.wait("192.0.2.1", 0) == 0
    # Told once, with the last that was free.
    assert guess(throttle, "192.0.2.1", AT_ONCE) == [False] * (AT_ONCE - 1) + [True]
    assert throttle.wait("192.0.2.1", 0) == EVERY
    assert 0 < throttle.wait("192.0.2.1", EVERY - 1) <= 1
    assert throttle.wait("192.0.2.1", EVERY) == 0
    throttle.wrong("192.0.2.1", b"one more", EVERY)
    assert throttle.wait("192.0.2.1", EVERY) == EVERY
    assert throttle.wait("192.0.2.1", EVERY * (AT_ONCE + 1)) == 0


def test_another_address_does_not_wait() -> None:
    throttle = Throttle()
    guess(throttle, "192.0.2.1", AT_ONCE)
    assert throttle.wait("192.0.2.2", 0) == 0
    assert throttle.wait("::ffff:192.0.2.1", 0) > 0


def test_an_ipv6_network_is_one_address() -> None:
    throttle = Throttle()
    for number in range(AT_ONCE):
        throttle.wrong(f"2001:db8::{number:x}", b"%d" % number, 0)
    assert throttle.wait("2001:db8:0:0:ffff::1", 0) > 0
    assert throttle.wait("2001:db8:0:1::1", 0) == 0
    guess(throttle, "fe80::1%eth0", AT_ONCE)
    assert throttle.wait("fe80::2%eth0", 0) > 0


def test_the_same_wrong_token_again_is_no_guess() -> None:
    throttle = Throttle()
    for second in range(1000):
        throttle.wrong("192.0.2.1", b"an old one in a script", second / 100)
    assert throttle.wait("192.0.2.1", 10) == 0


def test_memory_is_bounded() -> None:
    throttle = Throttle()
    for number in range(MOST_ADDRESSES + 500):
        guess(throttle, f"10.{number // 62_500}.{number // 250 % 250}.{number % 250}", 1)
    for now in range(0, 5_000, 10):
        guess(throttle, "192.0.2.1", 1, now)
    assert len(throttle._seen) == MOST_ADDRESSES
    assert max(len(known) for _, _, known in throttle._seen.values()) <= AT_ONCE
    throttle.wrong("x" * 10_000, b"y" * 10_000, 0)
    assert max(map(len, throttle._seen)) <= 100
