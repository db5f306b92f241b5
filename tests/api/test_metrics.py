"""`/metrics` over real sockets, and what is written about it: page, dashboard and rules name what there is."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from stoma import metrics
from stoma.api.metrics import readings
from stoma.api.server import Server
from stoma.errors import SourceRefused
from stoma.scheduler.base import Retry, Task, at_trigger
from stoma.scheduler.config import load_config
from stoma.scheduler.counting import count_end
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.parts import new_run
from tests.api.test_server import YAML, Client
from tests.support.scripted import Script, install
from tests.support.server import Reply
from tests.support.server import Server as Source
from tests.support.waiting import until
from tests.support.world import World

DOCS = Path(__file__).resolve().parents[2] / "docs"
Found = dict[str, dict[tuple[tuple[str, str], ...], float]]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    # Each test counts from nothing.
    for one in metrics.COUNTED:
        monkeypatch.setattr(
            one, "_counts", {} if one.labels or isinstance(one, metrics.Histogram) else {(): 0}
        )
    for names in (metrics.TASKS, metrics.HOSTS, metrics.COLLECTORS):
        monkeypatch.setattr(names, "_known", {})
    return install(monkeypatch)


@pytest.fixture
def scheduler(script: Script, tmp_path: Path) -> Iterator[Scheduler]:
    (tmp_path / "stoma.yaml").write_text(YAML)
    scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"))
    scheduler.add_task(Task("scripted", "S", "scripted", config={"script": "s"}, retry=Retry(count=0)))
    with scheduler:
        yield scheduler


@pytest.fixture
def client(scheduler: Scheduler) -> Iterator[Client]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield Client(server.port)
    server.stop()


def scrape(client: Client) -> Found:
    status, body, headers = client.ask("GET", "/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found: Found = {}
    for family in text_string_to_metric_families(body):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(found: Found, name: str, **labels: str) -> float:
    return found[name][tuple(sorted(labels.items()))]


def test_what_runs_did_is_counted(client: Client, scheduler: Scheduler, script: Script) -> None:
    first = scheduler.queue(scheduler.config.tasks["scripted"])
    until(lambda: scheduler.store.runs.get(first.id).status.is_final)
    again = scheduler.queue(scheduler.config.tasks["scripted"])
    until(lambda: scheduler.store.runs.get(again.id).status.is_final)

    def refuse(number: int, collection: object) -> None:
        raise SourceRefused("no")

    script.before_page = refuse
    failed = scheduler.queue(scheduler.config.tasks["scripted"])
    until(lambda: scheduler.store.runs.get(failed.id).status.is_final)
    until(lambda: not scheduler.runner.working)
    scheduler.board.forget()
    found = scrape(client)
    assert value(found, "stoma_runs_total", task="scripted", status="completed") == 2
    assert value(found, "stoma_runs_total", task="scripted", status="failed") == 1
    assert value(found, "stoma_attempts_total", status="failed") == 1
    assert value(found, "stoma_records_total", task="scripted", outcome="new") == 30
    assert value(found, "stoma_records_total", task="scripted", outcome="unchanged") == 30
    assert value(found, "stoma_run_duration_seconds_count", collector="scripted") == 3
    assert value(found, "stoma_task_failing", task="scripted", status="failed") == 1
    assert value(found, "stoma_tasks", state="on") == 2
    assert value(found, "stoma_tasks", state="blocked") == 1
    assert value(found, "stoma_stored_records", kind="entry") == 30
    assert value(found, "stoma_queue_runs", status="pending") == 0
    assert value(found, "stoma_store_up") == 1
    assert value(found, "stoma_tick_age_seconds") < 5
    assert value(found, "stoma_tick_seconds_count") > 1
    assert value(found, "stoma_last_completed_timestamp_seconds") == pytest.approx(time.time(), abs=60)
    assert value(found, "stoma_store_seconds_count", operation="write") > 5


def test_a_run_that_is_tried_again_is_not_over(scheduler: Scheduler) -> None:
    run = scheduler.queue(scheduler.config.tasks["scripted"])
    count_end(run)
    assert metrics.RUNS.values().get(("scripted", "pending")) is None
    assert metrics.ATTEMPTS.values()[("pending",)] == 1


def test_rejected_items_are_counted(client: Client, scheduler: Scheduler, script: Script) -> None:
    items = script.items
    script.items = lambda number: [*items(number), {"n": 1000 + number, "bad": True}]  # type: ignore[method-assign]
    run = scheduler.queue(scheduler.config.tasks["scripted"])
    until(lambda: scheduler.store.runs.get(run.id).status.is_final)
    found = scrape(client)
    assert value(found, "stoma_records_total", task="scripted", outcome="rejected") == 3
    assert value(found, "stoma_records_total", task="scripted", outcome="new") == 30


def test_how_late_a_scheduled_run_began(scheduler: Scheduler) -> None:
    task = scheduler.config.tasks["scripted"]
    now = scheduler.store.now()
    due = now - timedelta(seconds=40)
    run = scheduler.store.runs.add(new_run(task, at_trigger(due), scheduled_for=due), now)
    until(lambda: scheduler.store.runs.get(run.id).status.is_final)
    counts = metrics.LATENESS.values()[("normal",)]
    assert counts[metrics.LATE.index(60.0)] == 1
    assert 40 <= counts[-1] < 60


def test_requests_are_counted_by_host_and_class(script: Script) -> None:
    answers = iter([Reply(), Reply(304), Reply(404), Reply(500), Reply(drop=True)])
    world = World()
    with Source(lambda request: next(answers)) as source:
        for _ in range(5):
            try:
                world.client(asks=1).get(
                    source.url, parse=lambda response: None, unchanged=lambda count: None
                )
            except Exception as error:
                assert not isinstance(error, AssertionError)  # noqa: PT017 — what is asked here fails on purpose
    found = {status: count for (host, status), count in metrics.REQUESTS.values().items()}
    assert found == {"2xx": 1, "3xx": 1, "4xx": 1, "5xx": 1, "none": 1}


def test_a_broken_file_is_told_with_its_age(client: Client, scheduler: Scheduler, tmp_path: Path) -> None:
    found = scrape(client)
    assert value(found, "stoma_config_errors") == value(found, "stoma_config_broken_seconds") == 0
    (tmp_path / "stoma.yaml").write_text(YAML.replace("schedule: daily\n", "shedule: daily\n"))
    scheduler.rescan()
    until(lambda: scheduler.broken_seconds > 0.05)
    scheduler.rescan()
    found = scrape(client)
    assert value(found, "stoma_config_errors") == 1
    assert value(found, "stoma_config_broken_seconds") > 0.05
    assert value(found, "stoma_config_generation") == 1
    (tmp_path / "stoma.yaml").write_text(YAML)
    scheduler.rescan()
    assert value(scrape(client), "stoma_config_broken_seconds") == 0


def test_a_dead_store_leaves_what_the_process_knows(client: Client, scheduler: Scheduler) -> None:
    scheduler.store.database.close()
    scheduler.board.forget()
    found = scrape(client)
    assert value(found, "stoma_store_up") == 0
    assert "stoma_queue_runs" not in found
    assert value(found, "stoma_run_slots") == 3
    assert "process_cpu_seconds_total" in found
    until(lambda: value(scrape(client), "stoma_store_errors_total") > 0)


def test_metrics_need_a_token_and_health_does_not(scheduler: Scheduler) -> None:
    server = Server(scheduler, "127.0.0.1", 0, ["a-token"])
    server.start()
    try:
        client = Client(server.port)
        assert client.ask("GET", "/metrics")[0] == 401
        assert client.ask("GET", "/metrics", Authorization="Bearer a-token")[0] == 200
        for path in ("/health", "/health/live", "/health/ready"):
            assert client.ask("GET", path)[0] == 200
    finally:
        server.stop()


def test_openmetrics_is_told_to_who_asks_for_it(client: Client) -> None:
    status, body, headers = client.ask(
        "GET", "/metrics", Accept="application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1"
    )
    assert (status, headers["content-type"].split(";")[0]) == (200, "application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_many_tasks_are_told_quickly(script: Script, tmp_path: Path) -> None:
    """A bound that only a mistake passes: alone it takes a tenth of it."""
    one = "{collector: arxiv, config: {search_query: all}, schedule: daily}"
    lines = "".join(f"  t{number}: {one}\n" for number in range(1_000))
    (tmp_path / "stoma.yaml").write_text(f"version: 1\npresets: []\ntasks:\n{lines}")
    scheduler = Scheduler(load_config(tmp_path / "stoma.yaml"))
    for number in range(1_200):
        metrics.RUNS.add(f"bench{number}", "completed")
        metrics.RECORDS.add(f"bench{number}", "new")
    readings(scheduler)
    began = time.perf_counter()
    text, _ = metrics.text(readings(scheduler))
    took = time.perf_counter() - began
    scheduler.store.close()
    # A thousand names and one for the rest, whatever was counted before.
    assert text.count(b"stoma_runs_total{") <= metrics.MOST_TASKS + 1
    assert took < 1.0


# -- what is written about it ------------------------------------------------------------------------------------------

FUNCTIONS = {
    "sum", "max", "min", "count", "by", "rate", "increase", "changes", "histogram_quantile", "time", "topk", "absent",
    "vector", "or",
}  # fmt: skip


@pytest.fixture
def known(scheduler: Scheduler) -> dict[str, set[str]]:
    """The labels of each metric that there is, histograms with the names of their parts."""
    run = scheduler.queue(scheduler.config.tasks["scripted"])
    until(lambda: scheduler.store.runs.get(run.id).status.is_final)
    found: dict[str, set[str]] = {}
    for one in metrics.COUNTED:
        if isinstance(one, metrics.Histogram):
            found |= {f"{one.name}_{part}": {*one.labels} for part in ("count", "sum")}
            found[f"{one.name}_bucket"] = {*one.labels, "le"}
        else:
            found[f"{one.name}_total"] = {*one.labels}
    for reading in readings(scheduler):
        found[reading.name + ("_info" if reading.kind == "info" else "")] = {*reading.labels}
    text, _ = metrics.text()
    for family in text_string_to_metric_families(text.decode()):
        if family.name.startswith("process_"):
            found[family.samples[0].name] = set()
    return found


def faults(expression: str, known: dict[str, set[str]]) -> list[str]:
    """What is wrong with a query, as far as can be told without Prometheus: brackets, names, labels."""
    found = []
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    for opening, closing in ("()", "{}", "[]"):
        if bare.count(opening) != bare.count(closing):
            found.append(f"{opening} without {closing}")
    used: set[str] = set()
    for name, braces in re.findall(r"\b((?:stoma|process)_\w+)(\{[^}]*\})?", bare):
        if name not in known:
            found.append(f"there is no {name}")
            continue
        used |= known[name]
        matched = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces))
        if wrong := matched - known[name] - {"instance", "job"}:
            found.append(f"{name} has no label {wrong}")
    for labels in re.findall(r"\bby\s*\(([^)]*)\)", bare):
        if wrong := {label.strip() for label in labels.split(",")} - used - {"instance", "job"}:
            found.append(f"no metric has the label {wrong}")
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\bby\s*\([^)]*\)", "", bare)
    words = set(re.findall(r"\b[a-z]\w*", rest)) - FUNCTIONS - known.keys()
    return found + [f"unknown word {word}" for word in sorted(words) if word not in ("e9",)]


def test_the_check_of_queries_finds_faults(known: dict[str, set[str]]) -> None:
    assert faults('sum by (task) (rate(stoma_runs_total{status="failed"}[5m]))', known) == []
    assert faults("rate(stoma_runs[5m])", known) != []
    assert faults("sum by (host) (stoma_runs_total)", known) != []
    assert faults('stoma_runs_total{host="x"}', known) != []
    assert faults("sum(stoma_runs_total", known) != []
    assert faults("rat(stoma_runs_total[5m])", known) != []


def test_the_dashboard_asks_for_what_there_is(known: dict[str, set[str]]) -> None:
    dashboard = json.loads((DOCS / "grafana" / "stoma.json").read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    queries += [note["expr"] for note in dashboard["annotations"]["list"]]
    assert len(queries) > 30
    assert {query: wrong for query in queries if (wrong := faults(query, known))} == {}
    # It can be brought in anywhere: whose data it shows is chosen there.
    assert {json.dumps(panel["datasource"]) for panel in panels} == {
        json.dumps({"type": "prometheus", "uid": "${source}"})
    }
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    for x, y, w, h in places:
        assert x + w <= 24
        assert not any(
            (x, y) != (a, b) and x < a + c and a < x + w and y < b + d and b < y + h for a, b, c, d in places
        )


def test_the_rules_ask_for_what_there_is(known: dict[str, set[str]]) -> None:
    [group] = yaml.safe_load((DOCS / "alerts.rules.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]:
        assert faults(rule["expr"], known) == [], rule["alert"]
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        for label in re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])):
            assert label in rule["expr"] or label == "instance", rule["alert"]
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"]) >= 12


def test_the_page_names_every_metric(known: dict[str, set[str]]) -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    told: dict[str, set[str]] = {}
    for names, labels in re.findall(r"^\| (`[a-z].*?) \| ([a-z, ]*?) ?\| ", page, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            told[name] = {label.strip() for label in labels.split(",") if label.strip()}
    there = {re.sub(r"_(count|sum|bucket)$", "", name): labels - {"le"} for name, labels in known.items()}
    assert told == there
    numbers = {
        "1,000 tasks": metrics.MOST_TASKS,
        "200 hosts": metrics.MOST_HOSTS,
        "50 collectors": metrics.MOST_COLLECTORS,
    }
    for words, number in numbers.items():
        assert words in page
        assert words.startswith(f"{number:,} ")
