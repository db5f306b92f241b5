"""The shipped schemas: sound, described, in agreement with the program and with the presets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stoma.collectors import COLLECTORS
from stoma.documents import Checker, explain, of_values, parse, read, schema, schema_names
from stoma.resources import folder, preset_names, schema_path
from stoma.scheduler.base import CatchUp, Expect, Retry, Task, TaskPriority
from stoma.scheduler.config import load_preset
from stoma.scheduler.definitions import FORMATS, checker, parse_rate, positive_duration
from stoma.scheduler.patterns import parse_duration
from stoma.scheduler.settings import Api, Config

NAMES = schema_names()
REPOSITORY = Path(__file__).resolve().parent.parent


def parts(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping inside a schema, with its path."""
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from parts(item, f"{path}/{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from parts(item, f"{path}/{number}")


def test_every_schema_is_there():
    assert NAMES == [
        "collectors/arxiv", "collectors/feed", "collectors/github", "collectors/http_json", "collectors/sec_edgar",
        "preset", "stoma", "task", "tasks",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_schema(name):
    written = json.loads(schema_path(name).read_text())
    Draft202012Validator.check_schema(written)
    assert written["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    # The name of the file itself, so that editors find its neighbours from wherever the folder lies.
    assert written["$id"] == schema_path(name).name
    # In one piece, and nothing is left to be looked up.
    assert not [path for path, part in parts(schema(name)) if "$ref" in part]
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_key_has_a_sentence(name):
    described = dict(parts(schema(name)))
    assert schema(name)["description"].endswith(".")
    for path, part in described.items():
        if path.endswith("/properties") and "/if" not in path and "/then" not in path:
            for key, inner in part.items():
                assert inner.get("description", "").endswith("."), f"{name}{path}/{key}"


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_valid(name):
    validator = Draft202012Validator(schema(name))
    examples = 0
    for path, part in parts(schema(name)):
        judge = validator.evolve(schema=part)
        for example in part.get("examples", []) if isinstance(part.get("examples"), list) else []:
            examples += 1
            assert [error.message for error in judge.iter_errors(example)] == [], f"{name}{path}"
        if "default" in part and not path.endswith("/properties"):
            assert judge.is_valid(part["default"]), f"{name}{path}: its default"
    assert examples


def test_every_format_is_known():
    used = {
        part["format"]
        for name in NAMES
        for _, part in parts(schema(name))
        if isinstance(part.get("format"), str)
    }
    assert used == set(FORMATS)


def test_a_pattern_for_editors_agrees_with_the_parser():
    word = schema("task")["properties"]["schedule"]
    assert word["items"].items() >= {"pattern": word["pattern"], "format": word["format"]}.items()
    for text in (
        "hourly",
        "daily",
        "weekly",
        "daily_at_09:00",
        "daily_at_23:59",
        "interval_05m",
        "interval_2h",
        "0 9 * * 1-5",
        "*/15  9-17 1,L\tJAN-MAR MON#2",
    ):
        assert Draft202012Validator(word).is_valid(text)
        FORMATS["stoma-schedule"].check(text)
    wrong = ("daily_at_24:00", "daily_at_9:00", "10:30", "Daily", "interval_2d", "")
    for text in (*wrong, "0 0 9 * * 1", "@daily", "? 9 * * *"):
        assert not Draft202012Validator(word).is_valid(text)
        with pytest.raises(ValueError):
            FORMATS["stoma-schedule"].check(text)


# -- every fault has words -----------------------------------------------------------------------------------

LONG = "x" * 6_000
VALUES = [
    None, True, False, 0, 1, -1, 2**62, 10**20, 0.5, 1e3, -1e300, "", "1", "x", "desc", "\u202e\x1b", LONG,
    "${env:X}", "sqlite:///", [], [1], [None, "x", []], {}, {"x": 1}, {"collector": 1}, {"gap": 1, "rate": 2},
    {"mode": "search"}, {"query": 1}, {"x": {"collector": []}}, {"tasks": {"x": None, "collector": 1}}, {"": None},
]  # fmt: skip
STRANGE = [{1, 2}, b"x", object(), (1, 2), 1j, float("nan"), float("inf")]


def nodes(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every schema inside a schema."""
    yield path, part
    for key, item in part.items() if isinstance(part, dict) else ():
        if key == "properties":
            for name, inner in item.items():
                yield from nodes(inner, f"{path}/{name}")
        elif key in {"additionalProperties", "propertyNames", "items", "not", "if", "then"}:
            yield from nodes(item, f"{path}/{key}")
        elif key in {"allOf", "anyOf"}:
            for number, inner in enumerate(item):
                yield from nodes(inner, f"{path}/{key}/{number}")


@pytest.mark.parametrize("name", NAMES)
def test_no_value_leaves_a_schema_without_words(name):
    asked = 0
    for path, node in nodes(schema(name)):
        judge = Checker(node, FORMATS)
        for value in [*VALUES, *STRANGE]:
            problems = explain(of_values(value), judge.faults(value), FORMATS)
            assert bool(problems) is not judge.accepts(value), f"{path}: {value!r}"
            for problem in problems:
                asked += 1
                assert problem.message.isprintable(), f"{path}: {value!r}"
                assert len(problem.message) < 1_000, f"{path}: {value!r}"
    assert asked > 100


def places(part: Any, inside: Any = None) -> Iterator[Any]:
    """For every place of a schema, how a value comes to stand there in a whole file."""
    inside = inside or (lambda value: value)
    yield inside
    for key, inner in part.get("properties", {}).items():
        yield from places(inner, lambda value, key=key: inside({key: value}))
    if isinstance(part.get("additionalProperties"), dict):
        yield from places(part["additionalProperties"], lambda value: inside({"x": value}))
    if isinstance(part.get("items"), dict):
        yield from places(part["items"], lambda value: inside([value]))


@pytest.mark.parametrize("name", ["stoma", "tasks", "preset"])
def test_no_value_leaves_a_file_without_words(name):
    found = [*places(schema(name))]
    for collector in COLLECTORS:
        for inside in places(schema(f"collectors/{collector}")):
            found.append(
                lambda value, c=collector, i=inside: {"tasks": {"x": {"collector": c, "config": i(value)}}}
            )
    for inside in found:
        for value in VALUES:
            document = parse(json.dumps(inside(value)), "x.yaml")
            if document.readable:
                problems = explain(document, checker(name).faults(document.data), FORMATS)
                assert bool(problems) is not checker(name).accepts(document.data), document.text[:200]


@given(st.sampled_from([node for name in NAMES for _, node in nodes(schema(name))]), st.data())
@settings(max_examples=200, deadline=None)
def test_any_value_has_words(node, data):
    simple = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    keys = st.sampled_from(["tasks", "x", "collector", "config", "gap", "rate", "mode", "query"]) | st.text(
        max_size=3
    )
    tree = st.recursive(
        simple, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
    )
    value = data.draw(tree)
    explain(of_values(value), Checker(node, FORMATS).faults(value), FORMATS)


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ({"enum": [1, True, None]}, "1", 'the file: found the text "1", expected 1 or true'),
        ({"enum": [None]}, 1, "the file: found the number 1, expected nothing"),
        ({"const": False}, 1, "the file: found the number 1, expected false"),
        ({"type": "string", "minLength": 3}, "ab", "the file: found a text of 2 letters, expected at least 3"),
        ({"minItems": 2}, [1], "the file: found 1 entries, expected at least 2"),
        ({"properties": {"a": False}}, {"a": 1}, "a: found the number 1, expected something else"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "the file: found the number 1, expected something else"),
        ({"not": {}}, 1, "the file: found the number 1, expected something else"),
        ({"type": "array", "items": True}, 1, "the file: found the number 1, expected a list"),
        ({"required": ["a"], "properties": {"a": True}}, {}, 'the file has no "a"'),
    ],
)  # fmt: skip
def test_keywords_that_no_shipped_schema_uses_have_words_too(part, value, told):
    (problem,) = explain(of_values(value), Checker(part, FORMATS).faults(value), FORMATS)
    assert problem.message == told


# -- agreement with the program ------------------------------------------------------------------------------


def test_every_collector_has_its_schema():
    assert schema("task")["properties"]["collector"]["anyOf"][0]["enum"] == list(COLLECTORS)
    assert {name.removeprefix("collectors/") for name in NAMES if "/" in name} == set(COLLECTORS)
    chosen = {rule["if"]["properties"]["collector"]["const"] for rule in schema("task")["allOf"]}
    assert chosen == set(COLLECTORS)


def test_defaults_take_the_keys_of_a_task():
    keys = set(schema("task")["properties"])
    assert set(schema("stoma")["properties"]["defaults"]["properties"]) == keys - {
        "name",
        "collector",
        "normalizer",
        "config",
        "schedule",
        "after",
    }


def test_the_defaults_told_are_those_of_the_program():
    task = {key: part.get("default") for key, part in schema("task")["properties"].items()}
    assert task["priority"] == Task.__dataclass_fields__["priority"].default
    assert parse_duration(task["timeout"]) == Task.__dataclass_fields__["timeout"].default
    assert task["catch_up"] == CatchUp().runs
    for key in ("overlap", "run_on_start", "enabled", "keep_cursor"):
        assert task[key] == Task.__dataclass_fields__[key].default
    retry = {
        key: part["default"] for key, part in schema("task")["properties"]["retry"]["properties"].items()
    }
    durations = {key: parse_duration(retry[key]) for key in ("first", "max")}
    assert Retry(**{**retry, **durations}) == Retry()
    least = schema("task")["properties"]["expect"]["properties"]["min_records"]
    assert least.get("default") == Expect().min_records
    assert schema("task")["properties"]["priority"]["enum"] == [str(priority) for priority in TaskPriority]

    top = schema("stoma")["properties"]
    config = Config(Path())
    scheduler = {key: part["default"] for key, part in top["scheduler"]["properties"].items()}
    assert scheduler["max_concurrent_tasks"] == config.max_concurrent_tasks
    assert scheduler["check_interval_seconds"] == config.check_interval.total_seconds()
    assert positive_duration(scheduler["lease"]) == config.lease
    assert top["store"]["properties"]["url"]["default"] == config.store_url
    assert top["store"]["properties"]["synchronous"]["default"] == config.synchronous
    assert top["api"]["properties"]["host"]["default"] == Api().host
    assert top["api"]["properties"]["port"]["default"] == Api().port
    assert top["include"]["default"] == list(config.include)
    assert top["timezone"]["default"] == config.timezone


@pytest.mark.parametrize(("text", "seconds"), [("8/s", 0.125), ("30/m", 2), ("3600/h", 1)])
def test_rates(text, seconds):
    assert parse_rate(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "8", "0/s", "8/d", "8 /s", "-1/s", "1.5/s"])
def test_what_is_no_rate(text):
    with pytest.raises(ValueError, match="is not a rate; expected one such as 8/s, 30/m or 1000/h"):
        parse_rate(text)


# -- what ships with them ------------------------------------------------------------------------------------


def test_the_presets_of_the_mission(tmp_path):
    tasks = {name: load_preset(name, tmp_path) for name in preset_names(tmp_path)}
    assert {name: list(found) for name, found in tasks.items()} == {
        "default": [
            "arxiv_daily_trending", "github_daily_trending", "sec_recent_filings", "arxiv_weekly_comprehensive",
            "github_weekly_comprehensive",
        ],
        "research": ["arxiv_ai", "arxiv_nlp", "arxiv_computer_vision"],
        "business": ["sec_annual_reports", "sec_quarterly_reports", "sec_insider_trading"],
        "development": ["github_python", "github_typescript", "github_rust", "github_go"],
    }  # fmt: skip
    assert tasks["default"]["sec_recent_filings"].schedule_text == "interval_2h"


@pytest.mark.parametrize("name", ["business", "default", "development", "research"])
def test_a_preset_is_described_and_found_by_editors(name):
    path = folder("presets") / f"{name}.yaml"
    assert path.read_text().startswith("# yaml-language-server: $schema=../schemas/preset.schema.json\n")
    document = read(path)
    assert document.data["description"].endswith(".")
    assert checker("preset").accepts(document.data)


def test_the_repositorys_own_stoma_yaml():
    path = REPOSITORY / "stoma.yaml"
    assert path.read_text().startswith("# yaml-language-server: $schema=schemas/stoma.schema.json\n")
    document = read(path)
    assert checker("stoma").accepts(document.data)
    assert document.data["presets"] == ["default"]
    # What is commented out works as well.
    lines = path.read_text().splitlines()
    shown = [
        line.removeprefix("# ")
        for line in lines
        if line.startswith("#   ") or line in {"# tasks:", "# defaults:"}
    ]
    path_text = "\n".join([line for line in lines if not line.startswith("#")] + shown)
    assert checker("stoma").accepts(parse(path_text, "stoma.yaml").data)
