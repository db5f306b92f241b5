"""Whatever is asked, also what nobody should ask, is answered as the reference says: never a fault of ours.

Schemathesis makes the requests from the reference, valid ones and others, and sends them to a real server that has
something of everything; also those that change things.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from stoma.api.openapi import document
from stoma.api.routes import ROUTES
from stoma.api.server import Server
from stoma.api.tasks import NEW_TASK
from stoma.scheduler.manager import Scheduler
from tests.api.test_openapi import scheduler as scheduler

THERE = {
    "task_id": ["papers", "scripted", "repos"],
    "run_id": [1, 2, 3],
    "source": ["github"],
    "external_id": ["1"],
    "host": ["api.github.com", "127.0.0.1"],
    "preset": ["quiet"],
    "task": ["papers", "scripted"],
    "kind": ["entry", "repository"],
    "since": ["7d", "2026-01-31", "yesterday"],
    "until": ["1h", "today"],
    "date": ["today", "yesterday"],
    "q": ["Item", '"item 5" -name'],
    "query": ["Item"],
    "format": ["jsonl", "csv"],
    "view": ["repositories"],
}
"""What is there, so that not every request is for nothing."""

MEANT = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
)
"""Not that all that fits is accepted: a text may fit its schema and still be no moment, no view, no query."""


NIGHT = {
    "id": "night",
    "name": "N",
    "collector": "arxiv",
    "schedule": "daily",
    "config": {"search_query": "x", "base_url": "http://127.0.0.1:1"},
}
"""A task that asks nobody, should it run."""


def aimed(told: dict[str, Any]) -> dict[str, Any]:
    """The document with names that are there among those that are sent."""
    told["paths"]["/api/scheduler/tasks"]["post"]["requestBody"]["content"]["application/json"]["schema"] = {
        **NEW_TASK,
        "examples": [NIGHT, NIGHT | {"replace": True}],
    }
    for methods in told["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if parameter["name"] in THERE:
                    found = {"enum": THERE[parameter["name"]]}
                    parameter["schema"] = {"anyOf": [found, parameter["schema"]]}
    return told


SCHEMA = schemathesis.openapi.from_dict(aimed(document(ROUTES, needs_token=False)))


@pytest.fixture(scope="module")
def address(scheduler: Scheduler) -> Iterator[str]:
    server = Server(scheduler, "127.0.0.1", 0)
    server.start()
    yield server.url
    server.stop()


@SCHEMA.parametrize()
@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_it_is_answered_as_the_reference_says(case: Any, address: str) -> None:
    case.call_and_validate(base_url=address, checks=MEANT)
