"""`stoma doctor`: looks at everything that Stoma needs, and says what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stoma.cli.checkup import Found, Patient, looked_at
from stoma.cli.context import config_option, demo_option, json_option
from stoma.cli.output import NOT_COMPLETE, USAGE, WELL, leave, print_json, reporting, several, tell
from stoma.cli.waiting import waiting

if TYPE_CHECKING:
    from stoma.cli.checkup import Check
    from stoma.scheduler.config import Config

ONLINE_SECONDS = 120.0
"""All hosts together."""

COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@click.option("--online", is_flag=True, help="Ask each host of the tasks once, within its budget.")
@config_option
@demo_option
@json_option
@reporting
def doctor(online: bool, config_file: Path | None, demo: bool, as_json: bool) -> None:
    """Look whether everything Stoma needs is in order: files, references, store, clocks, hosts, rights, this machine.

    Changes nothing, and works with broken files and a dead database. Exit code 0: no problem, though there may be
    warnings; 1: a problem; 2: the files cannot be used.
    """
    from stoma import own

    patient = _patient(config_file, demo=demo, online=online)
    found: list[Found] = []
    with own.unread(), waiting("looking", quiet=as_json) as look:
        for name, check, seconds in _checks(online=online):
            look(name)
            found += looked_at(name, check, patient, seconds)
    problems = [one for one in found if one.state == "problem"]
    if as_json:
        print_json({"well": not problems, "checks": [one.as_dict() for one in found]})
    else:
        _show(found)
    leave(USAGE if patient.is_broken else NOT_COMPLETE if problems else WELL)


def _checks(*, online: bool) -> list[tuple[str, Check, float]]:
    """What is looked at, in this order: what is found first explains what comes after."""
    from stoma.cli import doctor_config, doctor_machine, doctor_store
    from stoma.cli.checkup import SECONDS

    checks: list[tuple[str, Check, float]] = [
        (doctor_config.CONFIG, doctor_config.config, SECONDS),
        (doctor_config.REFERENCES, doctor_config.references, SECONDS),
        (doctor_config.RIGHTS, doctor_config.permissions, SECONDS),
        (doctor_config.EXTRAS, doctor_config.extras, SECONDS),
        (doctor_store.STORE, doctor_store.store, SECONDS),
        (doctor_machine.SERVER, doctor_machine.server, SECONDS),
        (doctor_machine.ZONES, doctor_machine.zones, SECONDS),
        (doctor_machine.LIMITS, doctor_machine.limits, SECONDS),
    ]
    if online:
        checks.append((doctor_machine.ONLINE, doctor_machine.online, ONLINE_SECONDS))
    return checks


def _patient(config_file: Path | None, *, demo: bool, online: bool) -> Patient:
    from stoma.scheduler.config import Config
    from stoma.scheduler.lastgood import store_url_in
    from stoma.scheduler.loader import Loader

    def as_demo(config: Config) -> Config:
        return replace(config, demo=True, store_url=Config.store_url) if demo else config

    loader = Loader(config_file, amend=as_demo)
    # Stands for the files where they are broken.
    bare = Config(base=loader.base, path=loader.path)
    url = store_url_in(loader.main)
    return Patient(loader, as_demo(replace(bare, store_url=url) if url else bare), is_online=online)


def _show(found: list[Found]) -> None:
    from rich.text import Text

    from stoma.cli.output import console
    from stoma.references import mask
    from stoma.wording import clean

    screen = console()
    widest = max(len(one.about) for one in found)
    for one in found:
        line = Text.assemble((f"{one.state: <8}", COLOURS[one.state]), f" {one.about: <{widest}}  ")
        indent = " " * (len(line.plain) if screen.is_terminal and screen.width >= 80 else 4)
        screen.print(line.append(clean(mask(one.told))), soft_wrap=True)
        if one.hint and one.state != "ok":
            screen.print(Text(f"{indent}{clean(mask(one.hint))}", style="dim"), soft_wrap=True)
    counts = [(state, sum(one.state == state for one in found)) for state in ("problem", "warning")]
    told = " and ".join(several(count, state) for state, count in counts if count)
    tell(told or "everything is in order")
