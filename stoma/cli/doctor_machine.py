"""`stoma doctor`: this machine: what the process may use, zones, the control server, and, if asked, the hosts."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stoma.cli.checkup import Found, Patient, problem, warning, well

if TYPE_CHECKING:
    from stoma.collectors.http import HttpClient

LIMITS, ZONES, SERVER, ONLINE = "limits", "time zones", "server", "online"

FEW_FILES = 512
"""Open files below which the control server's clients alone could use up what a process may open."""

INOTIFY = Path("/proc/sys/fs/inotify")
FEW_WATCHES, FEW_INSTANCES = 1024, 16
"""Folders that may be watched, and programs that may watch some; Stoma needs one of these and a few of those."""

PATIENCE = 3.0
"""Seconds for an answer of our own server."""

HOST_SECONDS = 20.0
"""How long one host is given, its turn and all tries included."""

WRONG_CLOCK = timedelta(minutes=2)
"""By how much the Date of an answer may differ: it has no fractions, and some hosts cache it."""


def limits(patient: Patient) -> Iterator[Found]:
    """How many files this process may open, and how many folders it may watch."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FEW_FILES:
        more = min(4096, hard) if hard > 0 else 4096
        hint = f"`ulimit -n {more}` before the start, or LimitNOFILE= in a unit of systemd"
        yield warning(LIMITS, f"this process may open {soft} files only", hint)
    else:
        yield well(LIMITS, f"{soft:,} open files" if soft >= 0 else "any number of open files")
    for name, few in (("max_user_watches", FEW_WATCHES), ("max_user_instances", FEW_INSTANCES)):
        try:
            count = int((INOTIFY / name).read_text())
        except (OSError, ValueError):
            continue  # not Linux, or not told in this container
        if count < few:
            hint = f"sysctl fs.inotify.{name}={few * 8}; without it edits are seen somewhat later"
            yield warning(LIMITS, f"fs.inotify.{name} is {count}: edits may not be noticed at once", hint)


def zones(patient: Patient) -> Iterator[Found]:
    """Whether the zones of the configuration are known here."""
    from stoma.scheduler.zones import zone_of

    names = {patient.config.timezone} | {
        schedule.timezone or task.timezone
        for task in patient.config.tasks.values()
        for schedule in task.schedule
    }
    for name in sorted(names):
        zone_of(name)
    yield well(ZONES, f"{', '.join(sorted(names)[:5])}{'…' if len(names) > 5 else ''} known")


def server(patient: Patient) -> Iterator[Found]:
    """Whether the control server answers, or could listen."""
    host, port = patient.config.api.host, patient.config.api.port
    urls = [row["api_url"] for row in patient.nodes or () if row["api_url"]] if patient.is_running else []
    for url in urls:
        # Those of other machines may listen where nobody reaches them from here.
        if status := answers(url, PATIENCE):
            yield well(SERVER, f"{url} answers ({status})")
        else:
            hint = "look at the scheduler's log; a firewall may stand between, too"
            yield warning(SERVER, f"{url} does not answer within {PATIENCE:g} s", hint)
    if urls or patient.is_running:
        return
    if port == 0:
        yield well(SERVER, f"listens on any free port of {host}")
        return
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        hint = "end what listens there, or choose another one: api.port, or --port"
        yield problem(SERVER, f"{host} port {port} cannot be listened on: {told}", hint)
        return
    yield well(SERVER, f"{host} port {port} is free")


def online(patient: Patient) -> Iterator[Found]:
    """Whether each host of the tasks answers, asked once through the ordinary client, within its budget."""
    from stoma.collectors.base import Deadline
    from stoma.scheduler.parts import connect, surroundings
    from stoma.scheduler.pipeline import Control, client

    if patient.config.demo:
        yield well(ONLINE, "the demo asks no source")
        return
    if not patient.is_store_ready:
        hint = "start the scheduler once, or mend what is told of the store"
        yield warning(ONLINE, "no host was asked: their budgets lie in the store", hint)
        return
    asked = _addresses(patient)
    with connect(patient.config, existing=True) as store:
        for host, url in sorted(asked.items()):
            control = Control(deadline=Deadline(HOST_SECONDS))
            around = surroundings(patient.config, store)
            with client(around, control, named=frozenset({host})) as asking:
                yield _asked(asking, host, url)
    if not asked:
        yield well(ONLINE, "no task names a host")


def _asked(client: HttpClient, host: str, url: str) -> Found:
    from stoma.errors import HostWait, SourceBusy, SourceRefused, StomaError

    try:
        headers: Mapping[str, str] = client.get(url, parse=lambda response: response.headers)
    except SourceRefused as error:
        return well(ONLINE, f"{host} answers" + (f" ({error.status})" if error.status else ""))
    except (HostWait, SourceBusy) as error:
        return warning(ONLINE, error.message, "runs wait for it by themselves")
    except StomaError as error:
        return warning(
            ONLINE, f"{host}: {error.message}", error.hint or "look at the network and at its name"
        )
    try:
        apart = abs(parsedate_to_datetime(headers["date"]) - datetime.now(UTC))
    except (KeyError, ValueError, TypeError):
        return well(ONLINE, f"{host} answers")
    if apart > WRONG_CLOCK:
        hint = "set this machine's clock by NTP (timedatectl)"
        return warning(ONLINE, f"{host} answers, and its clock is {apart.total_seconds():.0f} s apart", hint)
    return well(ONLINE, f"{host} answers, and its clock agrees")


def _addresses(patient: Patient) -> dict[str, str]:
    """What is asked of each host of the tasks: its robots.txt, the smallest thing that is meant for programs."""
    from stoma import collectors
    from stoma.hosts import plain_host
    from stoma.scheduler.config import blocked_reason

    found: dict[str, str] = {}
    for task in patient.config.tasks.values():
        if blocked_reason(task, patient.config):
            continue
        written: Any = task.config.get("base_url") or task.config.get("url")
        if isinstance(written, str) and written.startswith(("http://", "https://")):
            parts = urlsplit(written)
            found.setdefault(plain_host(parts.hostname or ""), f"{parts.scheme}://{parts.netloc}/robots.txt")
        elif host := collectors.host_of(task.collector, task.config):
            found.setdefault(host, f"https://{host}/robots.txt")
    return found


def answers(url: str, seconds: float) -> str | None:
    """The status of a control server's `/health`, past every proxy; None where there is none in time."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        with closing(kind(parts.hostname or "", parts.port, timeout=seconds)) as link:
            link.request("GET", "/health")
            answer = link.getresponse()
            return f"{answer.status} {answer.reason}"
    except (OSError, http.client.HTTPException, ValueError):
        return None
