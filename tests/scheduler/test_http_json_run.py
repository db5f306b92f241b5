"""Runs of declared sources through the whole road, on both databases, and what docs/sources.md shows of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stoma.errors import ConfigError
from stoma.normalizers.http_json import HttpJsonNormalizer
from stoma.scheduler.base import NewRun, Run, Task, TaskStatus, hand_trigger
from stoma.scheduler.config import create_custom_task, load_config
from stoma.scheduler.pipeline import Control, Surroundings, execute
from stoma.stores import Store
from tests.support.api import BEGAN, Api, items, reply, status, text
from tests.support.clock import Clock
from tests.support.pages import DOCS

CURSOR = {"field": "updated_at", "param": "since", "until_param": "until"}
PAGE = {"page": {"size_param": "size", "size": 100}}


@pytest.fixture
def api(clock: Clock) -> Iterator[Api]:
    clock.now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    api = Api(items(250))
    yield api
    api.close()


@pytest.fixture
def go(store: Store, tmp_path: Path, api: Api) -> Any:
    around = Surroundings(store, tmp_path, timedelta(minutes=5), "me")

    def go(name: str = "t", way: str = "page", **config: Any) -> Run:
        given = {"url": f"{api.url}/{way}", "items": "items", "paging": PAGE, **config}
        task = Task(name, "T", "http_json", config=given)
        if not store.runs.open_of(name):
            store.runs.add(NewRun(name, hand_trigger(), task.priority, "0"), store.now())
        claimed = store.runs.claim("me", store.now(), store.now() + timedelta(minutes=5))
        assert claimed is not None
        ended = execute(claimed, task, around, Control())
        assert ended is not None
        return ended

    return go


def cursor_of(store: Store, task_id: str = "t") -> Any:
    row = store.runs.standing(task_id, "live").cursor
    return row and row["position"]


def test_run_after_run_asks_for_what_is_new(store: Store, go: Any, api: Api) -> None:
    first = go(cursor=CURSOR)
    assert (first.status, first.seen, first.new, first.pages) == (TaskStatus.COMPLETED, 250, 250, 3)
    newest = text(BEGAN + timedelta(hours=249))
    assert cursor_of(store) == {"newest": newest}
    api.items += items(5, first=250)
    second = go(cursor=CURSOR)
    assert (second.seen, second.new, second.unchanged) == (6, 5, 1)
    assert api.asked[-1]["since"] == newest
    assert store.records.count() == 255


def test_a_run_that_fails_keeps_its_pages_and_leaves_the_cursor(store: Store, go: Any, api: Api) -> None:
    go(cursor=CURSOR)
    before = cursor_of(store)
    api.items += items(300, first=250)
    api.faults = {len(api.requests) + 3: status(400, "no")}
    failed = go(cursor=CURSOR)
    assert (failed.status, failed.seen, cursor_of(store)) == (TaskStatus.FAILED, 200, before)
    # The next one goes on in the same window, one page before.
    asked = len(api.requests)
    third = go(cursor=CURSOR)
    assert (third.status, third.seen) == (TaskStatus.COMPLETED, 201)
    assert [one["page"] for one in api.asked[asked:]] == ["2", "3", "4"]
    assert cursor_of(store) == {"newest": text(BEGAN + timedelta(hours=549))}
    assert store.records.count() == 550


def test_an_edit_of_what_is_collected_begins_anew_and_others_do_not(store: Store, go: Any, api: Api) -> None:
    go(cursor=CURSOR)
    kept = go(
        cursor={**CURSOR, "look_back": "1h"}, fields={"title": "title"}, paging={**PAGE, "max_pages": 9}
    )
    assert kept.seen == 2
    anew = go(cursor=CURSOR, key="url")
    assert (anew.seen, anew.new) == (250, 250)


def test_an_unchanged_answer_is_not_sent_again(store: Store, go: Any, api: Api) -> None:
    def answer(asked: Any, true: Any) -> Any:
        if asked.headers.get("if-none-match") == '"1"':
            return reply(None, 304, {"ETag": '"1"'})
        return reply(items(3), headers={"ETag": '"1"'})

    api.faults = dict.fromkeys(range(1, 9), answer)
    config = {"way": "list", "items": "@", "paging": None}
    assert (go(**config).seen, go(**config).unchanged) == (3, 3)
    assert [one.headers.get("if-none-match") for one in api.requests] == [None, '"1"']


def test_rejects_say_why_and_one_page_goes_on(store: Store, go: Any, api: Api) -> None:
    api.items = [{"id": 1}, {"name": "no key"}, "word", {"id": 2, "n": 10**30}]
    run = go(paging=None, items="items")
    assert (run.status, run.seen, run.new, run.rejected) == (TaskStatus.COMPLETED, 4, 3, 1)
    [row] = store.records.rejects("t")
    assert row["reason"].startswith("it has no id")
    assert row["item"] == {"item": {"name": "no key"}}


def test_no_secret_reaches_a_table(store: Store, go: Any, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hush-hush/1")
    api.faults = {3: status(403, "the key hush-hush/1 is blocked")}
    run = go(
        way="next",
        paging={"next_url": "links.next"},
        auth={"query": {"name": "k", "value": "${env:API_KEY}"}},
    )
    assert run.status is TaskStatus.FAILED
    assert api.asked[1]["k"] == "hush-hush/1"
    assert "hush-hush" not in (run.error or "")
    assert "${env:API_KEY}" in (run.error or "")
    progress = str(store.runs.standing("t", "live").progress)
    assert "cursor=200" in progress
    assert "hush" not in progress


# -- what is written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("items: a[", 'config.items: "a[" is not a path: it breaks off at its end'),
        ("fields: {title: {path: $.t}}", 'config.fields.title.path: "$.t" is not a path'),
        ("fields: {x-y: 'content-type'}", "config.fields.x-y: \"content-type\" is not a path"),
        ("fields: {title: {cast: int}}", 'needs "path" or "default"'),
        ("fields: {title: {path: a, cast: integer}}", 'str, bool, date or list; did you mean "int"?'),
        ("key: [id, a..b]", '"a..b" is not a path'),
        ("measures: {stars: lenght(x)}", 'there is no function lenght(); did you mean "length"?'),
        ("paging: next_url", 'paging: "next_url" is not enough; write link_header, page or offset, or a mapping'),
        ("paging: {page: {}, offset: {}}", "config.paging: found page and offset, expected one of them"),
        ("paging: {total: n}", 'needs "link_header", "next_url", "cursor", "page" or "offset"'),
        ("paging: {page: {size_param: n}}", 'has no "size"'),
        ("paging: {cursor: {path: a}}", 'has no "param"'),
        ("paging: {link_header: false}", "expected true"),
        ("auth: {bearer: plain}", "a credential is written as a reference such as ${env:API_TOKEN}"),
        ("auth: {bearer: '${env:A}', basic: {user: a, password: '${env:B}'}}", "found bearer and basic, expected one"),
        ("auth: {}", "config.auth: found nothing, expected one of bearer"),
        ("headers: {Host: x}", 'the header "Host" is none that a task can set'),
        ("headers: {X-N: 5}", "found the number 5, expected text; put quotes around it"),
        ("body: {a: 1}\n      method: GET", "found the text \"GET\", expected POST"),
        ("cursor: {field: a}", 'has no "param"'),
        ("cursor: {field: a, param: b, format: ISO}", '"ISO" is not a form of a date'),
        ("cursor: {field: a, param: b, look_back: 1y}", "look_back"),
        ("source: arxiv", "is not that of another collector"),
        ("item: a", 'unknown key "item" in config of task "x"; did you mean "items"?'),
        ("method: DELETE", "expected GET or POST"),
    ],
)  # fmt: skip
def test_faults_are_found_before_anything_runs(tmp_path: Path, config: str, told: str) -> None:
    (tmp_path / "stoma.yaml").write_text(
        f"version: 1\ntasks:\n  x:\n    collector: http_json\n    config:\n      url: https://a.org\n      {config}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    problems = caught.value.problems
    assert any(told in f"{problem.message} {problem.hint}" for problem in problems), problems
    assert all(problem.line in (5, 6, 7, 8) for problem in problems)
    assert not any("plain" in str(problem) for problem in problems if "bearer" in config)


def test_short_forms_say_enough() -> None:
    for config in (
        {"paging": "link_header"},
        {"paging": {"page": None}},
        {"items": "data.items", "fields": {"title": "full_name", "url": "html_url"}},
        {"body": {}, "params": {"a": [1, "b", True]}},
        {"auth": {"header": {"name": "Authorization", "value": "Token ${env:T}"}}},
    ):
        create_custom_task("a", "A", "http_json", {"url": "https://a.org", **config})


def test_what_the_page_shows_can_be_used(tmp_path: Path) -> None:
    page = (DOCS / "sources.md").read_text(encoding="utf-8")
    section = page.split("\n## http_json\n")[1].split("\n## ")[0]
    shown = re.findall(r"^```yaml\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(shown) == 3
    ways: set[str] = set()
    for number, block in enumerate(shown):
        (tmp_path / f"{number}.yaml").write_text("version: 1\n" + block)
        for task in load_config(tmp_path / f"{number}.yaml").tasks.values():
            paging = task.config["paging"]
            ways |= {paging} if isinstance(paging, str) else paging.keys()
            HttpJsonNormalizer(task.config)
    assert ways >= {"link_header", "offset", "cursor"}


def test_the_page_shows_every_key_and_no_other() -> None:
    from stoma.documents import schema

    section = (DOCS / "sources.md").read_text(encoding="utf-8").split("\n## http_json\n")[1].split("\n## ")[0]
    for key in schema("collectors/http_json")["properties"]:
        assert re.search(rf"\b{key}\b", section), key


# -- what would lose data in silence --------------------------------------------------------------------------


def test_a_quiet_run_that_asked_for_what_is_new_is_a_good_one(store: Store, go: Any, api: Api) -> None:
    assert go(cursor=CURSOR).seen == 250
    at = cursor_of(store)
    api.items = []
    quiet = go(cursor=CURSOR)
    assert (quiet.status, quiet.seen, quiet.reason) == (TaskStatus.COMPLETED, 0, None)
    assert cursor_of(store) == at
    # Where nothing was sent, nothing is little.
    go("other", way="list", items="@", paging=None)
    api.items = items(3)
    assert go("other", way="list", items="@", paging=None).status is TaskStatus.COMPLETED
    api.items = []
    assert go("other", way="list", items="@", paging=None).status is TaskStatus.SUSPECT


def test_what_is_odd_about_a_run_stands_beside_it(store: Store, go: Any, api: Api) -> None:
    api.most = 100
    run = go(way="list", items="@", paging="link_header", params={"limit": 250})
    assert run.status is TaskStatus.COMPLETED
    assert run.reason is not None
    assert "is the only page, for no Link header came with it; it has exactly 250 items" in run.reason
    assert go(way="link", paging="link_header").reason is None


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"key": "kind"}, "every one of 250 items was rejected"),
        ({"fields": {"title": "titel"}}, 'did you mean "title"?'),
        ({"cursor": {"field": "updated", "param": "since"}}, 'did you mean "updated_at"?'),
    ],
)
def test_a_declaration_that_collects_nothing_of_use_does_not_complete(
    go: Any, config: Any, words: str
) -> None:
    run = go(**config)
    assert run.status in (TaskStatus.FAILED, TaskStatus.SUSPECT)
    assert words in f"{run.error} {run.reason}"


def test_items_that_share_a_key_fail_the_run_and_nothing_is_stored(store: Store, go: Any, api: Api) -> None:
    for item in api.items:
        item["station"] = "x"
    run = go(key="station")
    assert run.status is TaskStatus.FAILED
    assert "key: station is no key" in (run.error or "")
    assert store.records.count() == 0


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('cursor: {field: a, param: b, format: "%Q"}', '"%Q" is no code of strftime'),
        ("cursor: {field: id, param: s, format: int, look_back: 1d}", "format: int is no date, and look_back counts"),
        ("items: {column: hourly}", 'unknown key "column"'),
        ("items: {columns: a..b}", '"a..b" is not a path'),
        ("wait: $.backoff", "is not a path"),
        ("lines: 1", "expected true or false"),
    ],
)  # fmt: skip
def test_faults_of_the_rarer_keys(tmp_path: Path, config: str, told: str) -> None:
    test_faults_are_found_before_anything_runs(tmp_path, config, told)


def test_the_rarer_keys_can_be_written() -> None:
    cursor = {"field": "id", "param": "since_id", "format": "int"}
    for config in ({"items": {"columns": "hourly"}}, {"lines": True, "wait": "backoff"}, {"cursor": cursor}):
        create_custom_task("a", "A", "http_json", {"url": "https://a.org", **config})
