"""Finding code of your own: what is wrong with it is said, and nothing of it ends the program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stoma import collectors, normalizers, own, references
from stoma.errors import Blocked, NotFound

GOOD = """\
from stoma.collectors.base import BaseCollector
class Mine(BaseCollector):
    def collect(self, collection):
        return iter(())
    class Inner(BaseCollector):
        def collect(self, collection):
            return iter(())
class Abstract(BaseCollector):
    pass
class Demanding(Mine):
    def __init__(self, address):
        pass
class Leaving(Mine):
    def __init__(self):
        raise SystemExit(3)
class Stranger:
    pass
thing = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder like that of a stoma.yaml; nothing of it outlives the test."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, fresh in (("_found", {}), ("_faults", {}), ("_folders", [])):
        monkeypatch.setattr(own, name, fresh)
    own.importable(tmp_path)
    (tmp_path / "my_source.py").write_text(GOOD)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def fault(path: str, **more: Any) -> Blocked:
    with pytest.raises(Blocked) as caught:
        own.find(path, collectors.KIND, **more)
    return caught.value


def test_a_class_beside_stoma_yaml_is_found(folder: Path) -> None:
    found = own.find("my_source:Mine", collectors.KIND)
    assert isinstance(found(), collectors.BaseCollector)
    assert own.find("my_source:Mine", collectors.KIND) is found
    assert own.find("my_source:Mine.Inner", collectors.KIND).__name__ == "Inner"


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("my_sorce:Mine", 'there is no module "my_sorce"; did you mean "my_source"?', "and in {folder}"),
        ("no.such:Mine", 'there is no module "no"', "looked for among installed packages"),
        ("my_source.deeper:Mine", 'there is no module "my_source.deeper"; did you mean "my_source"?', "looked for"),
        ("my_source:Mein", 'the module my_source has no "Mein"; did you mean "Mine"?', "is {folder}/my_source.py"),
        ("my_source:Mine.Outer", 'the module my_source has no "Outer"', "is {folder}/my_source.py"),
        ("my_source:thing", "it is a value of type int, not a class", "{folder}/my_source.py"),
        ("my_source:Stranger", "it is not a BaseCollector", "class Stranger(BaseCollector) makes it one"),
        ("my_source:Abstract", "it does not define collect", "{folder}/my_source.py"),
        ("my_source:Leaving", "SystemExit: 3 (my_source.py, line 15) when it is made without arguments", ""),
        ("json:Mine", 'the module json has no "Mine"', "json/__init__.py"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_says_why(folder: Path, path: str, message: str, hint: str) -> None:
    found = fault(path)
    assert found.message == f"{path} cannot be used: {message}"
    assert hint.format(folder=folder) in found.hint


def test_a_class_that_demands_arguments(folder: Path) -> None:
    assert "missing 1 required positional argument: 'address'" in fault("my_source:Demanding").message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nraise RuntimeError('no licence')\n", "RuntimeError: no licence (broken.py, line 2)"),
        ("import sys\nsys.exit('bye')\n", "SystemExit: bye (broken.py, line 2)"),
        ("def f(:\n", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("\nimport no_such_dependency\n", "No module named 'no_such_dependency' (broken.py, line 2)"),
        ("import json\n\njson.loads('{')\n", "(broken.py, line 3)"),
        ("raise ValueError\n", "cannot be used: ValueError (broken.py, line 1)"),
        ("raise ValueError('x' * 9000 + chr(27))\n", "…"),
    ],
)
def test_what_happens_at_import_is_told_with_its_line(folder: Path, text: str, message: str) -> None:
    (folder / "broken.py").write_text(text)
    found = fault("broken:Mine")
    assert message in found.message
    assert len(str(found)) < 400
    assert str(found).isprintable()


def test_a_secret_in_the_words_of_an_exception_stays_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "_seen", {})
    references.remember("hunter22", "${env:PASSWORD}")
    (folder / "broken.py").write_text("raise ValueError('no login with hunter22')\n")
    assert "no login with ${env:PASSWORD} (broken.py" in fault("broken:Mine").message


def test_mended_code_is_tried_again_after_a_while_and_good_code_is_kept(folder: Path) -> None:
    path = folder / "late.py"
    assert "there is no module" in fault("late:Mine", monotonic=lambda: 0.0).message
    path.write_text(GOOD)
    assert "there is no module" in fault("late:Mine", monotonic=lambda: own.RETRY_SECONDS - 1).message
    found = own.find("late:Mine", collectors.KIND, monotonic=lambda: own.RETRY_SECONDS)
    path.write_text("raise RuntimeError\n")
    assert own.find("late:Mine", collectors.KIND) is found


def test_the_folder_comes_last_and_once(folder: Path) -> None:
    (folder / "colorsys.py").write_text(GOOD)
    own.importable(folder)
    assert sys.path.count(str(folder)) == 1
    assert sys.path[-1] == str(folder)
    # Python's own module of that name is found, and the message says so.
    assert str(folder) not in fault("colorsys:Mine").hint
    assert "colorsys.py" in fault("colorsys:Mine").hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("my_source:", "is not the path of a class; expected one such as my_source:MyCollector"),
        ("a b:C", "is not the path of a class"),
        ("os;x:C", "is not the path of a class"),
        ("../my_source:C", "is not the path of a class"),
        ("a:b:C", "is not the path of a class"),
        ("arxvi", 'did you mean "arxiv"?'),
        ("my_source.Mine", 'the path of a class is written "my_source:Mine"'),
        ("", "expected arxiv, github, sec_edgar, http_json, feed or one of your own"),
    ],
)
def test_how_a_name_is_spelled(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"expected one|expected arxiv") as caught:
        own.check(text, collectors.KIND)
    assert message in str(caught.value)


def test_a_spelling_is_judged_without_importing_anything() -> None:
    own.check("no_such_module:Class", collectors.KIND)
    own.check("arxiv", normalizers.KIND)


def test_unknown_names_are_told_the_nearest() -> None:
    with pytest.raises(NotFound) as caught:
        own.find("arxive", collectors.KIND)
    assert caught.value.hint == "did you mean arxiv?"


# -- installed packages --------------------------------------------------------------------------------------

PACKAGE = """\
from stoma.collectors.base import BaseCollector
from stoma.normalizers.base import BaseNormalizer
from stoma.records import CollectorResult
class Birds(BaseCollector):
    origin = "https://birds.example.org"
    def collect(self, collection):
        yield CollectorResult(self.source_of(collection.config, collection.task_id), [{"id": 7}], "", collection.now)
class Names(BaseNormalizer):
    def normalize_item(self, item, result):
        return {"external_id": str(item["id"]), "kind": "bird"}
"""


def installed(folder: Path, name: str, entry_points: str) -> Path:
    """A package as an installer leaves it."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    (folder / f"{name}.py").write_text(PACKAGE)
    return folder


def stoma_run(cwd: Path, site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    repository = Path(__file__).resolve().parent.parent
    return subprocess.run(
        [sys.executable, "-m", "stoma.cli.run", *words],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": f"{repository}:{site}", "HOME": str(cwd)},
    )  # fmt: skip


def test_an_installed_package_offers_a_source_by_name(tmp_path: Path) -> None:
    site = installed(
        tmp_path / "site",
        "birds_for_stoma",
        "[stoma.collectors]\nbirds = birds_for_stoma:Birds\narxiv = birds_for_stoma:Birds\n"
        "broken = birds_for_stoma:Absent\n[stoma.normalizers]\nbirds = birds_for_stoma:Names\n",
    )
    config = "version: 1\ntasks:\n  seen: {collector: birds}\n  lost: {collector: broken}\n"
    (tmp_path / "stoma.yaml").write_text(config)
    checked = stoma_run(tmp_path, site, "--check")
    assert checked.returncode == 2
    assert (
        'stoma.yaml:4:21: collector: broken cannot be used: the module birds_for_stoma has no "Absent"'
        in (checked.stderr)
    )
    ran = stoma_run(tmp_path, site, "--once", "seen", "--json")
    assert ran.returncode == 0, ran.stderr
    [result] = json.loads(ran.stdout)
    assert (result["status"], result["new"], result["rejected"]) == ("completed", 1, 0)

    (tmp_path / "stoma.yaml").write_text("version: 1\ntasks:\n  seen: {collector: brids}\n")
    told = stoma_run(tmp_path, site, "--check").stderr
    assert "expected arxiv, github, sec_edgar, http_json, feed, birds, broken" in told
    assert 'did you mean "birds"?' in told


def test_two_packages_that_offer_the_same_name(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name in ("one", "other"):
        installed(site, name, f"[stoma.collectors]\nbirds = {name}:Birds\n")
    (tmp_path / "stoma.yaml").write_text("version: 1\ntasks:\n  seen: {collector: birds}\n")
    told = stoma_run(tmp_path, site, "--check").stderr
    assert "one and other both offer a collector of this name" in told
