"""The grammar of `when:`: which texts are conditions, and where one that is none goes wrong. Pure."""

from __future__ import annotations

import ast
import re

from stoma.scheduler.reckoning import LARGEST
from stoma.wording import did_you_mean, listed, shown

LONGEST = 500
"""Letters of a condition."""

DEEPEST = 20
"""Levels of nesting."""

DAYS = {day: number for number, day in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
MEMBERS = ("task", "status", "seen", "new", "changed")
UNITS = ("minutes", "hours", "days")
VALUES = ("hour", "minute", "weekday", "day", "month", "date", "now", "last_run", "upstream")

# Closed on purpose: what is not here cannot even reach Python's parser, so it warns of nothing and unescapes nothing.
_TOKENS = re.compile(
    r"""(?:\x20
    | [A-Za-z_]\w*+ (?!["'])                      # no f"…", no b"…"
    | (?:0|[1-9][0-9]*+) (?:\.[0-9]++)?+ (?!\.?\w)  # no 0x10, no 1e9, no 9and
    | "[^"\\]*+" | '[^'\\]*+'
    | [=!<>]= | // | [<>+%()\[\],.-] | \*(?!\*)
    )*+""",
    re.ASCII | re.VERBOSE,
)
_MEANT = {"=": "==", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "/": "//"}


def tidy(text: str) -> str:
    """The text in one line, as columns count it."""
    return re.sub(r"\s", " ", text).strip()


def tree_of(text: str) -> ast.expr:
    """A tidy text as a tree of known forms and names; ValueError says what is wrong, and at which column."""
    if not text:
        raise ValueError("a condition is empty; expected one such as 9 <= hour <= 17")
    if len(text) > LONGEST:
        raise ValueError(f"a condition has at most {LONGEST} letters, and this one has {len(text)}")
    found = _TOKENS.match(text)
    end = found.end() if found else 0
    if end < len(text):
        raise ValueError(_out_of_place(text, end))
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ValueError(_unreadable(text, error)) from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("a condition cannot be read: there are letters in it that are none") from None
    try:
        _check(tree)
    except _Misplaced as error:
        raise ValueError(f"{error} (column {column(text, error.node)})") from None
    return tree


def names_in(tree: ast.expr) -> tuple[str, ...]:
    """The values that a condition asks for, members of upstream by their full name, in their order."""
    found: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found[node.col_offset] = f"upstream.{node.attr}"
        elif isinstance(node, ast.Name) and node.id in VALUES:
            # Where a member is asked for, its full name stands already: parents come first.
            found.setdefault(node.col_offset, node.id)
    return tuple(dict.fromkeys(name for _, name in sorted(found.items())))


def column(text: str, node: ast.expr) -> int:
    """Where a part begins, in letters from 1; Python's tree counts bytes from 0."""
    return len(text.encode()[: node.col_offset].decode()) + 1


class _Misplaced(Exception):
    def __init__(self, words: str, node: ast.expr) -> None:
        super().__init__(words)
        self.node = node


def _check(node: ast.expr, depth: int = 1) -> None:
    """Refuse whatever is none of the few forms that a condition is made of."""
    parts: list[ast.expr] = []
    if depth > DEEPEST:
        raise _Misplaced(f"more than {DEEPEST} levels of nesting", node)
    match node:
        case ast.BoolOp(values=parts):
            pass
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=part):
            parts = [part]
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult()):
            parts = [node.left, node.right]
        case ast.BinOp(
            op=ast.FloorDiv() | ast.Mod(), right=ast.Constant(value=int() | float() as divisor)
        ) if divisor:
            parts = [node.left, node.right]
        case ast.BinOp(op=ast.FloorDiv() | ast.Mod()):
            raise _Misplaced(
                'what stands to the right of "//" or "%" must be a plain number other than 0', node
            )
        case ast.Compare(left=left, ops=ops, comparators=others):
            parts = [left, *others]
            for number, kind in enumerate(ops):
                if isinstance(kind, ast.Is | ast.IsNot) and not any(
                    map(_is_singular, parts[number : number + 2])
                ):
                    raise _Misplaced('"is" compares with None only (write "==")', node)
        case ast.Call(func=ast.Name(id=name), args=[part], keywords=[]) if name in UNITS:
            parts = [part]
        case ast.Call():
            raise _Misplaced(
                "only minutes(n), hours(n) and days(n) can be called, with one number each", node
            )
        case ast.Attribute(value=ast.Name(id="upstream"), attr=attr):
            if attr not in MEMBERS:
                known = did_you_mean(attr, MEMBERS) or f"; it has {listed(MEMBERS, 'and')}"
                raise _Misplaced(f'upstream has no "{shown(attr)}"{known}', node)
        case ast.Attribute():
            raise _Misplaced('only "upstream" has members', node)
        case ast.Name(id=name) if name in UNITS:
            raise _Misplaced(f'"{name}" is a function (write {name}(2))', node)
        case ast.Name(id=name):
            if name not in VALUES and name not in DAYS:
                known = did_you_mean(name, (*VALUES, *DAYS, *UNITS, "True", "False", "None"))
                known = known or f"; known are {listed(VALUES, 'and')}"
                raise _Misplaced(f'unknown name "{shown(name)}"{known}', node)
        case ast.Constant(value=bool() | str() | None):
            pass
        case ast.Constant(value=int() | float() as number):
            if not number <= LARGEST:
                raise _Misplaced("this number is too large", node)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            if not all(map(_is_literal, parts)):
                raise _Misplaced("a list may hold numbers, texts and days only", node)
        case _:
            raise _Misplaced("this has no place in a condition", node)
    for part in parts:
        _check(part, depth + 1)


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in DAYS)


def _is_singular(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _out_of_place(text: str, end: int) -> str:
    found = re.match(r"\w+|['\"]|[&|*]{2}|.", text[end:])
    word, where = found[0] if found else "", f"(column {end + 1})"
    if word in ("'", '"'):
        return f"a text without an end, or with a backslash in it {where}"
    if word[:1].isdigit():
        return f'"{shown(word)}" is not a number; write plain digits without a leading zero {where}'
    if text[end + len(word) :].startswith(("'", '"')):
        return f'"{shown(word)}" must not touch the text behind it {where}'
    meant = f'; did you mean "{_MEANT[word]}"?' if word in _MEANT else ""
    return f'"{shown(word)}" has no place in a condition{meant} {where}'


def _unreadable(text: str, error: SyntaxError) -> str:
    # Python counts letters from 1 here; at the end of the text it gives 0, or a place behind it.
    if not error.offset or error.offset > len(text):
        return f"a condition cannot be read: it ends too early (column {len(text) + 1})"
    return f"a condition cannot be read: {error.msg} (column {error.offset})"
