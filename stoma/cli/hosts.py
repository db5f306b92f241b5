"""`stoma hosts`: how often each host may be asked, what became of the requests, and when the next one may be sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stoma.cli import completing
from stoma.cli.context import Opened, config_option, demo_option, json_option, opened
from stoma.cli.noting import noted
from stoma.cli.output import local, print_json, print_table, reporting, several, tell

if TYPE_CHECKING:
    from stoma.hosts import HostRule
    from stoma.scheduler.manners import HostStanding

COLUMNS = ("host", "rule", "connections", "left", "requests", "304", "busy", "failed", "next request")


@click.command()
@click.argument("host", required=False, metavar="[HOST]", shell_complete=completing.hosts)
@click.option("--reset", is_flag=True, help="End the cool-down of HOST now.")
@config_option
@demo_option
@json_option
@reporting
def hosts(host: str | None, reset: bool, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Each host that is asked: its budget, what is left of it, and when the next request may be sent.

    HOST: only this one. How a budget is changed: `hosts:` in stoma.yaml; docs/manners.md tells more.
    """
    from stoma.hosts import budget_name, plain_host
    from stoma.scheduler.asking import host_standings

    if reset and host is None:
        raise click.UsageError("--reset needs the host whose cool-down is to end")
    name = budget_name(plain_host(host)) if host else None
    with opened(config_file, demo=demo) as here:
        if reset and name:
            with noted(here.store, "reset-host", name):
                words, told = _reset(here, name)
            if as_json:
                print_json(told)
            else:
                tell(words)
            return
        found = host_standings(here.config, here.store, name)
        if as_json:
            print_json([one.as_dict() for one in found])
            return
        now, zone = here.store.now(), here.config.timezone
        print_table(
            COLUMNS,
            [_row(one, now, zone) for one in found],
            empty="no host is known yet: no task names one, and nothing was asked",
        )


def _reset(here: Opened, name: str) -> tuple[str, dict[str, object]]:
    """End a cool-down; what was done, in words and as JSON carries it."""
    from stoma.scheduler.asking import host_standings
    from stoma.scheduler.base import iso

    # One that nobody knows was mistyped.
    host_standings(here.config, here.store, name)
    ended = here.store.hosts.warm(name)
    if ended is None:
        return (
            f"{name} is not cooling down: nothing was changed",
            {"host": name, "was_cooling_until": None, "reason": None, "runs": 0},
        )
    until, reason, runs = ended
    words = f"{name} may be asked again: it was to be left alone until {local(until, here.config.timezone)} ({reason})"
    words += f"; {several(runs, 'run')} that waited for it may start now" if runs else ""
    return words, {"host": name, "was_cooling_until": iso(until), "reason": reason, "runs": runs}


def _row(one: HostStanding, now: datetime, zone: str) -> list[str]:
    share = one.unmodified_share
    return [
        one.host,
        f"{_rule_words(one.rule)} ({one.rule_from})",
        f"{one.in_use} of {one.rule.concurrency}" if one.rule.concurrency is not None else str(one.in_use),
        _left(one, zone),
        str(one.asked),
        "" if share is None else f"{share:.0%}",
        str(one.busy),
        str(one.failed),
        _next_words(one, now, zone),
    ]


def _rule_words(rule: HostRule) -> str:
    """A rule as `hosts:` spells it."""
    seconds = rule.gap.total_seconds()
    words = [] if not seconds else [f"gap {seconds:g}s" if seconds >= 1 else f"rate {1 / seconds:g}/s"]
    words += [] if rule.concurrency is None else [f"concurrency {rule.concurrency}"]
    return ", ".join(words) or "no limits"


def _left(one: HostStanding, zone: str) -> str:
    told = one.allowance
    if told is None:
        return ""
    words = f"{told.remaining} of {told.limit}" if told.limit is not None else str(told.remaining)
    return words + (f" until {local(told.reset_at, zone)}" if told.reset_at else "")


def _next_words(one: HostStanding, now: datetime, zone: str) -> str:
    if one.next_at is None:
        return "when a connection is free" if one.waits_for == "connection" else "now"
    when = f"{local(one.next_at, zone)} (in {_in(one.next_at - now)})"
    return f"{when}, cooling down: {one.reason}" if one.cooling_until else when


def _in(span: timedelta) -> str:
    from stoma.scheduler.base import duration_text

    # Never "in 0s": whoever waits that long should not come too early.
    return duration_text(max(span, timedelta(seconds=1)))
