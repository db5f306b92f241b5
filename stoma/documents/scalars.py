"""What an unquoted word means: true, false, null, decimal numbers; everything else is text.

These are the rules of YAML 1.2 (core schema) without its traps for people: `10:30`, `NO`, `on` and dates stay text, and
so do numbers that would lose something (`007`) or that a database could not keep (beyond 64 bits, infinite).
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def value_of(word: str) -> Scalar:
    """The value of an unquoted word."""
    if word in WORDS:
        return WORDS[word]
    if word[0] not in "+-.0123456789":
        return word
    if _INTEGER.fullmatch(word):
        number = int(word)
        return number if -(2**63) <= number < 2**63 else word
    if _FLOAT.fullmatch(word) and not word.lstrip("+-").isdigit():
        value = float(word)
        return value if math.isfinite(value) else word
    return word
