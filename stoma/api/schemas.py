"""The shape of each answer of the API, as JSON Schema: what the reference tells, and what tests hold answers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stoma.scheduler.base import SkipReason, TaskPriority, TaskStatus
from stoma.stores.audit import OUTCOMES

Schema = dict[str, Any]

ANY: Schema = {}
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
OBJECT: Schema = {"type": "object"}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | {"type": [schema["type"], "null"]}


def many(schema: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": schema}


def by_name(schema: Schema) -> Schema:
    """An object with any names."""
    return {"type": "object", "additionalProperties": schema}


def of(name: str) -> Schema:
    """What is called so among SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


def told(schema: Schema, text: str) -> Schema:
    """The same, with a sentence for the reference."""
    return schema | {"description": text}


def words(*allowed: str) -> Schema:
    """One of several words."""
    return {"type": "string", "enum": [str(word) for word in allowed]}


def shape(
    text: str, members: Mapping[str, Schema], also: Mapping[str, Schema] | None = None, base: str = ""
) -> Schema:
    """An object that always has `members` and may have those of `also`; `base` is one whose members it has, too."""
    before: Schema = SCHEMAS[base] if base else {"properties": {}, "required": []}
    properties = {**before["properties"], **members, **(also or {})}
    required: Sequence[str] = [*before["required"], *members]
    found = {"type": "object", "properties": properties, "required": list(required)}
    return told(found, text) if text else found


STATUS = words(*TaskStatus)
NEXT = told(maybe(WHOLE), "Given as `cursor` it goes on from here; null at the end.")
SCHEMAS: dict[str, Schema] = {}

SCHEMAS["Error"] = shape(
    "What went wrong, as a person would say it.",
    {
        "error": told(TEXT, "The name of the HTTP status."),
        "message": told(TEXT, "What, where and why."),
        "hint": told(TEXT, "What to do about it; may be empty."),
    },
)
SCHEMAS["Problem"] = shape(
    "One fault in one file, where it stands.",
    {"file": TEXT, "line": WHOLE, "column": WHOLE, "quoted": TEXT, "message": TEXT, "hint": TEXT},
)
SCHEMAS["Run"] = shape(
    "One execution of a task, with what it brought.",
    {
        "task": TEXT,
        "run": told(WHOLE, "Its number."),
        "trigger": told(TEXT, "`at:INSTANT`, `after:RUN`, `hand:UUID` or `backfill:ID/WINDOW`."),
        "status": STATUS,
        "reason": maybe(TEXT),
        "attempt": told(WHOLE, "How many tries have begun."),
        "seen": WHOLE,
        "new": WHOLE,
        "changed": WHOLE,
        "unchanged": WHOLE,
        "rejected": WHOLE,
        "pages": WHOLE,
        "scheduled_for": maybe(INSTANT),
        "not_before": told(maybe(INSTANT), "Until when it waits."),
        "started_at": maybe(INSTANT),
        "finished_at": maybe(INSTANT),
        "duration_seconds": maybe(NUMBER),
        "error": maybe(TEXT),
    },
)
SCHEMAS["WaitingRun"] = shape("A run that is not running, and what for.", {"waits_for": TEXT}, base="Run")
SCHEMAS["Runs"] = shape("", {"runs": many(of("Run")), "next": NEXT})
SCHEMAS["Attempt"] = shape(
    "One try of a run.",
    {
        "attempt": WHOLE,
        "node": TEXT,
        "status": TEXT,
        "started_at": INSTANT,
        "finished_at": maybe(INSTANT),
        "duration_seconds": maybe(NUMBER),
        "error": maybe(TEXT),
    },
)
SCHEMAS["Line"] = shape("A line of a log.", {"id": WHOLE, "at": INSTANT, "level": TEXT, "message": TEXT})
SCHEMAS["Log"] = shape(
    "What was logged while a run was carried out.",
    {
        "run": WHOLE,
        "status": STATUS,
        "lines": many(of("Line")),
        "next": told(WHOLE, "Given as `after` it goes on behind these lines, also with those to come."),
        "is_over": told(TRUTH, "True when nothing more will come."),
    },
)
SCHEMAS["RunDetail"] = shape(
    "A run with its tries and its log.",
    {
        "priority": words(*TaskPriority),
        "scope": told(TEXT, "`live`, or one backfill."),
        "host": told(maybe(TEXT), "The host that it asks, where that is known."),
        "created_at": INSTANT,
        "cancel_asked_at": maybe(INSTANT),
        "attempts": many(of("Attempt")),
        "log": of("Log"),
    },
    base="Run",
)
SCHEMAS["Task"] = shape(
    "A task and how it stands.",
    {
        "id": TEXT,
        "name": TEXT,
        "collector": TEXT,
        "schedule": told(TEXT, "When it is due; empty where nothing but `after` or a hand starts it."),
        "occasion": told(TEXT, "When it runs, in words."),
        "after": many(TEXT),
        "when": maybe(TEXT),
        "priority": words(*TaskPriority),
        "enabled": TRUTH,
        "status": told(
            maybe(words(*TaskStatus, "blocked")),
            "That of the run under way or else of its newest one; null before the first.",
        ),
        "reason": maybe(TEXT),
        "trouble": told(
            maybe(
                shape(
                    "",
                    {"status": words("failed", "suspect"), "reason": maybe(TEXT), "again_at": maybe(INSTANT)},
                )
            ),
            "How it fails, also while it waits for its next try or is tried again; null while it does not.",
        ),
        "next_run": maybe(INSTANT),
        "last_run": maybe(INSTANT),
        "origin": told(TEXT, "`file:line`, or `python`."),
    },
)
SCHEMAS["Task"]["properties"]["status"]["enum"].append(None)
SCHEMAS["Tasks"] = shape("", {"tasks": many(of("Task"))})
SCHEMAS["TaskDetail"] = shape(
    "A task with its definition and its last runs.",
    {
        "definition": told(by_name(maybe(TEXT)), "Each key as it is in force; secrets are starred."),
        "cursor": told(ANY, "What is completely collected, in the source's own words; null before that."),
        "cursor_moved_at": maybe(INSTANT),
        "is_unfinished": told(TRUTH, "True where the next run goes on behind the last page."),
        "runs": many(of("Run")),
    },
    base="Task",
)
SCHEMAS["TaskAdded"] = shape(
    "", {"id": TEXT, "file": TEXT, "in_force": told(TRUTH, "False where it will be within seconds.")}
)
SCHEMAS["TaskRemoved"] = shape("", {"id": TEXT, "file": told(TEXT, "The file that was deleted.")})
SCHEMAS["Enabled"] = shape("", {"id": TEXT, "enabled": TRUTH})
SCHEMAS["Paused"] = shape("", {"paused": TRUTH})
SCHEMAS["PresetLoaded"] = shape("", {"preset": TEXT, "added": told(many(TEXT), "Ids of the tasks.")})
SCHEMAS["Skips"] = shape(
    "",
    {
        "skips": many(
            shape(
                "Neighbouring due instants that became no run.",
                {
                    "first": INSTANT,
                    "last": INSTANT,
                    "count": WHOLE,
                    "reason": words(*SkipReason),
                    "detail": maybe(TEXT),
                },
            )
        ),
        "next": told(maybe(TEXT), NEXT["description"]),
    },
)
SCHEMAS["Why"] = shape(
    "What became of each due instant of one day.",
    {
        "task": TEXT,
        "date": DAY,
        "zone": TEXT,
        "from": INSTANT,
        "until": INSTANT,
        "notes": many(TEXT),
        "instants": many(
            shape(
                "",
                {
                    "first": INSTANT,
                    "last": INSTANT,
                    "count": told(maybe(WHOLE), "Null where nobody can count them any more."),
                    "outcome": told(TEXT, "The status of its run, or `skipped`, `to come`, `waiting` …"),
                    "why": TEXT,
                    "runs": many(of("Run")),
                },
            )
        ),
    },
)
SCHEMAS["Next"] = shape(
    "The instants to come.",
    {
        "paused": TRUTH,
        "until": INSTANT,
        "instants": many(
            shape(
                "",
                {
                    "task": TEXT,
                    "at": INSTANT,
                    "local": told(INSTANT, "By the clock of its zone."),
                    "zone": TEXT,
                    "starts": told(INSTANT, "When its run starts at the earliest."),
                    "skipped": told(maybe(TEXT), "Why nothing will run, where that is known."),
                    "marks": many(TEXT),
                },
            )
        ),
        "tasks": many(shape("", {"task": TEXT, "notes": many(TEXT)})),
    },
)
SCHEMAS["Node"] = shape(
    "A scheduler, as it described itself with its last heartbeat.",
    {
        "node": TEXT,
        "pid": WHOLE,
        "version": TEXT,
        "api": maybe(TEXT),
        "config_hash": TEXT,
        "generation": WHOLE,
        "started_at": INSTANT,
        "heartbeat_at": INSTANT,
    },
    {
        "usage": OBJECT,
        "threads": WHOLE,
        "working": many(OBJECT),
        "abandoned_threads": WHOLE,
        "loaded_at": maybe(INSTANT),
        "restart_needed": many(TEXT),
        "code": by_name(TEXT),
        "errors": many(of("Problem")),
    },
)
SCHEMAS["Alert"] = shape(
    "A trouble that is not over yet.",
    {
        "about": told(TEXT, "`task ID`, `config` or `network`."),
        "kind": words("failing", "suspect", "silence", "gone", "config", "network"),
        "task": maybe(TEXT),
        "since": INSTANT,
        "opened_at": INSTANT,
        "told_at": told(INSTANT, "When people were told last."),
        "bad_runs": told(WHOLE, "Runs in a row that did not complete."),
        "detail": TEXT,
    },
)
SCHEMAS["Alerts"] = shape("", {"alerts": many(of("Alert"))})
SCHEMAS["Entry"] = shape(
    "A change, or what somebody wanted to change.",
    {
        "id": WHOLE,
        "at": INSTANT,
        "who": told(TEXT, "The token by the name of its reference, a user of the machine, or `anyone`."),
        "via": words("http", "cli"),
        "address": told(TEXT, "From where: an address, or the name of the machine."),
        "action": told(TEXT, "What, as the command calls it."),
        "target": told(TEXT, "Of what: a task, a run, a preset; may be empty."),
        "outcome": words(*OUTCOMES),
        "status": told(maybe(WHOLE), "The status of the answer; null for a command."),
        "circumstances": told(
            OBJECT, "What else is known, without secrets: path, what was sent, why it failed."
        ),
    },
)
SCHEMAS["Audit"] = shape("", {"entries": many(of("Entry")), "next": NEXT})
SCHEMAS["Nodes"] = shape("", {"nodes": many(of("Node"))})
_STANDING = {
    "generation": told(WHOLE, "Counts the configurations that were in force in this process."),
    "loaded_at": maybe(INSTANT),
    "hash": told(TEXT, "Equal on all nodes that were given the same."),
    "errors": told(many(of("Problem")), "What is wrong with the files; the text before stays in force."),
    "restart_needed": told(many(TEXT), "What was edited and only a restart brings into force."),
}
SCHEMAS["Config"] = shape(
    "The configuration in force.",
    {
        **_STANDING,
        "files": many(shape("", {"file": TEXT, "hash": TEXT})),
        "settings": by_name(TEXT),
    },
)
_COUNTS = by_name(WHOLE)
SCHEMAS["Status"] = shape(
    "How everything stands; at most a second old, and what was changed here is told at once.",
    {
        "running": TRUTH,
        "silent": told(maybe(TEXT), "Who holds the store and is not heard of."),
        "nodes": many(of("Node")),
        "config": shape("", _STANDING),
        "tasks": WHOLE,
        "enabled": WHOLE,
        "blocked": WHOLE,
        "paused_since": maybe(INSTANT),
        "running_runs": many(of("Run")),
        "waiting_runs": many(of("WaitingRun")),
        "next_runs": many(shape("", {"task": TEXT, "at": INSTANT})),
        "hosts": told(
            many(shape("", {"host": TEXT, "cooling_until": INSTANT, "reason": TEXT})),
            "Those that want to be left alone.",
        ),
        "failing": many(
            shape(
                "",
                {
                    "task": TEXT,
                    "status": words("failed", "suspect"),
                    "reason": maybe(TEXT),
                    "again_at": told(maybe(INSTANT), "When it is tried again, where a run waits for that."),
                },
            )
        ),
        "gone": many(shape("", {"task": TEXT, "reason": TEXT})),
        "records": told(_COUNTS, "How many there are, by kind."),
        "store": words("sqlite", "postgres"),
        "now": INSTANT,
    },
)
SCHEMAS["Hosts"] = shape(
    "",
    {
        "hosts": many(
            shape(
                "A host, its budget, and when it may be asked next.",
                {
                    "host": TEXT,
                    "also": told(many(TEXT), "Names that are counted together with it."),
                    "tasks": many(TEXT),
                    "gap_seconds": NUMBER,
                    "concurrency": maybe(WHOLE),
                    "rule_from": TEXT,
                    "connections_in_use": WHOLE,
                    "asked": WHOLE,
                    "unmodified": WHOLE,
                    "unmodified_share": maybe(NUMBER),
                    "busy": WHOLE,
                    "failed": WHOLE,
                    "last_asked_at": maybe(INSTANT),
                    "remaining": maybe(WHOLE),
                    "limit": maybe(WHOLE),
                    "reset_at": maybe(INSTANT),
                    "cooling_until": maybe(INSTANT),
                    "reason": maybe(TEXT),
                    "next_at": told(maybe(INSTANT), "Null where it may be asked now."),
                    "waits_for": maybe(TEXT),
                },
            )
        )
    },
)
SCHEMAS["HostReset"] = shape(
    "",
    {
        "host": TEXT,
        "was_cooling_until": maybe(INSTANT),
        "reason": maybe(TEXT),
        "runs": told(WHOLE, "How many runs that waited for it may start now."),
    },
)
SCHEMAS["Record"] = shape(
    "One normalised item.",
    {
        "id": WHOLE,
        "source": TEXT,
        "external_id": TEXT,
        "kind": TEXT,
        "title": TEXT,
        "summary": told(TEXT, "In lists at most 10,000 letters; then it ends with `…`."),
        "url": TEXT,
        "authors": many(TEXT),
        "tags": many(TEXT),
        "published_at": maybe(INSTANT),
        "updated_at": maybe(INSTANT),
        "attributes": told(OBJECT, "What only its kind has."),
        "version": WHOLE,
        "first_seen_at": INSTANT,
        "last_seen_at": INSTANT,
    },
)
_HINT = {"hint": told(TEXT, "What may be meant otherwise.")}
SCHEMAS["Records"] = shape(
    "",
    {"records": many(of("Record")), "next": NEXT},
    _HINT
    | {
        "has_more": told(TRUTH, "Of what was sought: true where there are others."),
        "lag": told(
            shape("", {"records": WHOLE, "since": maybe(INSTANT)}), "What is stored and cannot be found yet."
        ),
    },
)
_CHANGE = shape(
    "",
    {
        "field": TEXT,
        "before": ANY,
        "after": ANY,
        "words": many(many(TEXT)),
        "added": {"type": "array"},
        "removed": {"type": "array"},
    },
)
_VALUE = shape("", {"at": INSTANT, "value": NUMBER})
SCHEMAS["Story"] = shape(
    "A record with all that is known of it.",
    {
        "record": of("Record"),
        "versions": told(
            many(
                shape(
                    "",
                    {
                        "version": WHOLE,
                        "since": INSTANT,
                        "superseded_at": maybe(INSTANT),
                        "superseded_by_run": maybe(WHOLE),
                        "changes": told(many(_CHANGE), "Against the version before."),
                        **{
                            name: SCHEMAS["Record"]["properties"][name]
                            for name in (
                                "title",
                                "summary",
                                "url",
                                "authors",
                                "tags",
                                "published_at",
                                "updated_at",
                                "attributes",
                            )
                        },
                    },
                )
            ),
            "The latest 100, the oldest first; the last is the record as it is now.",
        ),
        "is_cut": told(TRUTH, "True where there are older versions."),
        "measures": many(
            shape(
                "One measure over time.",
                {
                    "measure": TEXT,
                    "count": WHOLE,
                    "first": _VALUE,
                    "last": _VALUE,
                    "least": NUMBER,
                    "most": NUMBER,
                    "change": NUMBER,
                    "is_cut": TRUTH,
                    "observations": many(shape("", {"at": INSTANT, "value": NUMBER, "run": WHOLE})),
                },
            )
        ),
        "sightings": many(
            shape(
                "Which task saw it.",
                {"task": TEXT, "first_seen_at": INSTANT, "last_seen_at": INSTANT, "run": maybe(WHOLE)},
            )
        ),
    },
)
_BY_KIND = many(shape("", {"kind": TEXT, "count": WHOLE, "is_exact": TRUTH}))
SCHEMAS["ChangedRecord"] = shape(
    "A record as it is now, and what it says otherwise.",
    {"fields": many(TEXT), "changed_at": INSTANT, "run": maybe(WHOLE)},
    base="Record",
)
SCHEMAS["RisenRecord"] = shape(
    "A record whose measure has risen.",
    {
        "before": NUMBER,
        "before_at": INSTANT,
        "latest": NUMBER,
        "latest_at": INSTANT,
        "difference": NUMBER,
        "percent": maybe(NUMBER),
    },
    base="Record",
)
_ONWARD = told(
    maybe(TEXT),
    "Given as `cursor` this list goes on from here, and it alone is told, as it stood at the first page;"
    " null at the end.",
)
SCHEMAS["Changes"] = shape(
    "What is new, what has changed and what has risen since a moment; with a `cursor` only the list that it goes on.",
    {"since": INSTANT, "now": INSTANT},
    {
        "new": shape(
            "",
            {"counts": _BY_KIND, "changed_counts": _BY_KIND, "records": many(of("Record")), "next": _ONWARD},
        ),
        "changed": shape("", {"counts": _BY_KIND, "records": many(of("ChangedRecord")), "next": _ONWARD}),
        "risen": shape(
            "",
            {
                "measures": many(
                    shape(
                        "",
                        {
                            "measure": TEXT,
                            "by_difference": many(of("RisenRecord")),
                            "by_percent": many(of("RisenRecord")),
                        },
                    )
                ),
                "looked_back_to": maybe(INSTANT),
            },
        ),
        **_HINT,
    },
)
SCHEMAS["OpenApi"] = shape(
    "This document.",
    {"openapi": TEXT, "info": OBJECT, "paths": OBJECT, "components": OBJECT},
    {"tags": many(OBJECT), "security": many(OBJECT)},
)
