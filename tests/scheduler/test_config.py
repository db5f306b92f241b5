"""From the files people write to one Config, and the words in which faults are told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stoma import collectors
from stoma.collectors.base import BaseCollector
from stoma.errors import ConfigError, NotFound, Problem
from stoma.hosts import HostRule
from stoma.scheduler.base import CatchUp, Dependency, Expect, Retry, Schedule, TaskPriority
from stoma.scheduler.config import (
    Config,
    base_of,
    blocked_reason,
    create_custom_task,
    load_config,
    load_preset,
    nearest_task,
    schedule_hash,
    task_hash,
)
from stoma.scheduler.files import covers, included

TASK = "{collector: arxiv, config: {search_query: x}, schedule: daily}"


def write(base: Path, **files: str) -> Path:
    """Files by name: `__` stands for a folder, each ends in .yaml."""
    for name, text in files.items():
        path = base / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return base


def load(base: Path, **files: str) -> Config:
    return load_config(base=write(base, **files))


def faults(base: Path, **files: str) -> list[str]:
    """Each fault as `file:line:column: message`."""
    write(base, **files)
    with pytest.raises(ConfigError) as caught:
        load_config(base=base)
    return [f"{problem.place}: {problem.message}" for problem in caught.value.problems]


# -- what comes out ------------------------------------------------------------------------------------------


def test_a_whole_configuration(tmp_path):
    config = load(
        tmp_path,
        stoma="""\
            version: 1
            timezone: Europe/Berlin
            scheduler: {max_concurrent_tasks: 5, check_interval_seconds: 0.5, lease: 1m}
            store: {url: "${env:STOMA_STORE_URL}", synchronous: full}
            api: {host: 0.0.0.0, port: 9000, hosts: [stoma.example.org], tokens: ["${env:T1}", "${file:t2}"]}
            hosts: {api.example.org: {gap: 2s}}
            identity: {contact: "${env:STOMA_CONTACT}"}
            defaults: {timeout: 5m, retry: {count: 1, jitter: 0}, catch_up: none, priority: low}
            tasks:
              papers:
                name: Papers
                collector: arxiv
                config: {search_query: "cat:cs.LG", max_results: 50, base_url: "${env:MIRROR}"}
                schedule: [daily_at_09:00, interval_2h]
                retry: {first: 10s}
                catch_up: {max_lateness: 1h}
                expect: {min_records: 3}
                priority: high
            """,
    )
    assert (config.path, config.base, config.built_in) == (tmp_path / "stoma.yaml", tmp_path, False)
    assert (config.max_concurrent_tasks, config.check_interval, config.lease) == (
        5, timedelta(seconds=0.5), timedelta(minutes=1),
    )  # fmt: skip
    assert (config.store_url, config.synchronous) == ("${env:STOMA_STORE_URL}", "full")
    assert (config.api.host, config.api.port, config.api.hosts) == ("0.0.0.0", 9000, ("stoma.example.org",))
    assert config.api.tokens == ("${env:T1}", "${file:t2}")
    assert config.hosts == {"api.example.org": HostRule(timedelta(seconds=2), 2)}
    assert config.contact == "${env:STOMA_CONTACT}"
    assert config.presets == ()

    task = config.tasks["papers"]
    assert task.name == "Papers"
    assert task.config == {"search_query": "cat:cs.LG", "max_results": 50, "base_url": "${env:MIRROR}"}
    assert task.schedule_text == "daily_at_09:00, interval_2h"
    assert task.timezone == "Europe/Berlin"
    assert task.priority is TaskPriority.HIGH
    assert task.timeout == timedelta(minutes=5)
    # Defaults and the task's own keys meet key by key.
    assert task.retry == Retry(count=1, jitter=0, first=timedelta(seconds=10))
    assert task.catch_up == CatchUp("none", timedelta(hours=1))
    assert task.expect == Expect(3)
    assert task.origin == "stoma.yaml:10"


def test_what_is_not_written_has_a_default(tmp_path):
    config = load(tmp_path, stoma="tasks: {a: {collector: github}}")
    task = config.tasks["a"]
    assert (task.name, task.config, task.schedule, task.timezone) == ("a", {}, (), "UTC")
    assert config == replace(Config(tmp_path), path=config.path, tasks=config.tasks, files=config.files)


def test_sections_without_anything_in_them(tmp_path):
    text = "\n".join(
        f"{key}:"
        for key in ("scheduler", "store", "api", "presets", "hosts", "identity", "defaults", "tasks")
    )
    assert load(tmp_path, stoma=text).tasks == {}


def test_tasks_come_from_stoma_yaml_then_includes_then_presets(tmp_path):
    config = load(
        tmp_path,
        stoma=f"presets: [mine]\ntasks: {{z: {TASK}}}",
        tasks__b=f"tasks: {{b: {TASK}}}\npresets: [research, mine]",
        tasks__a=f"tasks: {{a: {TASK}}}",
        presets__mine=f"tasks: {{m: {TASK}}}",
    )
    assert list(config.tasks) == ["z", "a", "b", "m", "arxiv_ai", "arxiv_nlp", "arxiv_computer_vision"]
    assert config.presets == ("mine", "research")
    assert config.preset_tasks["mine"] == ("m",)
    assert config.tasks["b"].origin == "tasks/b.yaml:1"
    assert config.tasks["m"].origin == "presets/mine.yaml:1"
    assert config.tasks["arxiv_ai"].origin.endswith("presets/research.yaml:6")


def test_defaults_hold_for_presets_too(tmp_path):
    config = load(tmp_path, stoma="timezone: Asia/Tokyo\npresets: [business]\ndefaults: {timeout: 7m}")
    assert config.tasks["sec_insider_trading"].timezone == "Asia/Tokyo"
    assert config.tasks["sec_annual_reports"].timezone == "America/New_York"
    assert config.tasks["sec_annual_reports"].timeout == timedelta(minutes=7)
    # What a preset says itself counts more.
    assert config.tasks["sec_insider_trading"].timeout == timedelta(hours=1)


def test_include(tmp_path):
    config = load(
        tmp_path,
        stoma="include: ['more/**/*.yaml', one.yaml, '*.yaml']",
        one=f"tasks: {{one: {TASK}}}",
        more__a__b=f"tasks: {{b: {TASK}}}",
        more__c=f"tasks: {{c: {TASK}}}",
        tasks__d="tasks: {d: not even read}",
    )
    assert sorted(config.tasks) == ["b", "c", "one"]


def test_hidden_files_are_left_out(tmp_path):
    write(tmp_path, **{"tasks__.draft": "nonsense: ["})
    (tmp_path / "tasks" / ".#lock.yaml").symlink_to("somebody@somewhere")
    assert load_config(base=tmp_path).tasks


def test_a_folder_with_brackets_in_its_name(tmp_path):
    base = tmp_path / "[a-z] *"
    base.mkdir()
    write(base, stoma="version: 1", tasks__a=f"tasks: {{a: {TASK}}}")
    assert list(load_config(base=base).tasks) == ["a"]


def test_without_stoma_yaml_the_built_in_preset_stands_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config()
    assert (config.path, config.base, config.built_in) == (None, tmp_path, True)
    assert config.presets == ("default",)
    assert "arxiv_daily_trending" in config.tasks
    assert config.contact == "${env:STOMA_CONTACT}"
    # Files in tasks/ and further presets count all the same.
    write(tmp_path, tasks__a=f"tasks: {{a: {TASK}}}")
    more = load_config(presets=["research"])
    assert more.presets == ("default", "research")
    assert "a" in more.tasks


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "other.yaml")
    assert str(caught.value) == f"{tmp_path}/other.yaml: there is no such file"


def test_a_named_file_that_cannot_be_read_is_called_as_it_was_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name, message in (
        ("no/such/my.yaml", "there is no such file"),
        ("folder", "is a folder; a file is expected"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_config(Path(name))
        (problem,) = caught.value.problems
        assert (problem.place, problem.message) == (name, message)
        assert problem.hint == f"looked for at {tmp_path / name}"


def test_relative_paths_count_from_the_named_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, sub__my=f"tasks: {{a: {TASK}}}", sub__tasks__b=f"tasks: {{b: {TASK}}}")
    config = load_config(Path("sub/my.yaml"))
    assert config.base == tmp_path / "sub" == base_of(Path("sub/my.yaml"))
    assert list(config.tasks) == ["a", "b"]
    assert base_of(None) == tmp_path


def test_presets_of_the_caller_are_added(tmp_path):
    write(tmp_path, stoma="presets: [research]")
    assert load_config(base=tmp_path, presets=["development", "research"]).presets == (
        "research",
        "development",
    )
    with pytest.raises(NotFound, match='unknown preset "reserch"; did you mean "research"'):
        load_config(base=tmp_path, presets=["reserch"])


def test_one_preset_alone(tmp_path):
    assert list(load_preset("research", tmp_path)) == ["arxiv_ai", "arxiv_nlp", "arxiv_computer_vision"]
    with pytest.raises(NotFound):
        load_preset("../research", tmp_path)
    write(tmp_path, presets__mine="tasks: {A: 3}")
    with pytest.raises(ConfigError):
        load_preset("mine", tmp_path)


def test_budgets_of_hosts_keep_what_is_not_written(tmp_path):
    config = load(
        tmp_path,
        stoma="""\
            hosts:
              export.arxiv.org: {gap: 5s}
              www.sec.gov: {rate: 4/s}
              API.example.org.: {concurrency: 1}
              127.0.0.1: {concurrency: 4}
              "[::1]": {gap: 1s}
              "*": {rate: 30/m}
            """,
    )
    assert config.hosts == {
        "*": HostRule(timedelta(seconds=2), 2),
        "export.arxiv.org": HostRule(timedelta(seconds=5), 1),
        "www.sec.gov": HostRule(timedelta(seconds=0.25), None),
        "api.example.org": HostRule(timedelta(seconds=2), 1),
        "127.0.0.1": HostRule(timedelta(0), 4),
        "::1": HostRule(timedelta(seconds=1), None),
    }


# -- hashes --------------------------------------------------------------------------------------------------


def test_the_hash_of_a_task_is_that_of_what_it_does(tmp_path):
    one = load(tmp_path / "1", stoma=f"tasks: {{a: {TASK}}}").tasks["a"]
    other = load(
        tmp_path / "2",
        stoma="version: 1",
        tasks__x="tasks:\n\n  a:\n    schedule: [daily]\n    config: {search_query: x}\n    collector: arxiv\n",
    ).tasks["a"]
    assert one.origin != other.origin
    assert task_hash(one) == task_hash(other)
    assert len(task_hash(one)) == 16
    for change in (
        {"config": {"search_query": "y"}},
        {"schedule": (Schedule("hourly"),)},
        {"enabled": False},
        {"id": "b"},
    ):
        assert task_hash(replace(one, **change)) != task_hash(one)


def test_the_hash_of_a_schedule_is_that_of_when():
    task = create_custom_task("a", "A", "github", {}, "daily")
    assert schedule_hash(task) == schedule_hash(replace(task, priority=TaskPriority.LOW))
    assert schedule_hash(task) != schedule_hash(replace(task, timezone="Europe/Berlin"))
    assert schedule_hash(task) != schedule_hash(replace(task, schedule=(Schedule("hourly"),)))
    one = Schedule("daily", "UTC", timedelta(minutes=1), ("weekends",), "2026-01-01", "2026-12-31")
    changed = [
        replace(one, pattern="hourly"), replace(one, timezone=None), replace(one, jitter=timedelta(0)),
        replace(one, skip=()), replace(one, start="2026-01-02"), replace(one, until=None),
    ]  # fmt: skip
    ways = [(one,), (one, one), *((schedule,) for schedule in changed)]
    assert len({schedule_hash(replace(task, schedule=way)) for way in ways}) == len(ways)


def test_the_hash_of_a_configuration_does_not_depend_on_its_place(tmp_path):
    text = f"presets: [default]\ntasks: {{a: {TASK}}}"
    assert load(tmp_path / "1", stoma=text).hash == load(tmp_path / "2", stoma="# mine\n" + text).hash
    assert load(tmp_path / "3", stoma=text + "\ntimezone: Asia/Tokyo").hash != load(tmp_path / "1").hash
    assert load(tmp_path / "4", stoma=text + "\nscheduler: {lease: 1m}").hash != load(tmp_path / "1").hash


def test_a_rescan_sees_what_changed(tmp_path):
    config = load(tmp_path, stoma="presets: [default]", tasks__a=f"tasks: {{a: {TASK}}}")
    assert config.files_signature() == config.files
    write(tmp_path, tasks__b=f"tasks: {{b: {TASK}}}")
    assert config.files_signature() != config.files

    config = load_config(base=tmp_path)
    (tmp_path / "tasks" / "b.yaml").write_text(
        f"tasks: {{c: {TASK}}}"
    )  # as long as before, in the same instant
    assert config.files_signature() != config.files
    (tmp_path / "tasks" / "b.yaml").write_text(f"tasks: {{b: {TASK}}}")
    assert config.files_signature() == config.files

    (tmp_path / "tasks" / "a.yaml").unlink()
    assert config.files_signature() != config.files
    write(tmp_path, tasks__a=f"tasks: {{a: {TASK}}}", presets__default=f"tasks: {{d: {TASK}}}")
    assert config.files_signature() != config.files  # another file stands for the preset now
    (tmp_path / "stoma.yaml").unlink()
    assert "unreadable" in config.files_signature()[str(tmp_path / "stoma.yaml")]


def test_a_stoma_yaml_that_appears_is_seen(tmp_path):
    config = load_config(base=tmp_path)
    assert config.files_signature() == config.files
    write(tmp_path, stoma="version: 1")
    assert config.files_signature() != config.files


# -- faults --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("shedule: daily", '4:5: unknown key "shedule" in task "x"; did you mean "schedule"?'),
        ("zzz: 1", '4:5: unknown key "zzz" in task "x"'),
        ("search_query: x", '4:5: unknown key "search_query" in task "x"'),
        ("schedule: 10:30", '4:15: schedule: "10:30" is not a schedule; allowed: hourly, daily, weekly, '
         "daily_at_HH:MM, interval_30m, interval_2h, or five cron fields such as 0 9 * * 1-5; did you mean "
         "daily_at_10:30?"),
        ("schedule: [daily, dayly]", '4:23: schedule: "dayly" is not a schedule; allowed: hourly, daily, weekly, '
         "daily_at_HH:MM, interval_30m, interval_2h, or five cron fields such as 0 9 * * 1-5; did you mean daily?"),
        ("schedule: []", "4:15: schedule: found an empty list, expected at least one entry"),
        ("schedule: 30", "4:15: schedule: found the number 30, expected a schedule such as daily_at_09:00, "
         "a mapping or a list of them"),
        ('schedule: "${env:S}"', "4:15: schedule: a reference is resolved only when a run begins, and a schedule "
         "such as daily_at_09:00, a mapping or a list of them is needed here; write it out"),
        ("timeout: 10", "4:14: timeout: found the number 10, expected a duration such as 30s, 10m, 2h or 1d"),
        ("timeout: ten", '4:14: timeout: "ten" is not a duration; expected one such as 30s, 10m, 2h or 1d'),
        ("timeout: 0s", '4:14: timeout: "0s" is no time at all; expected a duration such as 30s, 10m, 2h or 1d'),
        ("schedule: interval_2h30m", '4:15: schedule: "interval_2h30m" is not a schedule; allowed: hourly, daily, '
         "weekly, daily_at_HH:MM, interval_30m, interval_2h, or five cron fields such as 0 9 * * 1-5; did you mean "
         "interval_150m?"),
        ("schedule: montly", '4:15: schedule: "montly" is not a schedule; allowed: hourly, daily, weekly, '
         "daily_at_HH:MM, interval_30m, interval_2h, or five cron fields such as 0 9 * * 1-5"),
        ("enabled: yes", '4:14: enabled: found the text "yes", expected true or false'),
        ("enabled:", "4:13: enabled: found nothing, expected true or false"),
        ("priority: hihg", '4:15: priority: found the text "hihg", expected critical, high, normal or low; '
         'did you mean "high"?'),
        ("name: 2024", "4:11: name: found the number 2024, expected text; put quotes around it"),
        ('name: ""', "4:11: name: found an empty text, expected text"),
        ("timezone: Europe/Berln", '4:15: timezone: "Europe/Berln" is not a time zone; expected a name such as '
         'Europe/Berlin; did you mean "Europe/Berlin"?'),
        ("retry: {cuont: 3}", '4:13: unknown key "cuont" in retry of task "x"; did you mean "count"?'),
        ("retry: {count: 1.5}", "4:20: retry.count: found the number 1.5, expected a whole number from 0 to 100"),
        ("retry: 3", "4:12: retry: found the number 3, expected a mapping"),
        ("catch_up: lates", '4:15: catch_up: "lates" is not allowed; allowed: none, latest, all; '
         'did you mean "latest"?'),
        ("catch_up: {runs: lates}", '4:22: catch_up.runs: found the text "lates", expected none, latest or all; '
         'did you mean "latest"?'),
        ("catch_up: 5", "4:15: catch_up: found the number 5, expected none, latest or all or a mapping"),
        ("expect: {min_records: -1}", "4:27: expect.min_records: found the number -1, expected a whole number "
         "of at least 0"),
        ("overlap:skip", None),
    ],
)  # fmt: skip
def test_faults_of_a_task(tmp_path, entry, told):
    text = f"tasks:\n  x:\n    collector: github\n    {entry}\n"
    if told is None:
        assert faults(tmp_path, tasks__x=text) != []
    else:
        assert faults(tmp_path, tasks__x=text) == [f"tasks/x.yaml:{told}"]


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("0 9 * * fri-mon", '15: schedule: "0 9 * * fri-mon" is not a schedule: the day of the week "fri-mon" is not '
         "allowed; a range cannot run backwards; allowed: 0-7 (0 and 7 are Sunday), SUN-SAT, 5L (the last Friday), "
         'MON#2 (the second Monday), *, and lists, ranges and steps; did you mean "0 9 * * FRI-SAT,SUN-MON"?'),
        ("0 0 30 2 *", '15: schedule: "0 0 30 2 *" is never due: no day within 50 years fits it'),
        ("{}", '5: schedule of task "x" needs "cron" or "pattern"'),
        ("{cron: 0 9 * * *, pattern: daily}", '5: schedule of task "x" has both "cron" and "pattern"; '
         "write one of them"),
        ("{cron: 0 9 * * *, timzone: UTC}", '33: unknown key "timzone" in schedule of task "x"; did you mean '
         '"timezone"?'),
        ("{cron: daily}", '22: schedule.cron: "daily" is not a cron expression; write it as pattern: daily'),
        ("{pattern: 0 9 * * *}", '25: schedule.pattern: "0 9 * * *" is a cron expression; write it as cron: '
         '"0 9 * * *"'),
        ("{pattern: daily, timezone: Europe/Berln}", '42: schedule.timezone: "Europe/Berln" is not a time zone; '
         'expected a name such as Europe/Berlin; did you mean "Europe/Berlin"?'),
        ("{pattern: daily, jitter: 13h}", '40: schedule.jitter: "13h" is too long; the jitter is at most 12h'),
        ("{pattern: daily, jitter: 5}", "40: schedule.jitter: found the number 5, expected a duration of at most 12h, "
         "such as 5m"),
        ("{pattern: daily, skip: holidays/us}", '38: schedule.skip: there is no calendar "holidays/us"; expected a '
         "country such as holidays/US or holidays/DE-BY, or an exchange such as holidays/NYSE; did you mean "
         '"holidays/US"?'),
        ("{pattern: daily, skip: [holidays/US, weekend]}", '52: schedule.skip: "weekend" names no days to leave out; '
         "expected weekends, holidays/US, holidays/US-CA, holidays/NYSE or a date such as 2026-12-24; did you mean "
         '"weekends"?'),
        ("{pattern: daily, skip: 5}", "38: schedule.skip: found the number 5, expected weekends, a calendar such as "
         "holidays/US, or a date or a list of them"),
        ("{pattern: daily, from: 2026-02-30}", '38: schedule.from: "2026-02-30" is not a date: there is no such day '
         "or time"),
        ("{pattern: daily, from: 2026}", "38: schedule.from: found the number 2026, expected a date such as "
         "2026-01-31, or with a time such as 2026-01-31T09:00"),
        ("{pattern: daily, from: 2026-02-01, until: 2026-01-01}", "15: schedule: it ends (2026-01-01) before it "
         "begins (2026-02-01)"),
        ("{pattern: weekly, from: 2026-01-05, until: 2026-01-06}", "15: schedule: it is never due from 2026-01-05 "
         "until 2026-01-06"),
        ("[daily, {pattern: weekly, skip: weekends}]", "23: schedule: it never runs: each of its instants lies on a "
         "day that it skips"),
        ("[daily, {patern: daily}]", '23: schedule of task "x" needs "cron" or "pattern"\n24: unknown key "patern" in '
         'schedule of task "x"; did you mean "pattern"?'),
        ("[[daily]]", "16: schedule: found a list, expected a schedule such as daily_at_09:00 or a mapping"),
        ('{cron: "${env:S}"}', "22: schedule.cron: a reference is resolved only when a run begins, and five cron "
         "fields such as 0 9 * * 1-5 is needed here; write it out"),
    ],
)  # fmt: skip
def test_faults_of_a_schedule(tmp_path, schedule, told):
    text = f"tasks:\n  x:\n    collector: github\n    schedule: {schedule}\n"
    assert faults(tmp_path, tasks__x=text) == [f"tasks/x.yaml:4:{line}" for line in told.split("\n")]


def test_commas_that_divide_a_cron_expression_are_told(tmp_path):
    text = "tasks:\n  x:\n    collector: github\n    schedule: {cron: 0 9,17 * * *}\n"
    write(tmp_path, tasks__x=text)
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    first, second = caught.value.problems
    assert first.message.endswith("; between [ ] or { } a text with commas needs quotes")
    assert second.hint == "put quotes around the cron expression: between { } its commas divide it"


def test_the_forms_of_a_schedule(tmp_path):
    def schedules(text: str) -> tuple[Schedule, ...]:
        entry = f"{{collector: github, schedule: {text}}}"
        return load(tmp_path, stoma=f"tasks: {{x: {entry}}}").tasks["x"].schedule

    assert schedules("daily_at_09:00") == (Schedule("daily_at_09:00"),)
    assert schedules('"*/15 * * * *"') == (Schedule("*/15 * * * *"),)
    assert schedules("{cron: 0 9  * * 1-5}") == schedules("0 9 * * 1-5") == (Schedule("0 9 * * 1-5"),)
    assert schedules("{pattern: daily, skip: weekends}") == (Schedule("daily", skip=("weekends",)),)
    assert schedules("[hourly, {pattern: daily, jitter: 0s}, '0 9,17 * * *']") == (
        Schedule("hourly"), Schedule("daily"), Schedule("0 9,17 * * *"),
    )  # fmt: skip
    (whole,) = schedules(
        "{cron: 0 9 * * 1-5, timezone: America/New_York, jitter: 5m, skip: [holidays/NYSE, 2026-12-24], "
        "from: 2026-01-01, until: 2026-12-31T18:00}"
    )
    assert whole == Schedule(
        "0 9 * * 1-5", "America/New_York", timedelta(minutes=5), ("holidays/NYSE", "2026-12-24"), "2026-01-01",
        "2026-12-31T18:00",
    )  # fmt: skip
    assert whole.text == (
        "0 9 * * 1-5 America/New_York jitter 5m skip holidays/NYSE 2026-12-24 from 2026-01-01 until 2026-12-31T18:00"
    )


def test_a_custom_task_takes_a_schedule_in_any_form():
    task = create_custom_task(
        "a", "A", "github", {}, [{"cron": "0 9 * * 1-5", "skip": ("weekends",)}, "daily"]
    )
    assert task.schedule == (Schedule("0 9 * * 1-5", skip=("weekends",)), Schedule("daily"))
    assert task.schedule_text == "0 9 * * 1-5 skip weekends, daily"
    with pytest.raises(ConfigError, match="is never due"):
        create_custom_task("a", "A", "github", {}, {"cron": "0 0 30 2 *"})


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{max_results: 5}", '3:5: config of task "x" needs "search_query" or "id_list"'),
        ("{search_query: x, max_results: 5000001}", "3:44: config.max_results: found the number 5000001, "
         "expected a whole number from 1 to 5000000"),
        ('{search_query: x, max_results: "50"}', '3:44: config.max_results: found the text "50", '
         "expected a whole number from 1 to 5000000"),
        ('{search_query: x, max_results: "${env:N}"}', "3:44: config.max_results: a reference is resolved only when "
         "a run begins, and a whole number from 1 to 5000000 is needed here; write it out"),
        ("{search_query: x, sort_by: submitted}", '3:40: config.sort_by: found the text "submitted", expected '
         'relevance, lastUpdatedDate or submittedDate; did you mean "submittedDate"?'),
        ("{search_query: x, sort_order: desc}", '3:43: config.sort_order: found the text "desc", expected ascending '
         'or descending; did you mean "descending"?'),
        ("{search_query: x, max_results: 1e3}", "3:44: config.max_results: found the number 1000.0, expected a whole "
         "number from 1 to 5000000; write 1000"),
        ("{search_query: x, max_results: 1e9}", "3:44: config.max_results: found the number 1000000000.0, expected "
         "a whole number from 1 to 5000000"),
        ("{search_query: x, base_url: 5}", "3:41: config.base_url: the number 5 is not a web address; "
         "it begins with https:// or http://"),
        ("{id_list: [2104.10230]}", "3:24: config.id_list: found the number 2104.1023, expected text; "
         "put quotes around it"),
        ("{search_query: x, base_url: ftp://x}", '3:41: config.base_url: "ftp://x" is not a web address; '
         "it begins with https:// or http://"),
        ("", "3:13: config: found nothing, expected a mapping"),
    ],
)  # fmt: skip
def test_faults_of_an_arxiv_config(tmp_path, config, told):
    text = f"tasks:\n  x: {{collector: arxiv,\n    config: {config}}}\n"
    assert faults(tmp_path, tasks__x=text) == [f"tasks/x.yaml:{told}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x: {name: X}", '2:3: task "x" has no "collector"'),
        ("x: {collector: arxvi}", '2:18: collector: found the text "arxvi", expected arxiv, github, '
         'sec_edgar, http_json, feed or one of your own, such as my_source:MyCollector; did you mean "arxiv"?'),
        ("x: {collector: arxiv}", '2:3: task "x" has no "config"'),
        ("x: [a]", '2:6: task "x": found a list, expected a mapping'),
        ("x:", '2:5: task "x": found nothing, expected a mapping'),
        ("Bad Id: {collector: github}", '2:3: the task id "Bad Id" may hold only lower-case letters, digits, _ and -, '
         "and at most 64 of them"),
        (f"{'x' * 65}: {{collector: github}}", f'2:3: the task id "{"x" * 65}" may hold only lower-case letters, '
         "digits, _ and -, and at most 64 of them"),
        ("x: {collector: github, config: {mode: search}}", '2:26: config of task "x" has no "query"'),
        ("x: {collector: github, config: {mode: trending, query: x}}", '2:41: config.mode: found the text "trending", '
         "expected search"),
        ("x: {collector: github, config: {since: dayly}}", '2:42: config.since: found the text "dayly", expected '
         'daily, weekly or monthly; did you mean "daily"?'),
        ("x: {collector: github, config: {token: hunter2}}", "2:42: config.token: a token is written as a reference "
         "such as ${env:GITHUB_TOKEN}; secrets do not belong into this file"),
        ("x: {collector: sec_edgar, config: {filing_type: 4}}", "2:51: config.filing_type: found the number 4, "
         "expected text or a list; put quotes around it"),
        ("x: {collector: sec_edgar, config: {ciks: [abc]}}", '2:45: config.ciks: "abc" is not a CIK; '
         "it is a number of at most ten digits"),
    ],
)  # fmt: skip
def test_more_faults_of_tasks(tmp_path, text, told):
    assert faults(tmp_path, tasks__x=f"tasks:\n  {text}\n") == [f"tasks/x.yaml:{told}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("timezon: UTC", '1:1: unknown key "timezon" at the top of the file; did you mean "timezone"?'),
        ("version: 2", "1:10: version: found the number 2, expected 1"),
        ('api: {host: "${env:HOST}"}', "1:13: api.host: a reference is resolved only when a run begins, and text is "
         "needed here; write it out"),
        ("api: {host: http://0.0.0.0}", '1:13: api.host: "http://0.0.0.0" is not an address to listen on; write one '
         "such as 127.0.0.1, ::1 or localhost"),
        ('version: "1"', '1:10: version: found the text "1", expected 1'),
        ("hosts: {x: 1}", "1:12: hosts.x: found the number 1, expected a mapping"),
        ("api: {host: 0.0.0.0}", "1:13: api.host: 0.0.0.0 can be reached by others, and there is no token"),
        ('api: {host: "::", tokens: []}', "1:13: api.host: :: can be reached by others, and there is no token"),
        ("api: {host: stoma.example.org, tokens: }", "1:13: api.host: stoma.example.org can be reached by others, "
         "and there is no token"),
        ("store: {url: ${env:URL}}", '1:14: put quotes around the reference: "${env:URL}"; between { } or [ ] '
         "it needs them"),
        ("scheduler: {max_concurrent_tasks: 0}", "1:35: scheduler.max_concurrent_tasks: found the number 0, "
         "expected a whole number from 1 to 500"),
        ("scheduler: {leas: 3s}", '1:13: unknown key "leas" in scheduler; did you mean "lease"?'),
        ('store: {url: "mysql://joe:geheim@h/db"}', '1:14: store.url: "mysql://joe:******@h/db" is not the address '
         "of a store; allowed: sqlite:///FILE, postgresql://USER@HOST/DATABASE, ${env:NAME}"),
        ("store: {synchronous: ful}", '1:22: store.synchronous: found the text "ful", expected normal or full; '
         'did you mean "full"?'),
        ("api: {tokens: [hunter2]}", "1:16: api.tokens: a token is written as a reference such as ${env:STOMA_TOKEN}; "
         "secrets do not belong into this file"),
        ("presets: [reserch]", '1:11: presets: unknown preset "reserch"; did you mean "research"?'),
        ("presets: [../x]", '1:11: presets: "../x" is not the name of a preset; it is a name such as default, '
         "without folder and .yaml"),
        ("presets: default", '1:10: presets: found the text "default", expected a list'),
        ("include: [gone.yaml]", '1:11: include: there is no file "gone.yaml"'),
        ("hosts: {x.org: {gap: 1s, rate: 1/s}}", '1:9: hosts."x.org" has both "gap" and "rate"; write one of them'),
        ("hosts: {x.org: {rate: fast}}", '1:23: hosts."x.org".rate: "fast" is not a rate; expected one such as 8/s, '
         "30/m or 1000/h"),
        ("hosts: {'http://x.org': {}}", '1:9: the host "http://x.org" is not a host name; write it without scheme, '
         'port and path, or "*" for any other host'),
        ("hosts: {data.sec.gov: {gap: 1s}}", '1:9: hosts: "data.sec.gov" is counted together with www.sec.gov; '
         "write its budget there"),
        ("identity: {contact: }", "1:21: identity.contact: found nothing, expected text"),
        ("defaults: {collector: arxiv}", '1:12: unknown key "collector" in defaults'),
        ("[]", "1:1: the file: found a list, expected a mapping"),
        ("tasks:{}", '1:1: the file: found the text "tasks:{}", expected a mapping'),
    ],
)  # fmt: skip
def test_faults_of_stoma_yaml(tmp_path, text, told):
    assert faults(tmp_path, stoma=text) == [f"stoma.yaml:{told}"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("foo", '"foo"'), ('""', '""'), ("5", "the number 5"), ("", "an empty value"), ("[]", "a list"),
        ('"sqlite:///"', '"sqlite:///"'), ('"sqlite:///  "', '"sqlite:///  "'), ("sqlite://x.db", '"sqlite://x.db"'),
        ("postgresql://", '"postgresql://"'), ('"x ${env:"', '"x ${env:"'),
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_store_has_one_sentence(tmp_path, url, shown):
    assert faults(tmp_path, stoma=f"store:\n  url: {url}\n") == [
        f"stoma.yaml:2:{8 if url else 7}: store.url: {shown} is not the address of a store; allowed: "
        "sqlite:///FILE, postgresql://USER@HOST/DATABASE, ${env:NAME}"
    ]


def test_a_host_that_others_reach_says_what_to_do(tmp_path):
    write(tmp_path, stoma="api: {host: 0.0.0.0}")
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    assert caught.value.hint == 'set api.tokens, for example ["${env:STOMA_TOKEN}"], or api.host: 127.0.0.1'
    for text in ("{host: 0.0.0.0, tokens: ['${env:STOMA_UNSET}']}", "{host: localhost}", "{host: '[::1]'}"):
        assert load(tmp_path, stoma=f"api: {text}").api


@pytest.mark.parametrize("second", ["", "  y:\n  collector: arxiv\n  config: {search_query: y}\n"])
def test_keys_that_stand_beside_their_task_are_one_fault(tmp_path, second):
    text = (
        "tasks:\n  x:\n  collector: github\n  config:\n    limit: 3\n  schedule: [daily]\n  enabled: true\n"
    )
    write(tmp_path, tasks__x=text + second)
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    assert [str(problem) for problem in caught.value.problems] == [
        'tasks/x.yaml:3:3: "collector" stands beside the task "x", not under it\n'
        "      collector: github\n"
        "      ^\n"
        "    indent the lines from 3 on under it: the keys of a task begin further to the right than its id"
    ]


def test_keys_beside_a_task_hide_nothing_else(tmp_path):
    text = f"tasks:\n  x:\n  enabled: true\n  config: {TASK}\n  z: {{}}\nz: 1\nz: 2\n"
    assert faults(tmp_path, tasks__x=text) == [
        'tasks/x.yaml:3:3: "enabled" stands beside the task "x", not under it',
        'tasks/x.yaml:5:3: task "z" has no "collector"',
        'tasks/x.yaml:6:1: unknown key "z" at the top of the file',
        'tasks/x.yaml:7:1: the key "z" stands here again; first in line 6',
    ]


def test_what_is_allowed_is_told_once_for_each_file(tmp_path):
    text = (
        "tasks:\n  {0}: {{collector: github, zzz: 1, yyy: 2}}\n  {0}2: {{collector: github, qqq: 3}}\nq: 1\n"
    )
    write(tmp_path, tasks__a=text.format("a"), tasks__b=text.format("b"))
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    assert [problem.hint[:20] for problem in caught.value.problems] == [
        "allowed: name, colle", "", "", "allowed: tasks, pres",
    ] * 2  # fmt: skip


# -- files that would be left out in silence -----------------------------------------------------------------


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "tasks").touch()
    assert faults(tmp_path) == ["tasks: is not a folder, so nothing in it can be included"]
    assert faults(tmp_path, stoma="include: [tasks/deep/*.yaml]") == [
        "tasks: is not a folder, so nothing in it can be included"
    ]


def test_a_link_that_leads_to_no_folder(tmp_path):
    (tmp_path / "tasks").symlink_to("gone")
    assert faults(tmp_path) == ["tasks: is a link to a folder that does not exist"]


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    write(tmp_path, tasks__a=f"tasks: {{a: {TASK}}}")
    config = load_config(base=tmp_path)
    listed = os.scandir

    def refusing(path="."):
        if str(path).rstrip("/").endswith("tasks"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert faults(tmp_path) == ["tasks: this folder cannot be listed: Permission denied"]
    assert config.files_signature() != config.files


def test_no_folder_is_no_fault(tmp_path):
    assert load(tmp_path, stoma="include: ['gone/**/*.yaml', 'x/y*/z.yaml']").tasks == {}


def test_a_folder_called_like_a_file(tmp_path):
    (tmp_path / "tasks" / "x.yaml").mkdir(parents=True)
    (tmp_path / "tasks" / "sub").mkdir()
    assert faults(tmp_path) == ["tasks/x.yaml: is a folder; a file is expected"]
    assert faults(tmp_path, stoma="include: ['tasks/*']") == ["tasks/x.yaml: is a folder; a file is expected"]


def test_a_file_with_the_other_ending(tmp_path):
    write(tmp_path, tasks__a=f"tasks: {{a: {TASK}}}")
    config = load_config(base=tmp_path)
    (tmp_path / "tasks" / "x.yml").write_text(f"tasks: {{x: {TASK}}}")
    assert config.files_signature() != config.files
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    assert str(caught.value) == "tasks/x.yml: is not read: only tasks/*.yaml is included"
    assert caught.value.hint == 'call it x.yaml, or write include: ["tasks/*.yaml", "tasks/*.yml"]'
    # Whoever says what is included means it.
    assert list(load(tmp_path, stoma='include: ["tasks/*.yaml", "tasks/*.yml"]').tasks) == ["a", "x"]
    assert list(load(tmp_path, stoma="include: [tasks/a.yaml]").tasks) == ["a"]


def test_a_named_file_that_may_not_be_looked_at(tmp_path):
    long = "x" * 300
    assert faults(tmp_path, stoma=f"include: [{long}]")[0].startswith(
        'stoma.yaml:1:11: include: File name too long: "xxx'
    )


def test_a_file_in_tasks_says_something(tmp_path):
    assert faults(tmp_path, tasks__a="{}", tasks__b="", tasks__c="taks: {}") == [
        'tasks/a.yaml:1:1: the file needs "tasks" or "presets"',
        "tasks/b.yaml: this file is empty",
        'tasks/c.yaml:1:1: unknown key "taks" at the top of the file; did you mean "tasks"?',
        'tasks/c.yaml:1:1: the file needs "tasks" or "presets"',
    ]


def test_hints_say_what_is_allowed(tmp_path):
    write(
        tmp_path,
        tasks__x="tasks:\n  x: {collector: github, search_query: x, prio: 1, priority:high}\n  y: {}\n",
    )
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    assert [problem.hint for problem in caught.value.problems] == [
        'it stands under "config:"',
        "allowed: name, collector, normalizer, config, schedule, timezone, priority, timeout, retry, overlap, "
        "catch_up, expect, notify, after, when, run_on_start, enabled, keep_cursor, raw",
        'write a space after the ":"',
        "Where the data comes from: arxiv, github, sec_edgar, http_json, feed, or a class of your own such as "
        "my_source:MyCollector.",
    ]


def test_all_faults_of_all_files_are_told_at_once(tmp_path):
    told = faults(
        tmp_path,
        stoma="version: 3\npresets: [nope, broken]\nstore: {x: 1}",
        tasks__b="tasks: [",
        tasks__a="tasks:\n  x: {collector: github, enabled: on}\n  x: {}\n  y: !x {collector: nope}\n",
        presets__broken="tasks:\n\tx: 1",
    )
    assert [line.split(": ")[0] for line in told] == [
        "presets/broken.yaml:2:1",
        "stoma.yaml:1:10",
        "stoma.yaml:2:11",
        "stoma.yaml:3:9",
        "tasks/a.yaml:2:35",
        "tasks/a.yaml:3:3",
        "tasks/a.yaml:4:6",
        "tasks/a.yaml:4:21",
        "tasks/b.yaml:1:9",
    ]


def test_a_broken_stoma_yaml_does_not_hide_the_faults_of_tasks(tmp_path):
    assert len(faults(tmp_path, stoma="presets: [", tasks__a="tasks: {a: 1}")) == 2


def test_an_id_in_two_files_names_both(tmp_path):
    text = f"tasks:\n  x: {TASK}\n"
    message = 'the task "x" is declared twice; the other one is in tasks/a.yaml:2'
    assert faults(tmp_path, tasks__a=text, tasks__b=text) == [f"tasks/b.yaml:2:3: {message}"]


def test_an_id_of_a_preset_is_told_where_it_can_be_mended(tmp_path):
    (told,) = faults(tmp_path, stoma=f"presets: [research]\ntasks:\n  arxiv_ai: {TASK}\n")
    assert told.startswith('stoma.yaml:3:3: the task "arxiv_ai" is declared twice; the other one is in /')
    assert told.endswith("presets/research.yaml:6")


def test_no_secret_shows_in_a_fault(tmp_path):
    write(
        tmp_path,
        stoma="api: {tokens: [hunter2], prt: 1}\nstore: {url: 'mysql://u:hunter2@h/d'}\n",
        tasks__x="tasks:\n  x: {collector: github, config: {token: hunter2}, nme: 1}\n",
        tasks__y="api:\n  token: hunter2: x\n",
    )
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    assert len(caught.value.problems) == 6
    for problem in caught.value.problems:
        assert "hunter2" not in str(problem)
        assert "hunter2" not in str(problem.as_dict())


def test_a_fault_as_people_see_it(tmp_path):
    write(tmp_path, tasks__x="tasks:\n  x:\n    collector: github\n    shedule: daily\n")
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    assert str(caught.value.problems[0]) == (
        'tasks/x.yaml:4:5: unknown key "shedule" in task "x"; did you mean "schedule"?\n'
        "        shedule: daily\n"
        "        ^\n"
        "    allowed: name, collector, normalizer, config, schedule, timezone, priority, timeout, retry, overlap, "
        "catch_up, expect, notify, after, when, run_on_start, enabled, keep_cursor, raw"
    )


WORDS = st.sampled_from(
    ["tasks", "x", "collector", "arxiv", "config", "schedule", "daily", "presets", "hosts", "defaults"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    WORDS | st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(TREES, st.binary(max_size=30))
@settings(max_examples=150)
def test_any_content_is_a_config_or_a_config_error(tmp_path_factory, tree, content):
    import yaml

    base = tmp_path_factory.mktemp("any")
    (base / "tasks").mkdir()
    (base / "stoma.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    (base / "tasks" / "x.yaml").write_bytes(content)
    problems: list[Problem] = []
    try:
        load_config(base=base)
    except ConfigError as error:
        problems = error.problems
    assert all(str(problem).replace("\n", "").isprintable() for problem in problems)


# -- tasks made in Python ------------------------------------------------------------------------------------


def test_a_custom_task_in_the_missions_words():
    task = create_custom_task(
        task_id="ml_papers_scan",
        name="Daily ML papers",
        collector_type="arxiv",
        collector_config={"search_query": "cat:cs.LG", "max_results": 50},
        schedule_pattern="daily_at_09:00",
        priority=TaskPriority.HIGH,
    )
    assert (task.id, task.collector, task.priority, task.origin) == (
        "ml_papers_scan",
        "arxiv",
        "high",
        "python",
    )
    assert task.schedule_text == "daily_at_09:00"


def test_a_custom_task_takes_the_other_keys_of_a_task():
    normalizer = object()
    task = create_custom_task(
        "a", "A", "github", {"limit": 3}, ("daily", "weekly"), "low",
        timeout="1m", retry={"count": 0}, catch_up="all", normalizer=normalizer,
    )  # fmt: skip
    assert (task.timeout, task.retry.count, task.catch_up.runs) == (timedelta(minutes=1), 0, "all")
    assert task.schedule_text == "daily, weekly"
    assert task.normalizer is normalizer
    assert task_hash(task)


def test_a_custom_task_is_checked():
    with pytest.raises(ConfigError) as caught:
        create_custom_task("Bad Id", "", "arxiv", {"max_results": 0}, "10:30", "hihg", shedule=1)
    assert len(caught.value.problems) == 7
    assert all(not problem.place for problem in caught.value.problems)
    with pytest.raises(
        ConfigError, match="search_query: found a value of the type set, expected text or a list"
    ):
        create_custom_task("a", "A", "arxiv", {"search_query": {1, 2}})
    with pytest.raises(ConfigError, match="max_results: found the text"):
        create_custom_task("a", "A", "arxiv", {"search_query": "x", "max_results": 10**5000})


# -- what keeps a task from running --------------------------------------------------------------------------


class Shy(BaseCollector):
    needs_contact = True

    def collect(self, collection):
        return iter(())


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setitem(collectors.COLLECTORS, "sec_edgar", f"{__name__}:Shy")
    monkeypatch.setattr(collectors, "kind", lambda name, **_: Shy)
    return Config(tmp_path)


def test_a_task_that_can_run(tmp_path):
    task = create_custom_task("a", "A", "arxiv", {"search_query": "x"})
    assert blocked_reason(task, Config(tmp_path)) is None


def test_an_unset_reference_blocks(tmp_path, monkeypatch):
    task = create_custom_task(
        "a", "A", "arxiv", {"search_query": "x", "base_url": "${env:STOMA_TEST_MIRROR}"}
    )
    assert blocked_reason(task, Config(tmp_path)) == "the environment variable STOMA_TEST_MIRROR is not set"
    monkeypatch.setenv("STOMA_TEST_MIRROR", "http://127.0.0.1:1")
    assert blocked_reason(task, Config(tmp_path)) is None


def test_a_source_that_wants_to_know_who_asks_blocks(config, monkeypatch):
    task = create_custom_task("a", "A", "sec_edgar")
    assert blocked_reason(task, config) == (
        "sec_edgar needs a contact (there is none): the source asks who is calling; set STOMA_CONTACT="
        '"Your Name you@example.org" and identity: {contact: "${env:STOMA_CONTACT}"} in stoma.yaml'
    )
    config = replace(config, contact="${env:STOMA_CONTACT}")
    assert "the environment variable STOMA_CONTACT is not set" in blocked_reason(task, config)
    monkeypatch.setenv("STOMA_CONTACT", "Jane jane@example.org")
    assert blocked_reason(task, config) is None


def test_unset_references_never_fail_a_load(tmp_path):
    config = load(
        tmp_path,
        stoma="""\
            store: {url: "${env:STOMA_NOWHERE}"}
            api: {tokens: ["${file:gone}"]}
            identity: {contact: "${env:STOMA_NOWHERE}"}
            tasks: {a: {collector: arxiv, config: {search_query: "${env:STOMA_NOWHERE}"}}}
            """,
    )
    assert config.tasks["a"].config["search_query"] == "${env:STOMA_NOWHERE}"


def test_the_nearest_task(tmp_path):
    config = load(tmp_path, stoma="presets: [default]")
    assert nearest_task(config, "arxiv-daily-trendin") == "arxiv_daily_trending"
    assert nearest_task(config, "zzz") is None


# -- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    ["tasks/*.yaml", "./tasks/*.yaml", "**/*.yaml", "tasks/**/*.yaml", "*/a*.yaml", "tasks/a?.yaml", "x/[ab].yaml",
     "tasks/ab.yaml", "**"],
)  # fmt: skip
def test_a_pattern_covers_what_it_finds(tmp_path, pattern):
    names = [
        "tasks/ab.yaml",
        "tasks/.hidden.yaml",
        "tasks/sub/c.yaml",
        "x/a.yaml",
        "top.yaml",
        ".git/x.yaml",
        "tasks/a.yml",
    ]
    write(
        tmp_path,
        **{name.removesuffix(".yaml").replace("/", "__"): "" for name in names if name.endswith(".yaml")},
    )
    (tmp_path / "tasks" / "a.yml").touch()
    found = {
        path.relative_to(tmp_path).as_posix() for path in included(tmp_path, [pattern]) if path.is_file()
    }
    assert {name for name in names if covers([pattern], name)} == found


# -- speed ---------------------------------------------------------------------------------------------------


def test_ten_thousand_tasks_load_quickly(tmp_path):
    tasks = [
        f'  papers_{n:05d}:\n    name: "Papers of group {n}"\n    collector: arxiv\n'
        f'    config: {{search_query: "cat:cs.LG AND all:word{n}", max_results: {n % 100 + 1}}}\n'
        f"    schedule: daily_at_{n % 24:02d}:{n % 60:02d}\n    retry: {{count: {n % 5}, first: {n % 50 + 1}s}}\n"
        for n in range(10_000)
    ]
    write(tmp_path, stoma="tasks:\n" + "".join(tasks))
    started = time.perf_counter()
    config = load_config(base=tmp_path)
    took = time.perf_counter() - started
    assert len(config.tasks) == 10_000
    # The promise is 3 seconds; far from it even on a busy machine.
    assert took < 3

    (tmp_path / "stoma.yaml").write_text("tasks:\n" + "".join(tasks).replace("schedule:", "shedule:"))
    started = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        load_config(base=tmp_path)
    assert len(caught.value.problems) == 201
    assert time.perf_counter() - started < 5


def test_importing_it_loads_no_heavy_library():
    program = (
        "import sys; import stoma.scheduler.config, stoma.scheduler.edits; "
        "heavy = 'yaml', 'jsonschema', 'requests', 'lxml', 'orjson', 'psycopg'; "
        "print([name for name in heavy if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


# -- who waits for whom --------------------------------------------------------------------------------------

ARXIV = "collector: arxiv, config: {search_query: x}"


def test_the_forms_of_after(tmp_path):
    tasks = load(
        tmp_path,
        stoma="presets: []\n"
        f"tasks:\n  a: {{{ARXIV}}}\n  b: {{{ARXIV}, after: a}}\n"
        f"  c: {{{ARXIV}, after: [a, {{task: b, status: failed}}]}}\n"
        f"  d: {{{ARXIV}, after: {{task: c, status: any}}}}\n",
    ).tasks
    assert [tasks[name].after for name in "abcd"] == [
        (),
        (Dependency("a"),),
        (Dependency("a"), Dependency("b", "failed")),
        (Dependency("c", "any"),),
    ]


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("papres", '3:{c}: after: there is no task "papres"; did you mean "papers"?'),
        ("[papers, other]", '3:{d}: after: there is no task "other"'),
        ("late", "3:{c}: after: late waits for itself: late -> late"),
        ("{task: papers, status: done}", "status"),
        ("{status: failed}", 'has no "task"'),
        ("[]", "after"),
        ("Papers!", "is not the id of a task"),
    ],
)
def test_faults_of_after(tmp_path, after, told):
    text = f"presets: []\ntasks:\n  late: {{{ARXIV}, after: {after}}}\n  papers: {{{ARXIV}}}\n"
    column = text.splitlines()[2].index("after: ") + len("after: ") + 1
    [fault] = faults(tmp_path, stoma=text)
    assert told.format(c=column, d=column + len("[papers, ")) in fault


def test_a_circle_through_files_is_spelled_out(tmp_path):
    [fault] = faults(
        tmp_path,
        stoma=f"presets: []\ntasks:\n  a: {{{ARXIV}, after: c}}\n",
        tasks__more=f"tasks:\n  b: {{{ARXIV}, after: a}}\n  c: {{{ARXIV}, after: [b]}}\n",
    )
    assert fault.endswith("after: a waits for itself through others: a -> c -> b -> a")
    assert fault.startswith("stoma.yaml:3:")


def test_a_broken_file_does_not_make_its_tasks_seem_unknown(tmp_path):
    found = faults(
        tmp_path,
        stoma=f"presets: []\ntasks:\n  a: {{{ARXIV}, after: b}}\n",
        tasks__more="tasks:\n  b: [",
    )
    assert len(found) == 1
    assert found[0].startswith("tasks/more.yaml:")


@pytest.mark.parametrize(
    ("when", "told"),
    [("hour >", "when"), ("hur > 3", 'did you mean "hour"?'), ("open('x')", "when"), ("9", "when")],
)
def test_faults_of_when(tmp_path, when, told):
    text = f"presets: []\ntasks:\n  a: {{{ARXIV}, when: {when!r}}}\n"
    [fault] = faults(tmp_path, stoma=text)
    assert fault.startswith("stoma.yaml:3:")
    assert told in fault


@pytest.mark.parametrize("key", ["first", "max"])
def test_a_pause_between_tries_is_at_most_a_day(tmp_path, key):
    text = f"presets: []\ntasks:\n  a: {{{ARXIV}, retry: {{{key}: 3d}}}}\n"
    [fault] = faults(tmp_path, stoma=text)
    assert '"3d" is longer than a day' in fault
