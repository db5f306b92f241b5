"""The table of collectors, and the table of normalizers beside it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stoma import collectors, normalizers
from stoma.collectors.base import BaseCollector
from stoma.errors import NotFound
from stoma.normalizers.base import BaseNormalizer


def test_every_collector_has_a_normalizer_of_its_name():
    assert set(collectors.COLLECTORS) == set(normalizers.NORMALIZERS)


@pytest.mark.parametrize("name", [name for name, path in collectors.COLLECTORS.items() if path])
def test_what_is_in_the_tables_can_be_made(name: str):
    collector = collectors.make(name)
    assert isinstance(collector, BaseCollector)
    # What people declare themselves has the source and the origin that its task says.
    assert collector.source in (name, "")
    assert collector.origin_of({"url": "https://x.org/y"}).startswith("https://")
    assert collector.collect.__doc__
    assert isinstance(normalizers.make(name), BaseNormalizer)


@pytest.mark.parametrize("table", [collectors, normalizers])
def test_an_unknown_name_is_told_the_nearest(table):
    with pytest.raises(NotFound, match="'arxive'") as unknown:
        table.make("arxive")
    assert unknown.value.hint == "did you mean arxiv?"
    with pytest.raises(NotFound) as unknown:
        table.make("xyz")
    assert unknown.value.hint == "known are arxiv, github, sec_edgar, http_json, feed"


@pytest.mark.parametrize(
    ("name", "config", "host"),
    [
        ("arxiv", {}, "export.arxiv.org"),
        ("arxiv", {"base_url": None}, "export.arxiv.org"),
        ("arxiv", {"base_url": "http://127.0.0.1:8123/x"}, "127.0.0.1"),
        ("arxiv", {"base_url": "http://[::1]:8123"}, "::1"),
        ("arxiv", {"base_url": "http://[::1"}, ""),
        ("github", {}, "github.com"),
        ("github", {"base_url": "https://Git.Example.org"}, "git.example.org"),
        ("nonsense", {}, ""),
    ],
)
def test_the_host_that_a_config_asks(name: str, config: dict[str, str], host: str):
    assert collectors.host_of(name, config) == host


def test_finding_a_host_loads_nothing_heavy():
    program = (
        "import sys; from stoma import collectors\n"
        "assert collectors.host_of('arxiv', {}) == 'export.arxiv.org'\n"
        "heavy = {'requests', 'urllib3', 'lxml'} & set(sys.modules); assert not heavy, heavy"
    )
    path = str(collectors.__file__).removesuffix("/stoma/collectors/__init__.py")
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": path})


def test_the_host_of_a_task_is_the_one_its_mode_asks():
    assert collectors.host_of("github", {"mode": "search", "query": "x"}) == "api.github.com"
    assert collectors.host_of("github", {"language": "python"}) == "github.com"
    assert collectors.host_of("github", {"mode": "search", "base_url": "http://127.0.0.1:1"}) == "127.0.0.1"
