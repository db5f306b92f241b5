"""SECURITY.md says nothing without a test: each line of its tables names one, and there is such a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LINES = (REPOSITORY / "SECURITY.md").read_text().splitlines()
NAMED = re.compile(r"`(tests/\S+\.py)::(\w+)`")


def claims() -> list[str]:
    """The lines of tables whose second column is headed `test`."""
    found, is_inside = [], False
    for line in LINES:
        if line == "| what | test |":
            is_inside = True
        elif not line.startswith("|"):
            is_inside = False
        elif is_inside and not line.startswith("|---"):
            found.append(line)
    return found


def test_there_are_claims() -> None:
    assert len(claims()) > 40


@pytest.mark.parametrize("line", claims())
def test_a_claim_has_its_test(line: str) -> None:
    named = NAMED.findall(line)
    assert named, line
    for file, name in named:
        tree = ast.parse((REPOSITORY / file).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, line
