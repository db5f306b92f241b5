"""`stoma notify`: who can be told, what waits to be sent, and a message to try an address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stoma.cli.context import Opened, config_option, json_option, opened
from stoma.cli.noting import note_done
from stoma.cli.output import NOT_COMPLETE, leave, local, print_json, print_table, reporting, tell

if TYPE_CHECKING:
    from stoma.scheduler.config import Config

COLUMNS = ("target", "address", "state", "last sent", "waiting", "sent", "dropped")

EMPTY = "nobody is told anything: declare targets under notify.targets in stoma.yaml (docs/alerts.md)"


@click.group()
def notify() -> None:
    """Who is told when something stops working, and whether the messages arrive."""


@notify.command()
@click.argument("target", metavar="TARGET")
@config_option
@json_option
@reporting
def test(target: str, config_file: Path | None, as_json: bool) -> None:
    """Send a message to each address of TARGET now; exit code 0 when all of them took it, else 1."""
    from stoma.cli.context import load_despite
    from stoma.errors import UsageError
    from stoma.notify import services
    from stoma.scheduler.loader import Loader

    config, _ = load_despite(Loader(config_file))
    addresses = _addresses(config, target)
    if not services.is_installed():
        raise UsageError(services.MISSING, services.INSTALL)
    results = [_tried(config, target, address) for address in addresses]
    note_done(config_file, "notify-test", target, messages=sum(one["sent"] for one in results))
    if as_json:
        print_json(results)
    for result in results if not as_json else ():
        outcome = "sent" if result["sent"] else f"not sent: {result['error']}"
        tell(f"{target} {result['address']}: {outcome}")
    if not all(result["sent"] for result in results):
        leave(NOT_COMPLETE)


@notify.command(name="list")
@config_option
@json_option
@reporting
def list_(config_file: Path | None, as_json: bool) -> None:
    """Each address: whether it can be used from here, when something was sent to it last, and what waits."""
    with opened(config_file) as here:
        found = _standings(here)
        alerts = here.store.alerts.open()
        if as_json:
            print_json({"targets": found, "alerts": [alert.as_dict() for alert in alerts]})
            return
        zone = here.config.timezone
        rows = [
            (one["target"], one["address"], one["state"], local(one["last_sent_at"], zone), one["waiting"],
             one["sent"], one["dropped"])
            for one in found
        ]  # fmt: skip
        print_table(COLUMNS, rows, empty=EMPTY, numbers=3)
        for alert in alerts:
            tell(f"open: {alert.about} {alert.kind} since {local(alert.since_at, zone)}")


def _addresses(config: Config, target: str) -> tuple[str, ...]:
    from stoma.errors import NotFound
    from stoma.wording import did_you_mean, shown

    found = config.targets.get(target)
    if found is None:
        near = did_you_mean(target, config.targets)
        hint = f"there are {', '.join(config.targets)}" if config.targets else EMPTY
        raise NotFound(f'there is no target "{shown(target)}"{near}', hint)
    return found


def _tried(config: Config, target: str, address: str) -> dict[str, Any]:
    import socket

    from stoma.errors import Blocked
    from stoma.notify import services
    from stoma.references import resolve

    text = f"This is a test from Stoma on {socket.gethostname()}: messages to {target} arrive."
    try:
        error = services.send_within(str(resolve(address, config.base)), "Stoma: a test", text, "info")
    except Blocked as blocked:
        error = f"{blocked.message}; {blocked.hint}"
    return {"target": target, "address": address, "sent": error is None, "error": error and str(error)}


def _standings(here: Opened) -> list[dict[str, Any]]:
    """Each declared address, and those that something still waits for although they are declared no more."""
    from stoma.notify.sending import waiting_reason
    from stoma.scheduler.base import iso

    declared = {(target, address) for target, found in here.config.targets.items() for address in found}
    counts: dict[tuple[str, str], dict[str, Any]] = {}
    for row in here.store.outbox.counts():
        counts.setdefault((row["target"], row["address"]), {})[row["status"]] = row
    errors = {(row["target"], row["address"]): row for row in here.store.outbox.failing()}
    found = []
    for key in [*sorted(declared), *sorted(counts.keys() - declared)]:
        of = counts.get(key, {})
        waiting, sent = of.get("waiting"), of.get("sent")
        if key not in declared and waiting is None:
            continue
        reason = waiting_reason(here.config, key[1]) if key in declared else "it is declared no more"
        failing = errors.get(key)
        state = "ready"
        if reason is not None:
            state = f"blocked: {reason}"
        elif failing is not None:
            tries = "1 try" if failing["tries"] == 1 else f"{failing['tries']} tries"
            state = f"failing after {tries}: {failing['error']}"
        found.append(
            {
                "target": key[0],
                "address": key[1],
                "state": state,
                "last_sent_at": iso(sent["sent_at"]) if sent else None,
                "next_try_at": iso(failing["not_before"]) if failing else None,
                "waiting": waiting["count"] if waiting else 0,
                "waiting_since": iso(waiting["created_at"]) if waiting else None,
                "sent": sent["count"] if sent else 0,
                "dropped": of["dropped"]["count"] if "dropped" in of else 0,
            }
        )
    return found
