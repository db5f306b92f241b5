"""Takes the code blocks out of a page of `docs/`, so that tests run what people copy."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """The blocks of one language on a page, in their order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [block for name, block in _BLOCK.findall(text) if name == language]
