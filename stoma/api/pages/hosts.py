"""The hosts that are asked: how often each may be, what became of the requests, when the next one may be sent."""

from __future__ import annotations

from stoma.api import about
from stoma.api.answers import Asked, Document, Redirect
from stoma.api.pages import render
from stoma.hosts import HostRule
from stoma.scheduler.asking import host_standings

MOST, MOST_TASKS = 100, 5
"""Hosts on the page, and tasks named beside each."""


def page(asked: Asked) -> Document:
    """Each host with its budget and how it stands; those that want to be left alone come first."""
    scheduler = asked.scheduler
    found = host_standings(scheduler.config, scheduler.store)
    found.sort(key=lambda one: (one.cooling_until is None, one.last_asked_at is None, one.host))
    return render.page(
        asked,
        "hosts.html",
        hosts=[(one, rule_words(one.rule), one.tasks[:MOST_TASKS]) for one in found[:MOST]],
        left_out=max(0, len(found) - MOST),
    )


def reset(asked: Asked, host: str) -> Redirect:
    """End the cool-down of a host now."""
    about.reset_host(asked, host)
    return Redirect("/hosts")


def rule_words(rule: HostRule) -> str:
    """A rule as a person would say it."""
    seconds = rule.gap.total_seconds()
    words = (
        [] if not seconds else [f"one each {seconds:g} s" if seconds >= 1 else f"{1 / seconds:g} a second"]
    )
    words += [] if rule.concurrency is None else [f"{rule.concurrency} at once"]
    return ", ".join(words) or "no limits"
