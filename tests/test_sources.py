"""A source is one file in each stage, called alike, one schema, and one line in each of two tables: none is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoma import collectors, normalizers
from stoma.collectors import COLLECTORS
from stoma.collectors.base import BaseCollector
from stoma.normalizers import NORMALIZERS
from stoma.normalizers.base import BaseNormalizer

REPOSITORY = Path(__file__).resolve().parent.parent
SCHEMAS = {
    path.name.removesuffix(".schema.json") for path in (REPOSITORY / "schemas" / "collectors").iterdir()
}


def test_both_tables_and_the_schemas_know_the_same_sources() -> None:
    assert COLLECTORS.keys() == NORMALIZERS.keys() == SCHEMAS


@pytest.mark.parametrize("name", [name for name, path in COLLECTORS.items() if path])
def test_a_source_has_a_file_called_like_it_in_each_stage(name: str) -> None:
    assert (COLLECTORS[name] or "").startswith(f"stoma.collectors.{name}:")
    assert (NORMALIZERS[name] or "").startswith(f"stoma.normalizers.{name}:")
    assert isinstance(collectors.make(name), BaseCollector)
    assert isinstance(normalizers.make(name), BaseNormalizer)


@pytest.mark.parametrize("name", [name for name, path in COLLECTORS.items() if not path])
def test_a_source_without_a_collector_has_no_normalizer_either(name: str) -> None:
    assert NORMALIZERS[name] is None
