"""The floors of the tree: a module imports from its own floor or from lower ones, and some libraries have one home."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "stoma"

# `name.*` stands for a package with everything below it; a plain name for that module alone.
FLOORS = {
    6: ["cli.*", "api.*", "demo.*"],
    5: ["scheduler.manager", "scheduler.alone"],
    4: [
        "scheduler.ticker", "scheduler.settling", "scheduler.following", "scheduler.runner", "scheduler.handle",
        "scheduler.foreground", "scheduler.heartbeat", "scheduler.uptake", "scheduler.runlog", "scheduler.cluster",
        "scheduler.watcher", "scheduler.keeping", "scheduler.indexing", "notify.*",
    ],
    3: [
        "scheduler.config", "scheduler.definitions", "scheduler.files", "scheduler.loading", "scheduler.settings",
        "scheduler.loader", "scheduler.choosing", "scheduler.lastgood", "scheduler.location", "scheduler.edits",
        "scheduler.inforce", "scheduler.owncode", "scheduler.yielded",
        "scheduler.agenda", "scheduler.dependencies", "scheduler.judging", "scheduler.outage", "scheduler.saving",
        "scheduler.marks", "scheduler.gone", "scheduler.validating",
        "scheduler.manners", "scheduler.pipeline", "scheduler.rawpages", "scheduler.kept", "scheduler.replay",
        "auditing", "scheduler.normalizing",
        "scheduler.merging", "scheduler.counting", "scheduler.resuming", "scheduler.making",
        "scheduler.parts", "scheduler.selecting", "scheduler.overview", "scheduler.board",
        "scheduler.remembered", "scheduler.asking",
        "scheduler.explain", "scheduler.outlook", "scheduler.ahead",
        "scheduler.plan", "scheduler.backfill", "scheduler.state", "export",
    ],
    2: ["collectors.*", "normalizers.*", "stores.*"],
    1: [
        "documents.*", "hosts", "scheduler.owner", "scheduler.sdnotify", "scheduler.patterns", "scheduler.cron",
        "scheduler.cronwords",
        "scheduler.zones", "scheduler.calendars", "scheduler.timetables", "scheduler.conditions",
        "scheduler.grammar", "scheduler.reckoning", "scheduler.network", "scheduler.retry", "query.*", "formats.*",
        "usage", "own", "importing", "paths", "instants", "moments", "diffs", "partfile", "excerpts",
    ],
    0: [
        "", "errors", "wording", "references", "records", "scheduler", "scheduler.base", "signals", "log", "logfile",
        "metrics",
        "resources",
    ],
}  # fmt: skip

STAGES = ("collectors", "normalizers", "stores")

# Where a library may be imported; everybody else goes through that module.
HOMES = {
    "requests": ["collectors.http"],
    "schedule": ["scheduler.ticker"],
    "watchdog": ["scheduler.watcher"],
    "cronsim": ["scheduler.cron"],
    "holidays": ["scheduler.calendars"],
    "simpleeval": ["scheduler.conditions"],
    "jmespath": ["paths", "demo.*"],
    "feedparser": ["collectors.feed_reading"],
    "psutil": ["scheduler.owner", "usage"],
    "psycopg": ["stores.postgres", "stores.postgres_schema", "stores.copying_postgres"],
    "psycopg_pool": ["stores.postgres"],
    "sqlite3": [
        "stores.sqlite", "stores.sqlite_rows", "stores.sqlite_errors", "stores.sqlite_file", "stores.sqlite_care",
        "cli.completing",
    ],
    "bottle": ["api.application"],
    "waitress": ["api.server", "api.connections", "api.lanes", "api.export"],
    "jinja2": ["api.pages.render"],
    "pygal": ["api.pages.charts"],
    "icalendar": ["formats.ics"],
    "apprise": ["notify.*"],
    "click": ["cli.*", "api.main"],
    "distributed": ["scheduler.cluster"],
    "prometheus_client": ["metrics"],
}  # fmt: skip


def faults(package: Path) -> list[str]:
    """Every import below `package` that is not as it should be, one line each."""
    modules = {module_name(path, package): path for path in sorted(package.rglob("*.py"))}
    found = []
    for module, path in modules.items():
        here = path.relative_to(package.parent).as_posix()
        if floor(module) is None:
            found.append(f"{here} is on no floor: give it a floor in {Path(__file__).name}")
            continue
        for line, target in imports(path, module, package.name):
            if fault := judge(module, target, modules, package.name):
                found.append(f"{here}:{line} {fault}")
    return found


def judge(module: str, target: str, modules: dict[str, Path], package: str) -> str | None:
    """What is wrong with `module` importing `target`, if anything is."""
    top, _, rest = target.partition(".")
    if top != package:
        homes = HOMES.get(top)
        if homes and not any(matches(module, home) for home in homes):
            return f"imports {top}, which only {' and '.join(homes)} may know"
        return None
    # `from stoma.records import Record` names a thing inside a module: what counts is the module.
    while rest and rest not in modules:
        rest = rest.rpartition(".")[0]
    mine, theirs = floor(module), floor(rest)
    if theirs is None:
        return None  # reported where that module stands
    if theirs > mine:
        return f"climbs: {module or package} (floor {mine}) imports {rest} (floor {theirs})"
    stage, other = module.partition(".")[0], rest.partition(".")[0]
    if stage in STAGES and other in STAGES and stage != other:
        return f"crosses: {module} imports {rest}, and stages never know one another"
    return None


def imports(path: Path, module: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a file imports, at the top, in functions, and for types only."""
    parents = [package, *filter(None, module.split("."))]
    if path.name != "__init__.py":
        parents.pop()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            for name in node.names:
                yield node.lineno, ".".join([*base, *filter(None, [node.module]), name.name])


def floor(module: str) -> int | None:
    return next(
        (number for number, names in FLOORS.items() if any(matches(module, name) for name in names)), None
    )


def matches(module: str, pattern: str) -> bool:
    package, star, _ = pattern.partition(".*")
    return module == package or (bool(star) and module.startswith(package + "."))


def module_name(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_nothing_climbs():
    assert "\n".join(faults(PACKAGE)) == ""


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("records.py", "import stoma.scheduler.manager", "records (floor 0) imports scheduler.manager (floor 5)"),
        ("records.py", "from stoma.stores import base", "imports stores.base (floor 2)"),
        ("records.py", "from stoma import hosts", "imports hosts (floor 1)"),
        ("__init__.py", "from stoma.cli.main import main", "stoma (floor 0) imports cli.main (floor 6)"),
        ("stores/base.py", "from ..scheduler.manager import Scheduler", "imports scheduler.manager (floor 5)"),
        ("stores/__init__.py", "from .. import cli", "imports cli (floor 6)"),
        ("records.py", "def late():\n    from stoma.cli import main", "records.py:2 climbs"),
        ("stores/base.py", "from stoma.collectors.http import get", "stages never know one another"),
        ("scheduler/surprise.py", "", "scheduler/surprise.py is on no floor: give it a floor"),
        ("hosts.py", "import requests.adapters", "imports requests, which only collectors.http may know"),
        ("cli/main.py", "from bottle import Bottle", "which only api.application may know"),
    ],
)  # fmt: skip
def test_what_it_finds(tmp_path: Path, file: str, text: str, fault: str):
    tree = small_tree(tmp_path)
    assert faults(tree) == []

    (tree / file).write_text(text)
    assert len(faults(tree)) == 1
    assert fault in faults(tree)[0]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("stores/base.py", "from stoma.records import Record\nfrom . import other\nfrom ..hosts import rule"),
        ("cli/main.py", "import click\nimport stoma.scheduler.manager\nfrom stoma.stores.base import Store"),
        ("scheduler/manager.py", "from stoma.scheduler import base\nfrom stoma import __version__"),
        ("collectors/http.py", "import requests\nimport requests_cache"),
    ],
)
def test_what_it_lets_pass(tmp_path: Path, file: str, text: str):
    tree = small_tree(tmp_path)
    (tree / file).write_text(text)
    assert faults(tree) == []


def small_tree(folder: Path) -> Path:
    for name in (
        "__init__", "records", "hosts", "collectors/http", "stores/__init__", "stores/base", "stores/other",
        "scheduler/__init__", "scheduler/base", "scheduler/manager", "cli/__init__", "cli/main",
    ):  # fmt: skip
        path = folder / "stoma" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder / "stoma"
