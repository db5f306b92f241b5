"""What this process counts, and the text in which Prometheus reads it. The only module that knows prometheus-client.

Counting imports nothing and costs about a microsecond; the library is imported when somebody asks for the text.
What is counted here is of this process: several nodes on one store tell each its own.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from stoma.references import mask

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

OTHER = "other"
"""What all those are called together for which there is no room."""

MOST_TASKS = 1_000
MOST_HOSTS = 200
MOST_COLLECTORS = 50
"""Names of their own; each makes series that Prometheus keeps in memory. The rest is called `other`."""

LONGEST_NAME = 120

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds, for what should take milliseconds."""

LATE = (0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
LONG = (0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)

Labels = tuple[str, ...]


class Names:
    """The values of a label that strangers or people make up: only so many, and none that does harm."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        known = self._known.get(name)
        if known is None:
            # Two threads at once may let in one more: that does no harm.
            if len(self._known) >= self._most:
                return OTHER
            known = self._known[name] = label(name)
        return known


TASKS, HOSTS, COLLECTORS = Names(MOST_TASKS), Names(MOST_HOSTS), Names(MOST_COLLECTORS)


def label(text: str) -> str:
    """A text as the value of a label: without secrets, holdable, of bounded length; its escaping is the library's."""
    return mask(text).encode("utf-8", "replace").decode()[:LONGEST_NAME]


class Counter:
    """Counts by labels; `names` bounds the values of the first one."""

    def __init__(self, name: str, told: str, *labels: str, names: Names | None = None) -> None:
        self.name, self.told, self.labels = name, told, labels
        self._names = names
        self._lock = threading.Lock()
        self._counts: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *labels: str, by: float = 1) -> None:
        """Count `by` more."""
        if self._names is not None:
            labels = (self._names[labels[0]], *labels[1:])
        with self._lock:
            self._counts[labels] = self._counts.get(labels, 0) + by

    def values(self) -> Mapping[Labels, float]:
        """The counts so far."""
        with self._lock:
            return dict(self._counts)

    def family(self) -> Metric:
        """The same as the library wants it."""
        from prometheus_client.core import CounterMetricFamily

        found = CounterMetricFamily(self.name, self.told, labels=self.labels)
        for labels, value in self.values().items():
            found.add_metric(labels, value)
        return found


class Histogram:
    """Counts how often something took how many seconds, by labels; `names` bounds the values of the first one."""

    def __init__(
        self, name: str, told: str, bounds: Sequence[float], *labels: str, names: Names | None = None
    ) -> None:
        self.name, self.told, self.labels = name, told, labels
        self.bounds = bounds
        self._names = names
        self._lock = threading.Lock()
        self._counts: dict[Labels, list[float]] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """It took so many seconds once more."""
        if self._names is not None:
            labels = (self._names[labels[0]], *labels[1:])
        place = bisect_left(self.bounds, seconds)
        with self._lock:
            counts = self._counts.get(labels)
            if counts is None:
                # How many lie below each bound and above the last one, and the sum of all.
                counts = self._counts[labels] = [0.0] * (len(self.bounds) + 2)
            counts[place] += 1
            counts[-1] += seconds

    def values(self) -> Mapping[Labels, Sequence[float]]:
        """By labels: how many were at most as long as each bound but longer than the one before, the rest, the sum."""
        with self._lock:
            return {labels: tuple(counts) for labels, counts in self._counts.items()}

    def family(self) -> Metric:
        """The same as the library wants it."""
        from prometheus_client.core import HistogramMetricFamily

        found = HistogramMetricFamily(self.name, self.told, labels=self.labels)
        names = [*map(str, self.bounds), "+Inf"]
        for labels, counts in self.values().items():
            so_far, buckets = 0.0, []
            for name, count in zip(names, counts, strict=False):
                so_far += count
                buckets.append((name, so_far))
            found.add_metric(labels, buckets, counts[-1])
        return found


@dataclass(frozen=True, slots=True)
class Reading:
    """What is looked up when somebody asks."""

    name: str
    told: str
    labels: Labels = ()
    values: Mapping[Labels, float] = field(default_factory=dict)
    kind: Literal["gauge", "info"] = "gauge"

    def family(self) -> Metric:
        """The same as the library wants it."""
        from prometheus_client.core import GaugeMetricFamily

        # The value of an info is always one: what it tells stands in its labels.
        suffix = "_info" if self.kind == "info" else ""
        found = GaugeMetricFamily(self.name + suffix, self.told, labels=self.labels)
        for labels, value in self.values.items():
            found.add_metric([label(text) for text in labels], value)
        return found


RUNS = Counter("stoma_runs", "Runs that ended for good, by task and status.", "task", "status", names=TASKS)
ATTEMPTS = Counter(
    "stoma_attempts",
    "Tries that ended, by what became of their run: pending and interrupted ones go on later.",
    "status",
)
DURATION = Histogram(
    "stoma_run_duration_seconds", "How long a try of a run worked.", LONG, "collector", names=COLLECTORS
)
LATENESS = Histogram(
    "stoma_run_lateness_seconds",
    "How long after its due instant a scheduled run began, by priority.",
    LATE,
    "priority",
)
RECORDS = Counter(
    "stoma_records",
    "Records that pages brought, by task and what became of them: new, changed, unchanged, rejected.",
    "task",
    "outcome",
    names=TASKS,
)
REQUESTS = Counter(
    "stoma_requests",
    "Requests to sources, by host and class of the answer: 2xx, 3xx, 4xx, 5xx, or none.",
    "host",
    "status",
    names=HOSTS,
)
HOST_WAITS = Counter(
    "stoma_host_wait_seconds", "Seconds that runs waited for their turn at a host.", "host", names=HOSTS
)
POSTPONED = Counter(
    "stoma_host_postponed",
    "Requests whose turn at a host was so far away that the run was put back.",
    "host",
    names=HOSTS,
)
STORE = Histogram(
    "stoma_store_seconds",
    "How long the store took: a read, or a write with its wait for the turn and its commit.",
    QUICK,
    "operation",
)
STORE_ERRORS = Counter("stoma_store_errors", "Turns of the loop and runs that a failing store stopped.")
INDEXED = Counter("stoma_indexed_records", "Records that were taken into the index of words.")
TICK = Histogram(
    "stoma_tick_seconds", "How long a turn of the loop took; the count says how often it turned.", QUICK
)
TICK_ERRORS = Counter("stoma_tick_errors", "Turns of the loop that failed, for whatever reason.")

COUNTED: tuple[Counter | Histogram, ...] = (
    RUNS, ATTEMPTS, DURATION, LATENESS, RECORDS, REQUESTS, HOST_WAITS, POSTPONED, STORE, STORE_ERRORS, INDEXED,
    TICK, TICK_ERRORS,
)  # fmt: skip


def text(readings: Iterable[Reading] = (), accept: str = "") -> tuple[bytes, str]:
    """All that is counted and `readings` in the format that `accept` (a header) asks for, and its media type."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([*COUNTED, *readings]))
    # CPU, memory and open files, where there is /proc.
    ProcessCollector(registry=registry)
    try:
        encode, kind = choose_encoder(accept)
    except (ValueError, TypeError):
        # It asks for a version that is none.
        encode, kind = choose_encoder("")
    return encode(registry), kind


class _Families:
    """What the library asks for at each look."""

    def __init__(self, of: Iterable[Any]) -> None:
        self._of = of

    def collect(self) -> Iterator[Metric]:
        return (one.family() for one in self._of)
