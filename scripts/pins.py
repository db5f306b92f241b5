"""Prints some of the pins of a requirements file: those of the packages named, and of all that these need.

The file says behind each package which others asked for it ("via"), so nothing has to be resolved anew. Standard
library only: an image is built with it before anything is installed.

    python3 scripts/pins.py requirements-dev.txt hatchling
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

NAME = re.compile(r"^([a-z0-9.-]+)==")
VIA = re.compile(r"^ +# +(?:via )?([a-z0-9.-]+)", re.MULTILINE)


def pins(text: str, wanted: set[str]) -> str:
    """The blocks of the packages in `wanted` and of what they need; ValueError for one that is not pinned."""
    blocks = {found[1]: block for block in re.split(r"\n(?=[a-z0-9])", text) if (found := NAME.match(block))}
    if missing := sorted(wanted - set(blocks)):
        raise ValueError(f"not pinned: {', '.join(missing)}; known are {', '.join(blocks)}")
    asked_by = {name: {via for via in VIA.findall(block) if via != "via"} for name, block in blocks.items()}
    found, before = set(wanted), set[str]()
    while found != before:
        before = set(found)
        found |= {name for name, others in asked_by.items() if others & found}
    return "".join(block.rstrip("\n") + "\n" for name, block in blocks.items() if name in found)


if __name__ == "__main__":
    try:
        sys.stdout.write(pins(Path(sys.argv[1]).read_text(encoding="utf-8"), set(sys.argv[2:])))
    except ValueError as error:
        sys.exit(f"pins: {error}")
