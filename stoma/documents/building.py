"""Puts the events of a YAML parser together to plain values and their places.

Only the part of YAML that says what it seems to say is accepted: mappings, lists, texts, numbers, anchors and aliases.
Tags, merge keys, keys that are not text, several documents in one file and aliases that explode are faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stoma.documents import scalars
from stoma.documents.places import Places
from stoma.documents.syntax import sentence
from stoma.errors import Problem
from stoma.references import REFERENCE
from stoma.wording import shown

DEEPEST = 50
MOST_ALIASED = 200_000
"""How many values aliases may add to a file; each hundred letters of a text count as one more."""

MOST_FAULTS = 200
"""How many faults of one file are told; whoever has more mends these first."""

Marks = dict[int, Any]
"""By id() of each mapping {key: (position of the key, position of the value)}, of each list [position]."""

# YAML forbids most of these; the others hide in editors: line separators, byte order marks in the middle of a text.
FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_NO_REFERENCE = re.compile(r"\$\{\s{0,9}\w{1,99}\s{0,9}(?::[^}{$]{0,999})?\}")


class Broken(Exception):
    """A fault after which the rest of the file cannot be understood."""

    def __init__(self, index: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.index, self.message, self.hint = index, message, hint


class Building:
    """Puts the parser's events together. No recursion: however deep the file nests, Python's stack does not grow."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.data: Any = None
        self.marks: Marks = {}
        self.problems: list[Problem] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._aliased = 0

    def run(self) -> None:
        """Read all events; raises Broken where reading cannot go on."""
        import yaml

        scalar_event, alias_event = yaml.ScalarEvent, yaml.AliasEvent
        mapping_start, sequence_start = yaml.MappingStartEvent, yaml.SequenceStartEvent
        mapping_end, sequence_end = yaml.MappingEndEvent, yaml.SequenceEndEvent
        document_start = yaml.DocumentStartEvent
        words: dict[str, Any] = {}
        missing = object()
        # What is being filled: the container, its marks, the key that waits for its value, its size so far.
        stack: list[tuple[Any, Any, Any, int, int, int, str | None]] = []
        container: Any = None
        marks: Any = None
        key: Any = missing
        key_at = start = size = documents = 0
        anchor: str | None = None
        for event in self._events():
            kind = type(event)
            if kind is scalar_event:
                at = event.start_mark.index
                value = event.value
                if event.implicit[0]:
                    found = words.get(value, missing)
                    if found is missing:
                        found = words[value] = scalars.value_of(value)
                    if value == "<<" and type(container) is dict and key is missing:
                        self._say(
                            at, 'merge keys "<<" are not supported; write the keys out, or use "defaults:"'
                        )
                    value = found
                elif event.tag is not None or event.style == '"':
                    self._check_scalar(event, at)
                weight = 1
                if type(value) is str:
                    weight += len(value) // 100
                    if "${" in value:
                        self._check_references(value, at)
                if event.anchor is not None:
                    self._anchors[event.anchor] = (value, weight)
            elif kind is mapping_start or kind is sequence_start:
                at = event.start_mark.index
                if event.tag is not None:
                    self._say(at, _tag(event.tag))
                if len(stack) >= DEEPEST:
                    raise Broken(at, f"this is nested more than {DEEPEST} levels deep")
                stack.append((container, marks, key, key_at, start, size, anchor))
                container, marks = ({}, {}) if kind is mapping_start else ([], [])
                key, start, size, anchor = missing, at, 1, event.anchor
                if anchor is not None:
                    self._anchors.pop(anchor, None)
                continue
            elif kind is mapping_end or kind is sequence_end:
                value, at, weight = container, start, size
                self.marks[id(container)] = marks
                if anchor is not None:
                    self._anchors[anchor] = (value, weight)
                container, marks, key, key_at, start, size, anchor = stack.pop()
            elif kind is alias_event:
                at = event.start_mark.index
                opened = anchor == event.anchor or any(frame[-1] == event.anchor for frame in stack)
                value, weight = self._alias(event.anchor, at, opened)
            else:
                documents += kind is document_start
                if documents > 1:
                    raise Broken(
                        event.start_mark.index, "a second document begins here; one file holds one document"
                    )
                continue
            size += weight
            if type(container) is dict:
                if key is missing:
                    key, key_at = value, at
                else:
                    if type(key) is str:
                        if key not in container:
                            container[key] = value
                            marks[key] = (key_at, at)
                        else:
                            first = self.places.line_and_column(marks[key][0])[0]
                            self._say(key_at, stands_again(key, first))
                    else:
                        self._say(key_at, _not_text(key))
                    key = missing
            elif container is not None:
                container.append(value)
                marks.append(at)
            else:
                self.data = value

    def _events(self) -> Iterator[Any]:
        import yaml

        try:
            parser = parser_class()(self.places.text)
            next_event = parser.get_event
            while (event := next_event()) is not None:
                yield event
        # The pure Python parser answers an escape such as "\UFFFFFFFF" with a ValueError.
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            raise Broken(*sentence(error, self.places.text)) from None

    def _say(self, index: int, message: str, hint: str = "") -> None:
        if len(self.problems) >= MOST_FAULTS:
            raise Broken(index, "this file has more faults than these; mend them first")
        self.problems.append(self.places.problem(index, message, hint))

    def _check_scalar(self, event: Any, at: int) -> None:
        if event.tag is not None:
            self._say(at, _tag(event.tag))
        if found := FORBIDDEN.search(event.value):
            self._say(at, f"this text contains the control character U+{ord(found[0]):04X}; leave it out")

    def _check_references(self, value: str, at: int) -> None:
        for found in _NO_REFERENCE.finditer(value):
            if not REFERENCE.fullmatch(found[0]):
                self._say(at, f"{shown(found[0])} is not a reference; write ${{env:NAME}} or ${{file:PATH}}")

    def _alias(self, name: str, at: int, opened: bool) -> tuple[Any, int]:
        if opened:
            raise Broken(at, f'the alias "*{shown(name)}" contains itself')
        if name not in self._anchors:
            raise Broken(at, f'the alias "*{shown(name)}" has no anchor "&{shown(name)}" before it')
        value, weight = self._anchors[name]
        self._aliased += weight
        if self._aliased > MOST_ALIASED:
            raise Broken(at, f"the aliases of this file stand for more than {MOST_ALIASED:,} values")
        return value, weight


def stands_again(key: str, first: int) -> str:
    """What is said of a key that its mapping holds already."""
    return f'the key "{shown(key)}" stands here again; first in line {first}'


def parser_class() -> Any:
    """The fast parser of libyaml; PyYAML's own where there is none."""
    import yaml

    return getattr(yaml, "cyaml").CParser if yaml.__with_libyaml__ else pure_parser()  # noqa: B009 (has no types)


def pure_parser() -> Any:
    """The parser that is PyYAML's own."""
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class PureParser(Reader, Scanner, Parser):
        def __init__(self, text: str) -> None:
            Reader.__init__(self, text)
            Scanner.__init__(self)
            Parser.__init__(self)

    return PureParser


def _tag(tag: str) -> str:
    tag = tag.replace("tag:yaml.org,2002:", "!!")
    return f'the tag "{shown(tag)}" is not supported; values say by themselves what they are'


def _not_text(key: Any) -> str:
    if isinstance(key, bool | None):
        word = {True: "true", False: "false", None: "nothing"}[key]
        return f"a key must be text, and this one is {word}; put it in quotes"
    if isinstance(key, int | float):
        return f"a key must be text, and this one is the number {key}; put it in quotes"
    return "a key must be text, and this one is a list or a mapping; put it in quotes"
