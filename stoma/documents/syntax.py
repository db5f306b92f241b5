"""What the YAML parser says, said again for people."""

from __future__ import annotations

import re
from typing import Any

TAB = "a tab stands where YAML wants spaces; replace it by spaces"

# The first that is found in the parser's words counts; libyaml and the pure Python parser word some differently.
_SENTENCES = (
    (r"mapping values are not allowed", 'a ":" is not expected here; a text with ": " in it needs quotes, and keys '
     "of one mapping start in the same column"),
    (r"entries are not allowed", 'a list item "-" is not expected here; it stands on a line of its own'),
    (r"expected key|expected <block end>", "this does not belong to the mapping above; keys of one mapping start in "
     "the same column"),
    (r"expected '-' indicator", 'this does not belong to the list above; each item begins with "-" in the same column'),
    (r"expected ',' or '\]'", 'the list that begins with "[" in line {line} lacks a "," or its "]"'),
    (r"expected ',' or '\}'", 'the mapping that begins with "{" in line {line} lacks a "," or its "}"'),
    (r"expected ':'", 'a key lacks its ":"'),
    (r"unexpected end of stream", "a quote is opened here and never closed"),
    (r"unknown escape|escape character|expected escape sequence", 'between " quotes a "\\" begins an escape sequence, '
     "and this is not one; use ' quotes to keep it as it is"),
    (r"cannot start any token", "{character} cannot begin a text; put the text in quotes"),
    (r"expected (the )?node content", "a value is expected here"),
    (r"expected '?<document start>", "this does not belong to what stands above; check the indentation"),
    (r"alphabetic or numeric character", '"*" and "&" begin a YAML alias; put a text that begins with one in quotes'),
    (r"directive", '"%" at the start of a line begins a YAML directive; put the text in quotes'),
    (r"nesting level", "this is nested too deep"),
)  # fmt: skip


def sentence(error: Any, text: str) -> tuple[int, str]:
    """Where a syntax error stands, and what is wrong there."""
    problem = str(getattr(error, "problem", None) or getattr(error, "context", None) or "")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    index = min(int(mark.index), len(text)) if mark is not None else 0
    if "unexpected end of stream" in problem and getattr(error, "context_mark", None) is not None:
        index = int(error.context_mark.index)
    if (tab := _tab(text, index)) is not None:
        return tab, TAB
    # libyaml reports a missing end on a line that is not there.
    index = min(index, len(text.rstrip()))
    if (reference := _bare_reference(text, index)) is not None:
        return (
            index - 1,
            f'put quotes around the reference: "{reference}"; between {{ }} or [ ] it needs them',
        )
    after_quote = text[max(0, index - 50) : index].rstrip(" ")[-1:] in {"'", '"'}
    if after_quote and re.search("expected key|expected <block end>", problem):
        return index, "this stands behind a closing quote; put the whole text between one pair of quotes"
    for words, said in _SENTENCES:
        if re.search(words, problem):
            character = f'"{text[index]}"' if index < len(text) and text[index].isprintable() else "this"
            opened = getattr(error, "context_mark", None)
            line = str(opened.line + 1) if opened is not None else "?"
            return index, said.replace("{character}", character).replace("{line}", line)
    return index, f"this cannot be read as YAML: {problem or error}"


def _bare_reference(text: str, index: int) -> str | None:
    """The `${…}` whose bracket the parser took for the beginning of a mapping."""
    found = re.compile(r"\$\{(?:env|file):[^\s{}]{0,99}\}").match(text, index - 1) if index else None
    return found[0] if found else None


def _tab(text: str, index: int) -> int | None:
    """The tab in the indentation of the line at `index` or of the line before it."""
    start = text.rfind("\n", 0, index) + 1
    for begin in (start, text.rfind("\n", 0, max(start - 1, 0)) + 1):
        indentation = re.compile(r"[ \t]*(?:- *)*[ \t]*").match(text, begin)
        if indentation and (found := text.find("\t", begin, indentation.end())) >= 0:
            return found
    return None
