"""From checked documents to values: the entry of a task becomes a Task, settings become numbers and durations."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from functools import cache
from typing import Any

from stoma import own
from stoma.documents.checking import Checker, Format
from stoma.documents.schemas import schema
from stoma.hosts import BUILT_IN, HostRule, rule_for
from stoma.paths import path_of
from stoma.scheduler import calendars, conditions, cron, patterns, timetables
from stoma.scheduler.base import Dependency, Notify, Schedule, Task, TaskPriority
from stoma.wording import did_you_mean, shown

CATCH_UP = ("none", "latest", "all")
LONGEST_PAUSE = timedelta(days=1)
FOREVER = "forever"
LONGEST_KEPT = timedelta(days=365 * 1000)
"""Still an instant after the year 1, counted back from now."""

TIMES = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}


def positive_duration(text: str) -> timedelta:
    """A duration of more than nothing; ValueError otherwise."""
    found = patterns.parse_duration(text)
    if not found:
        raise ValueError(f'"{shown(text)}" is no time at all; expected a duration such as 30s, 10m, 2h or 1d')
    return found


def keep_time(text: str) -> timedelta | None:
    """How long something is kept, in days or years; None for ever. ValueError for anything shorter or vaguer."""
    if text == FOREVER:
        return None
    found = re.fullmatch(r"([0-9]{1,5})([dy])", text)
    if not found or not int(found[1]):
        # 6m may be meant as months, and would delete nearly everything.
        raise ValueError(
            f'"{shown(text)}" is not how long to keep; write days or years such as 90d or 2y, or forever'
        )
    return min(timedelta(days=int(found[1]) * (365 if found[2] == "y" else 1)), LONGEST_KEPT)


def pause_of(text: str) -> timedelta:
    """The pause before another try, at most a day; ValueError otherwise."""
    found = patterns.parse_duration(text)
    if found > LONGEST_PAUSE:
        raise ValueError(f'"{shown(text)}" is longer than a day; a run does not wait longer for its next try')
    return found


def parse_rate(text: str) -> timedelta:
    """The gap between two requests at a rate such as `8/s`, `30/m` or `1000/h`; ValueError otherwise."""
    found = re.fullmatch(r"([0-9]{1,6})/([smh])", text)
    if not found or not int(found[1]):
        raise ValueError(f'"{shown(text)}" is not a rate; expected one such as 8/s, 30/m or 1000/h')
    return TIMES[found[2]] / int(found[1])


def check_catch_up(text: str) -> None:
    """The short form of catch_up; ValueError where it is none."""
    if text not in CATCH_UP:
        raise ValueError(
            f'"{shown(text)}" is not allowed; allowed: {", ".join(CATCH_UP)}{did_you_mean(text, CATCH_UP)}'
        )


def check_schedule(value: str | Mapping[str, Any]) -> None:
    """One schedule in any of its forms; ValueError for one that is none, and for a mapping that never runs."""
    if isinstance(value, str):
        patterns.parse(value)
        return
    skip = value.get("skip", [])
    texts = [item for key, item in value.items() if key != "skip"]
    texts += skip if isinstance(skip, list) else [skip]
    if not all(isinstance(text, str) for text in texts) or ("cron" in value) == ("pattern" in value):
        return
    try:
        (schedule,) = schedules_of(value)
        timetables.timetable(schedule, "UTC", "")
    except ValueError:
        return  # what is wrong with one key is told where that key stands
    timetables.check(schedule)


def check_pattern(text: str) -> None:
    """One of the six patterns; ValueError otherwise, also for a cron expression."""
    if isinstance(patterns.parse(text), patterns.Cron):
        raise ValueError(f'"{shown(text)}" is a cron expression; write it as cron: "{shown(text)}"')


def check_cron(text: str) -> None:
    """Five cron fields; ValueError otherwise, also for one of the six patterns."""
    try:
        is_pattern = not isinstance(patterns.parse(text), patterns.Cron)
    except ValueError:
        is_pattern = False
    if is_pattern:
        raise ValueError(f'"{shown(text)}" is not a cron expression; write it as pattern: {text}')
    cron.parse(text)


def check_collector(text: str) -> None:
    """A collector's name or path; ValueError otherwise."""
    from stoma.collectors import KIND

    own.check(text, KIND)


def check_normalizer(text: str) -> None:
    """A normalizer's name or path; ValueError otherwise."""
    from stoma.normalizers import KIND

    own.check(text, KIND)


def check_paging(value: str | Mapping[str, Any]) -> None:
    """One way of paging; ValueError otherwise."""
    from stoma.collectors import http_json_paging

    http_json_paging.check_paging(value)


def check_source_cursor(value: Mapping[str, Any]) -> None:
    """How a declared source tells what is new; ValueError for a form that cannot be sent."""
    from stoma.collectors import http_json_cursor

    http_json_cursor.check_cursor(value)


def check_header(name: str) -> None:
    """The name of a header that a task may set; ValueError otherwise."""
    from stoma.collectors import http_json_request

    http_json_request.check_header(name)


def check_auth(value: Mapping[str, Any]) -> None:
    """Exactly one credential; ValueError otherwise."""
    from stoma.collectors import http_json_request

    http_json_request.check_auth(value)


FORMATS: Mapping[str, Format] = {
    "stoma-collector": Format(check_collector, "the name of a collector"),
    "stoma-normalizer": Format(check_normalizer, "the name of a normalizer"),
    "stoma-schedule": Format(check_schedule, "a schedule such as daily_at_09:00", (str, dict)),
    "stoma-pattern": Format(check_pattern, "a pattern such as daily_at_09:00"),
    "stoma-cron": Format(check_cron, "five cron fields such as 0 9 * * 1-5"),
    "stoma-jitter": Format(timetables.parse_jitter, "a duration of at most 12h, such as 5m"),
    "stoma-skip": Format(calendars.check, f"{calendars.WEEKENDS}, a calendar such as holidays/US, or a date"),
    "stoma-moment": Format(timetables.moment_of, timetables.MOMENT),
    "stoma-timezone": Format(patterns.zone_of, "a time zone such as Europe/Berlin"),
    "stoma-duration": Format(positive_duration, "a duration such as 30s, 10m, 2h or 1d"),
    "stoma-duration-or-zero": Format(patterns.parse_duration, "a duration such as 30s, 10m, 2h or 1d"),
    "stoma-keep": Format(keep_time, "a number of days or years such as 90d or 2y, or forever"),
    "stoma-catch-up": Format(check_catch_up, "none, latest or all"),
    "stoma-pause": Format(pause_of, "a duration of at most 1d, such as 30s"),
    "stoma-condition": Format(conditions.parse, "a condition such as 9 <= hour <= 17"),
    "stoma-rate": Format(parse_rate, "a rate such as 8/s or 30/m"),
    "stoma-path": Format(path_of, "a path such as data.items"),
    "stoma-paging": Format(check_paging, "a way of paging such as link_header", (str, dict)),
    "stoma-source-cursor": Format(check_source_cursor, "what tells what is new", (dict,)),
    "stoma-header": Format(check_header, "the name of a header such as Accept"),
    "stoma-auth": Format(check_auth, "one credential such as {bearer: …}", (dict,)),
}


@cache
def checker(name: str) -> Checker:
    """The judge of one kind of file: `stoma`, `tasks` or `preset`."""
    return Checker(schema(name), FORMATS)


def base_task(timezone: str, defaults: Mapping[str, Any] | None, notify: Notify | None = None) -> Task:
    """What holds for every task that does not say otherwise."""
    base = Task(id="", name="", collector="", timezone=timezone, notify=notify or Notify())
    return with_entry(base, defaults or {})


def task_from(task_id: str, entry: Mapping[str, Any], base: Task, origin: str) -> Task:
    """The entry of a task, on top of what holds for all of them."""
    return with_entry(replace(base, id=task_id, name=entry.get("name", task_id), origin=origin), entry)


def with_entry(task: Task, entry: Mapping[str, Any]) -> Task:
    """The task with the keys of an entry; keys inside `retry`, `catch_up`, `expect` and `notify` replace one by one."""
    return replace(task, **{key: _CONVERT[key](task, value) for key, value in entry.items()})


def with_normalizer(task: Task, normalizer: Any) -> Task:
    """The task with a normalizer of its own: an object, a class or a known name."""
    return replace(task, normalizer=normalizer)


def _catch_up(task: Task, value: str | Mapping[str, Any]) -> Any:
    found: dict[str, Any] = {"runs": value} if isinstance(value, str) else dict(value)
    if "max_lateness" in found:
        found["max_lateness"] = positive_duration(found["max_lateness"])
    return replace(task.catch_up, **found)


def _expect(task: Task, value: Mapping[str, Any]) -> Any:
    found = dict(value)
    if "silence" in found:
        found["silence"] = positive_duration(found["silence"])
    return replace(task.expect, **found)


def notify_of(value: Mapping[str, Any], base: Notify | None = None) -> Notify:
    """Who is told and when; `targets`, which stand beside it at the top, are no part of it."""
    found = {key: given for key, given in value.items() if key != "targets"}
    if "to" in found:
        found["to"] = targets_named(found["to"])
    return replace(base or Notify(), **found)


def targets_named(value: Any) -> tuple[str, ...]:
    """The names of targets: one or a list."""
    return (value,) if isinstance(value, str) else tuple(value)


def _retry(task: Task, value: Mapping[str, Any]) -> Any:
    durations = {key: patterns.parse_duration(value[key]) for key in ("first", "max") if key in value}
    return replace(task.retry, **{**value, **durations})


def schedules_of(value: Any) -> tuple[Schedule, ...]:
    """The schedules of a task: one or a list, each a pattern alone or a mapping."""
    return tuple(_schedule(entry) for entry in (value if isinstance(value, list | tuple) else [value]))


def _schedule(entry: str | Mapping[str, Any]) -> Schedule:
    given: Mapping[str, Any] = {"pattern": entry} if isinstance(entry, str) else entry
    skip = given.get("skip", ())
    return Schedule(
        # However many spaces stand between the fields of a cron expression.
        pattern=" ".join((given["cron"] if "cron" in given else given["pattern"]).split()),
        timezone=given.get("timezone"),
        jitter=timetables.parse_jitter(given.get("jitter", "0s")),
        skip=(skip,) if isinstance(skip, str) else tuple(skip),
        start=given.get("from"),
        until=given.get("until"),
    )


def dependencies_of(value: Any) -> tuple[Dependency, ...]:
    """What a task waits for: one or a list, each a task alone or with the status that is waited for."""
    entries = value if isinstance(value, list) else [value]
    return tuple(Dependency(entry) if isinstance(entry, str) else Dependency(**entry) for entry in entries)


def _same(_: Task, value: Any) -> Any:
    return value


_CONVERT: Mapping[str, Callable[[Task, Any], Any]] = {
    "name": _same,
    "collector": _same,
    "normalizer": _same,
    "config": lambda _, value: value or {},
    "schedule": lambda _, value: schedules_of(value),
    "timezone": _same,
    "priority": lambda _, value: TaskPriority(value),
    "timeout": lambda _, value: positive_duration(value),
    "retry": _retry,
    "overlap": _same,
    "catch_up": _catch_up,
    "after": lambda _, value: dependencies_of(value),
    "when": _same,
    "expect": _expect,
    "notify": lambda task, value: notify_of(value, task.notify),
    "run_on_start": _same,
    "enabled": _same,
    "keep_cursor": _same,
    "raw": lambda _, value: patterns.parse_duration(value),
}


def host_rules(hosts: Mapping[str, Mapping[str, Any]] | None) -> dict[str, HostRule]:
    """Budgets by host; what an entry does not say stays as it is built in, or as `"*"` says."""
    found: dict[str, HostRule] = {}
    # "*" comes first, because it is what the others start from.
    for name, entry in sorted((hosts or {}).items(), key=lambda pair: pair[0] != "*"):
        name = name.lower().rstrip(".").strip("[]")
        rule = BUILT_IN["*"] if name == "*" else rule_for(name, found)
        if "gap" in entry:
            rule = replace(rule, gap=patterns.parse_duration(entry["gap"]))
        if "rate" in entry:
            rule = replace(rule, gap=parse_rate(entry["rate"]))
        if "concurrency" in entry:
            rule = replace(rule, concurrency=entry["concurrency"])
        found[name] = rule
    return found


def task_hash(task: Task) -> str:
    """16 hex digits of what a task does and when: the same wherever it is declared."""
    words = [str(getattr(task, name)) for name in _PLAIN]
    return stable_hash([*words, task.config, _python_name(task.normalizer)])


def schedule_hash(task: Task) -> str:
    """16 hex digits of when a task is due."""
    # What was switched off in its file and is switched on again begins anew, like another schedule.
    off = [] if task.enabled else ["off"]
    return stable_hash([task.timezone, *(str(schedule) for schedule in task.schedule), *off])


# All but the origin: where a task stands changes nothing about what it does.
_PLAIN = tuple(entry.name for entry in fields(Task) if entry.name not in {"config", "normalizer", "origin"})


def stable_hash(value: Any) -> str:
    """16 hex digits of a value as JSON: the same in every process and on every node."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def plain(value: Any) -> Any:
    """A value from Python as a file would hold it: mappings become dicts, sequences lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    # A number that no file could hold; in decimal Python would refuse to show the longest of them.
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return hex(value)
    return value


def _python_name(thing: Any) -> str | None:
    if thing is None or isinstance(thing, str):
        return thing
    kind = thing if isinstance(thing, type) else type(thing)
    return f"{kind.__module__}:{kind.__qualname__}"
