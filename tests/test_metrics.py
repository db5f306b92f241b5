"""What is counted, and the text that Prometheus reads."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stoma import metrics
from stoma.metrics import Counter, Histogram, Names, Reading
from stoma.references import remember


def samples(*of: Counter | Histogram | Reading) -> dict[tuple[str, tuple[str, ...]], float]:
    """What a reader of the text finds: by name and values of labels."""
    kept = metrics.COUNTED
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "COUNTED", [one for one in of if not isinstance(one, Reading)])
        text, _ = metrics.text([one for one in of if isinstance(one, Reading)])
    assert kept is metrics.COUNTED
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_counter_counts_by_labels() -> None:
    counter = Counter("stoma_things", "Things.", "kind")
    counter.add("a")
    counter.add("a", by=2.5)
    counter.add("b")
    found = samples(counter)
    assert found["stoma_things_total", ("a",)] == 3.5
    assert found["stoma_things_total", ("b",)] == 1


def test_a_counter_without_labels_is_there_from_the_start() -> None:
    assert samples(Counter("stoma_faults", "Faults."))["stoma_faults_total", ()] == 0


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram("stoma_x_seconds", "X.", (0.1, 1.0), "kind")
    for seconds in (0.05, 0.1, 0.5, 7):
        histogram.observe(seconds, "a")
    found = samples(histogram)
    buckets = {labels[1]: value for (name, labels), value in found.items() if name.endswith("_bucket")}
    assert buckets == {"0.1": 2, "1.0": 3, "+Inf": 4}
    assert found["stoma_x_seconds_sum", ("a",)] == pytest.approx(7.65)
    assert found["stoma_x_seconds_count", ("a",)] == 4


def test_nothing_is_lost_between_threads() -> None:
    counter, histogram = Counter("stoma_a", "A.", "l"), Histogram("stoma_b", "B.", (1.0,))

    def work() -> None:
        for _ in range(5_000):
            counter.add("x")
            histogram.observe(0.5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.values() == {("x",): 20_000}
    assert histogram.values()[()] == (20_000, 0, 10_000)


def test_labels_are_bounded() -> None:
    counter = Counter("stoma_a", "A.", "task", "status", names=Names(3))
    for number in range(10):
        counter.add(f"t{number}", "done")
    counter.add("t0", "done")
    assert counter.values() == {
        ("t0", "done"): 2, ("t1", "done"): 1, ("t2", "done"): 1, ("other", "done"): 7,
    }  # fmt: skip


def test_hostile_names_do_no_harm() -> None:
    remember("very-secret-word", "${env:X}")
    names = ['a"} 1\nstoma_evil 2', "back\\slash", "half \ud800", "x" * 5_000, "a-very-secret-word.example"]
    counter = Counter("stoma_a", "A.", "host", names=Names(10))
    for name in names:
        counter.add(name)
    reading = Reading("stoma_b", "B.", ("kind",), {(name,): 1 for name in names})
    found = samples(counter, reading)
    assert {name for name, _ in found if name.startswith("stoma")} == {"stoma_a_total", "stoma_b"}
    labels = [labels[0] for name, labels in found if name == "stoma_a_total"]
    assert labels[:2] == names[:2]
    assert all(len(label) <= metrics.LONGEST_NAME for label in labels)
    assert "very-secret-word" not in str(found)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text"),
        ("text/plain;version=what", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=..", "text/plain; version=0.0.4"),
        ("\xff;;==,,", "text/plain; version=0.0.4"),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(accept: str, kind: str) -> None:
    text, found = metrics.text(accept=accept)
    assert found.startswith(kind)
    assert text.endswith(b"# EOF\n") == kind.startswith("application")


def test_figures_of_the_process() -> None:
    found = samples()
    assert found["process_resident_memory_bytes", ()] > 1_000_000
    assert found["process_open_fds", ()] > 0


@pytest.mark.parametrize("what", ["stoma.cli.main", "stoma.scheduler.manager", "stoma.api.server"])
def test_the_library_is_not_loaded_before_somebody_asks(what: str) -> None:
    code = f"import sys, {what}; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
