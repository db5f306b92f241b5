"""`notify:` in files: what is read, and what is refused with words."""

from __future__ import annotations

from pathlib import Path

import pytest

from stoma.errors import ConfigError
from stoma.scheduler.base import Notify
from stoma.scheduler.config import Config, load_config
from stoma.scheduler.plan import settings_of

TASK = "{collector: github, config: {mode: search, query: x}"
OPS = '"${env:STOMA_OPS_URL}"'


def load(folder: Path, notify: str = "", task: str = "", more: str = "") -> Config:
    entry = f"{TASK}, notify: {task}}}" if task else f"{TASK}}}"
    top = f"notify: {notify}\n" if notify else ""
    (folder / "stoma.yaml").write_text(f"version: 1\npresets: []\n{top}{more}tasks: {{a: {entry}}}\n")
    return load_config(folder / "stoma.yaml")


def refused(folder: Path, **given: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, **given)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_without_a_word_nobody_is_told(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.targets == {}
    assert config.tasks["a"].notify == Notify() == config.notify


def test_the_top_holds_where_a_task_says_nothing(tmp_path: Path) -> None:
    targets = f'{{ops: {OPS}, team: [{OPS}, "${{file:chat}}"]}}'
    config = load(tmp_path, f"{{targets: {targets}, to: ops, after_failures: 5}}", "{on_recovery: false}")
    assert config.targets == {
        "ops": ("${env:STOMA_OPS_URL}",),
        "team": ("${env:STOMA_OPS_URL}", "${file:chat}"),
    }
    assert config.notify == Notify(("ops",), 5)
    assert config.tasks["a"].notify == Notify(("ops",), 5, on_recovery=False)
    assert load(tmp_path, f"{{targets: {targets}}}", "{to: []}").tasks["a"].notify.to == ()
    defaults = "defaults: {notify: {to: team}}\n"
    assert load(tmp_path, f"{{targets: {targets}, to: ops}}", more=defaults).tasks["a"].notify.to == ("team",)


def test_an_edit_of_it_is_an_edit(tmp_path: Path) -> None:
    before, after = (load(tmp_path, f"{{targets: {{{name}: {OPS}}}}}") for name in ("ops", "team"))
    assert before.hash != after.hash
    assert settings_of(after)["notify.targets.team"] == "${env:STOMA_OPS_URL}"


@pytest.mark.parametrize("written", ["json://host/secret", '"slack://a/b"', "[json://x]", "'x${env:A}'"])
def test_a_secret_does_not_stand_in_the_file(tmp_path: Path, written: str) -> None:
    told = refused(tmp_path, notify=f"{{targets: {{ops: {written}}}}}")
    assert "an address is written as a reference such as ${env:STOMA_OPS_URL}" in told
    assert "secrets do not belong into this file" in told
    assert "secret}" not in told
    assert "//host" not in told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"task": "{to: [opps]}"}, 'tasks.a.notify.to: there is no target "opps"; did you mean "ops"?'),
        ({"task": "{to: nobody}"}, 'tasks.a.notify.to: there is no target "nobody"'),
        ({"more": "defaults: {notify: {to: x}}\n"}, 'defaults.notify.to: there is no target "x"'),
        ({"task": "{after_failures: 0}"}, "after_failures"),
        ({"task": "{targets: {x: y}}"}, 'unknown key "targets"'),
        ({"task": "{on_recover: true}"}, 'did you mean "on_recovery"?'),
    ],
)
def test_what_is_refused_and_how(tmp_path: Path, given: dict[str, str], told: str) -> None:
    found = refused(tmp_path, notify=f"{{targets: {{ops: {OPS}}}}}", **given)
    assert told in found
    assert "stoma.yaml:" in found


def test_a_link_is_an_address_of_the_web(tmp_path: Path) -> None:
    config = load(tmp_path, more='api: {public_url: "https://stoma.example.org/"}\n')
    assert config.api.public_url == "https://stoma.example.org"
    assert "is not an address of the web" in refused(tmp_path, more='api: {public_url: "javascript:x"}\n')
