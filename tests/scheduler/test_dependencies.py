"""Who waits for whom: what is accepted, circles, order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoma.scheduler.base import Dependency, Task, TaskStatus
from stoma.scheduler.dependencies import accepts, cycles, faults, followers, in_order, missing


def task(task_id: str, *after: str) -> Task:
    return Task(task_id, task_id, "arxiv", after=tuple(Dependency(name) for name in after))


@pytest.mark.parametrize(
    ("wanted", "statuses"),
    [
        ("completed", {"completed"}),
        ("failed", {"failed", "suspect"}),
        ("any", {"completed", "failed", "suspect"}),
    ],
)
def test_which_ends_are_accepted(wanted: str, statuses: set[str]) -> None:
    found = {str(status) for status in TaskStatus if accepts(Dependency("a", wanted), status)}
    assert found == statuses


def test_followers_are_known_by_their_upstream() -> None:
    tasks = {t.id: t for t in (task("c", "a", "b"), task("b", "a"), task("a"))}
    assert followers(tasks) == {"a": ("b", "c"), "b": ("c",)}


def test_what_is_missing_is_named_in_order() -> None:
    assert missing(task("d", "c", "a", "b"), {"a"}) == ["c", "b"]


def test_a_circle_is_spelled_out_once() -> None:
    assert cycles({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["a"]}) == [["a", "c", "b", "a"]]
    assert cycles({"a": ["a"]}) == [["a", "a"]]
    assert cycles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []


def test_faults_say_which_task_and_what_to_do() -> None:
    [unknown] = faults({"papers": [], "mail": ["paper"]})
    assert unknown == ("mail", 0, 'after: there is no task "paper"; did you mean "papers"?')
    [circle] = faults({"a": ["x", "b"], "b": ["a"], "x": []})
    assert circle == ("a", 1, "after: a waits for itself through others: a -> b -> a")
    [alone] = faults({"a": ["a"]})
    assert alone == ("a", 0, "after: a waits for itself: a -> a")


def test_a_chain_of_any_length_is_no_matter() -> None:
    chain = {str(n): [str(n + 1)] for n in range(20_000)} | {"20000": []}
    assert cycles(chain) == []
    ring = chain | {"20000": ["0"]}
    [circle] = cycles(ring)
    assert len(circle) == 20_002
    [(_, _, told)] = faults(ring)
    assert len(told) < 500
    tasks = in_order(task(name, *upstreams) for name, upstreams in chain.items())
    assert [t.id for t in tasks[:2]] == ["20000", "19999"]


GRAPHS = st.dictionaries(
    st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg"), max_size=4, unique=True), min_size=1
).map(lambda found: {name: [u for u in upstreams if u in found] for name, upstreams in found.items()})


@given(GRAPHS)
def test_each_circle_is_one_and_none_is_missed(graph: dict[str, list[str]]) -> None:
    found = cycles(graph)
    for circle in found:
        assert circle[0] == circle[-1]
        assert all(b in graph[a] for a, b in pairwise(circle))
    # What is left when nobody without open upstream tasks remains is what lies on or behind circles.
    left = dict(graph)
    while free := [name for name, ups in left.items() if not any(up in left for up in ups)]:
        for name in free:
            del left[name]
    assert bool(found) == bool(left)


@given(GRAPHS)
def test_each_task_stands_behind_those_it_waits_for(graph: dict[str, list[str]]) -> None:
    if cycles(graph):
        return
    order = [t.id for t in in_order(task(name, *upstreams) for name, upstreams in graph.items())]
    assert sorted(order) == sorted(graph)
    assert all(order.index(up) < order.index(name) for name, ups in graph.items() for up in ups)
