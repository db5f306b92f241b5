"""An HTTP client with all that it needs, every part in reach of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from stoma.collectors.base import BaseCollector, Collection, Deadline, Progress, Span, Validators
from stoma.collectors.http import HttpClient, Kept, Limits, Response
from stoma.records import CollectorResult
from tests.support.budget import FakeClock, MemoryBudget
from tests.support.server import Handler, Reply, Server

AGENT = "Stoma/test"
HERE = frozenset({"127.0.0.1", "localhost"})
Serve = Callable[[Handler | Reply], Server]


class World:
    """Waits pass on a clock of its own; the budget is kept in memory."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.budget = MemoryBudget(self.clock)
        self.stopping = threading.Event()
        self.deadline = Deadline(600, self.clock.monotonic)
        self.told: list[str] = []
        # What tests ask lies on this machine.
        self.named = HERE
        self.kept: list[Kept] = []
        self.validators: Validators | None = None
        self.clients: list[HttpClient] = []

    def client(self, attempt: int = 1, **limits: Any) -> HttpClient:
        """A client; it is closed with the world."""
        client = HttpClient(
            self.budget,
            AGENT,
            self.deadline,
            self.stopping,
            attempt=attempt,
            log=self.told.append,
            limits=Limits(**limits),
            clock=self.clock,
            validators=self.validators,
            named=self.named,
            keep=self.kept.append,
        )
        self.clients.append(client)
        return client

    def get(self, url: str, **limits: Any) -> Response:
        """The answer to one request of a fresh client."""
        return self.client(**limits).get(url, parse=lambda response: response)

    def collection(
        self,
        config: Mapping[str, Any],
        *,
        progress: Progress | None = None,
        cursor: Mapping[str, Any] | None = None,
        span: Span | None = None,
        **limits: Any,
    ) -> Collection:
        """What a run would hand to its collector."""
        return Collection(
            task_id="test",
            config=config,
            http=self.client(**limits),
            now=self.clock.now(),
            cursor=cursor,
            progress=progress,
            span=span,
            log=self.told.append,
        )

    def collect(
        self, collector: BaseCollector, config: Mapping[str, Any], **given: Any
    ) -> list[CollectorResult]:
        """Every page of a collection."""
        return list(collector.collect(self.collection(config, **given)))
