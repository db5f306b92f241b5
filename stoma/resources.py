"""Finds what ships with Stoma: presets and schemas.

In a checkout or an editable install they lie at the top of the repository, beside the package, where people look for
them; a wheel carries them inside the package as `_shipped`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from stoma.errors import NotFound
from stoma.wording import did_you_mean, shown

PACKAGE = Path(__file__).resolve().parent
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
"""What a preset may be called: never a path."""


def folder(kind: str, package: Path = PACKAGE) -> Path:
    """The shipped folder `presets` or `schemas`."""
    inside = package / "_shipped" / kind
    return inside if inside.is_dir() else package.parent / kind


def schema_path(name: str) -> Path:
    """The file of the schema called `name`, such as `task` or `collectors/arxiv`."""
    return folder("schemas") / f"{name}.schema.json"


def preset_folders(base: Path) -> list[Path]:
    """Where presets are looked for, in order: `presets/` beside stoma.yaml, then the shipped ones."""
    return [base / "presets", folder("presets")]


def lies(path: Path) -> bool:
    """True where a file lies. A broken link counts: reading it then names the file instead of hiding the fault."""
    return path.exists() or path.is_symlink()


def preset_path(name: str, base: Path, is_there: Callable[[Path], bool] = lies) -> Path:
    """The file of the preset called `name`; NotFound, with the nearest name, when there is none."""
    if NAME.match(name):
        for place in preset_folders(base):
            path = place / f"{name}.yaml"
            if is_there(path):
                return path
    known = preset_names(base)
    raise NotFound(
        f'unknown preset "{shown(name)}"{did_you_mean(name, known)}',
        f"known presets: {', '.join(known)}" if known else "there are no presets here",
    )


def preset_names(base: Path) -> list[str]:
    """Every preset that can be loaded, sorted."""
    names: set[str] = set()
    for place in preset_folders(base):
        if place.is_dir():
            names.update(path.stem for path in place.glob("*.yaml") if NAME.match(path.stem))
    return sorted(names)
