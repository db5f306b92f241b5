"""How messages show what people wrote: the nearest known name, and values that cannot drive a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

SIMILAR = 0.6
"""How alike two names must be (0 to 1) before one is proposed for the other."""

SHORTEST_FORM = 3
"""How many letters the beginning of a name must have to stand for it."""

LONGEST_SHOWN = 80

_PASSWORD = re.compile(r"(?<=://)([^/\s:@]{0,99}):([^@\s]{1,999})(?=@)")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like `word`, or None when none is like it; case, `-` and `_` count little."""
    from difflib import get_close_matches

    # Comparing takes quadratic time, and nobody mistypes a name of this length.
    if len(word) > 200:
        return None
    plain = {_plain(name): name for name in known}
    found = get_close_matches(_plain(word), list(plain), n=1, cutoff=SIMILAR)
    # A short form is unlike what it stands for, however clearly it stands for it.
    if not found and len(word) >= SHORTEST_FORM:
        found = [name for name in plain if name.startswith(_plain(word))]
    return plain[found[0]] if len(found) == 1 else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "NAME"?`, or nothing when no known name is near."""
    found = nearest(word, known)
    return f'; did you mean "{found}"?' if found else ""


def shown(text: str, longest: int = LONGEST_SHOWN) -> str:
    """Text from a file as a message may carry it: in one line, clipped, no control characters, no passwords."""
    text = without_passwords(text[: longest * 10])
    clipped = text if len(text) <= longest else text[: longest - 1] + "…"
    return clipped if clipped.isprintable() else "".join(map(printable, clipped))


def without_passwords(text: str) -> str:
    """The text with the password of each `scheme://user:password@host` starred out, letter by letter."""
    return _PASSWORD.sub(lambda found: f"{found[1]}:{'*' * len(found[2])}", text) if "://" in text else text


def clean(text: str) -> str:
    """The text without control characters: what a source says must not drive a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def printable(character: str) -> str:
    """The character, or a stand-in of the same length when it would not show as itself."""
    if character.isprintable():
        return character
    return " " if character.isspace() else "·"


def listed(words: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def several(count: int, what: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def plural(word: str) -> str:
    """What several of a kind are called: `papers`, `repositories`."""
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2:-1] not in tuple("aeiou") else f"{word}s"


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
