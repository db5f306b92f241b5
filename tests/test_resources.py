"""Where presets and schemas are found: in a checkout, in a wheel, beside stoma.yaml."""

from __future__ import annotations

import pytest

from stoma import resources
from stoma.errors import NotFound


def test_in_a_checkout_they_lie_beside_the_package(tmp_path):
    package = tmp_path / "stoma"
    package.mkdir()
    assert resources.folder("presets", package) == tmp_path / "presets"


def test_in_a_wheel_they_lie_inside_it(tmp_path):
    shipped = tmp_path / "stoma" / "_shipped" / "presets"
    shipped.mkdir(parents=True)
    (tmp_path / "presets").mkdir()  # somebody else's folder in site-packages
    assert resources.folder("presets", tmp_path / "stoma") == shipped


def test_the_shipped_presets(tmp_path):
    assert resources.preset_names(tmp_path) == ["business", "default", "development", "research"]
    assert resources.preset_path("default", tmp_path).is_file()


def test_a_preset_beside_stoma_yaml_comes_first(tmp_path):
    own = tmp_path / "presets" / "default.yaml"
    own.parent.mkdir()
    own.write_text("tasks: {}\n")
    (own.parent / "mine.yaml").write_text("tasks: {}\n")
    (own.parent / "notes.txt").write_text("")
    assert resources.preset_path("default", tmp_path) == own
    assert "mine" in resources.preset_names(tmp_path)
    assert "notes" not in resources.preset_names(tmp_path)


def test_an_unknown_preset_names_the_nearest(tmp_path):
    with pytest.raises(NotFound) as caught:
        resources.preset_path("reserch", tmp_path)
    assert caught.value.message == 'unknown preset "reserch"; did you mean "research"?'
    assert caught.value.hint == "known presets: business, default, development, research"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../presets/default", "/etc/passwd", "a/b", "default.yaml", "a\0b", "x\n", "\x1b[2J", "x" * 999],
)  # fmt: skip
def test_names_never_become_paths(name, tmp_path):
    (tmp_path / "presets").mkdir()
    (tmp_path / "outside.yaml").write_text("tasks: {}\n")
    with pytest.raises(NotFound) as caught:
        resources.preset_path(name, tmp_path)
    assert caught.value.message.isprintable()
    with pytest.raises(NotFound):
        resources.preset_path("../outside", tmp_path)
