"""Troubles that people are told of, and the messages about them: written together, claimed with a lease, sent once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from stoma.records import holdable
from stoma.references import mask
from stoma.scheduler.base import iso
from stoma.scheduler.owner import is_gone
from stoma.stores.base import Database, Reader, Row, Transaction

FURTHEST = timedelta(hours=1)
"""No lease of a message reaches further; one that does was written by a clock that was wrong."""

LATELY = timedelta(days=1)
"""How far back it counts that something was told before."""

TASK = "task "
CONFIG = "config"
NETWORK = "network"
STORE = "store"

LONGEST_ERROR = 500


def about_task(task_id: str) -> str:
    """What the alert of a task is about."""
    return f"{TASK}{task_id}"


@dataclass(frozen=True, slots=True)
class Alert:
    """A trouble that lasts, and what people were told of it; `told` counts messages since it became what it is.

    It is 0 while nobody was told: it came back so soon that it may go again.
    """

    about: str
    # failing | suspect | silence | gone | config | network | store
    kind: str
    since_at: datetime
    opened_at: datetime
    told_at: datetime
    told: int = 1
    task_id: str | None = None
    holder: str | None = None
    # Runs in a row that did not complete.
    bad_runs: int = 0
    detail: str = ""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Alert:
        """An alert from a row of the table, whose columns carry the same names."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON carries them on the command line and over HTTP."""
        return {
            "about": self.about,
            "kind": self.kind,
            "task": self.task_id,
            "since": iso(self.since_at),
            "opened_at": iso(self.opened_at),
            "told_at": iso(self.told_at),
            "bad_runs": self.bad_runs,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Letter:
    """One message for one address; `address` is a reference such as `${env:STOMA_OPS_URL}`."""

    about: str
    # opened | worse | reminder | recovered | test
    event: str
    kind: str
    target: str
    address: str
    title: str
    body: str
    id: int = 0
    tries: int = 0
    # How often a process that was sending it ended before it could say what became of it.
    repeats: int = 0

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Letter:
        """A message from a row of the table, whose columns carry the same names."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Lately:
    """What was told of one thing within the last day: how often it began, when first, and when the last message was."""

    times: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None


class Alerts:
    """The table `alerts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self) -> list[Alert]:
        """What is wrong and not over yet, the oldest first."""
        with self._database.reader() as reader:
            return [Alert.from_row(row) for row in reader.all("alerts_open")]

    def lately(self, about: str, now: datetime) -> Lately:
        """What was told of one thing lately."""
        with self._database.reader() as reader:
            return lately(reader, about, now)


class Outbox:
    """The table `outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, now: datetime) -> set[tuple[str, str]]:
        """The targets and addresses for which something waits whose time has come."""
        with self._database.reader() as reader:
            rows = reader.all("outbox_due", now=now, furthest=now + FURTHEST)
        return {(row["target"], row["address"]) for row in rows}

    def addresses(self) -> set[tuple[str, str]]:
        """The targets and addresses for which something waits."""
        with self._database.reader() as reader:
            return {(row["target"], row["address"]) for row in reader.all("outbox_addresses")}

    def move(self, target: str, address: str, to: Sequence[str], now: datetime) -> int:
        """Send what waits for one address to others, each once; with none it is dropped. Gives how many messages."""
        with self._database.transaction() as tx:
            tx.lock(f"outbox {target}")
            astray = tx.all("outbox_astray", target=target, address=address)
            for row in astray:
                same = {name: row[name] for name in ("about", "event", "target", "created_at")}
                missing = [other for other in to if tx.one("outbox_has", address=other, **same) is None]
                for other in missing[1:]:
                    tx.execute("outbox_copy", id=row["id"], address=other, now=now)
                if missing:
                    tx.execute("outbox_move", id=row["id"], address=missing[0], now=now)
                else:
                    tx.execute("outbox_drop", id=row["id"])
        return len(astray)

    def claim(
        self, target: str, address: str, owner: str, now: datetime, lease_until: datetime, limit: int
    ) -> list[Letter]:
        """Take the next messages for one address, the oldest first; nobody else gets them before `lease_until`."""
        values: dict[str, Any] = {"target": target, "address": address, "owner": owner, "now": now}
        with self._database.transaction() as tx:
            rows = tx.all(
                "outbox_claim", lease_until=lease_until, furthest=now + FURTHEST, limit=limit, **values
            )
        return sorted((Letter.from_row(row) for row in rows), key=lambda letter: letter.id)

    def sent(self, letters: Sequence[Letter], now: datetime) -> None:
        """Note that these have arrived; what else waits for the address need not wait any longer."""
        with self._database.transaction() as tx:
            for letter in letters:
                tx.execute("outbox_sent", id=letter.id, now=now)
            tx.execute("outbox_hasten", target=letters[0].target, address=letters[0].address, now=now)

    def failed(
        self,
        letters: Sequence[Letter],
        owner: str,
        error: str,
        not_before: Mapping[int, datetime],
        *,
        is_unsure: bool = False,
    ) -> None:
        """Note why these could not be sent; each is tried again at its instant of `not_before`, by id.

        `is_unsure` where they may have arrived all the same: then the next try counts as a repeat.
        """
        text = str(holdable(mask(error)))[:LONGEST_ERROR]
        with self._database.transaction() as tx:
            for letter in letters:
                tx.execute(
                    "outbox_failed",
                    id=letter.id,
                    owner=owner,
                    error=text,
                    begun=1 if is_unsure else 0,
                    not_before=not_before[letter.id],
                )

    def free_gone(self) -> None:
        """Give back what a process was sending that lives no more: nobody has to wait for its lease."""
        with self._database.reader() as reader:
            owners = [row["owner"] for row in reader.all("outbox_leased")]
        for owner in filter(is_gone, owners):
            with self._database.transaction() as tx:
                tx.execute("outbox_release", owner=owner)

    def counts(self) -> list[Row]:
        """By target, address and status: how many messages, the last one sent, the oldest one made."""
        with self._database.reader() as reader:
            return reader.all("outbox_counts")

    def failing(self) -> list[Row]:
        """The oldest message for each address that could not be sent yet, with why."""
        with self._database.reader() as reader:
            return reader.all("outbox_failing")

    def forget(self, before: datetime) -> int:
        """Delete what does not wait any more and is older; gives how many."""
        with self._database.transaction() as tx:
            return tx.execute("outbox_forget", before=before)


def alert_of(reader: Reader, about: str) -> Alert | None:
    """How a trouble stands; None where there is none."""
    row = reader.one("alert_of", about=about)
    return Alert.from_row(row) if row is not None else None


def lately(reader: Reader, about: str, now: datetime) -> Lately:
    """What was told of one thing lately."""
    row = reader.one("outbox_lately", about=about, since=now - LATELY, now=now) or {}
    return Lately(int(row.get("times") or 0), row.get("first_at"), row.get("last_at"))


def told_targets(reader: Reader, alert: Alert) -> list[str]:
    """The targets that were told of a trouble since it began."""
    return [row["target"] for row in reader.all("outbox_told", about=alert.about, since=alert.opened_at)]


def save_alert(tx: Transaction, alert: Alert) -> None:
    """Note how a trouble stands."""
    tx.execute("alert_save", **{field.name: holdable(getattr(alert, field.name)) for field in fields(alert)})


def put(tx: Transaction, letters: Iterable[Letter], now: datetime) -> None:
    """Queue messages, in the transaction that decides on them."""
    rows = [
        {
            "about": one.about, "event": one.event, "kind": one.kind, "target": one.target, "address": one.address,
            "title": holdable(one.title), "body": holdable(one.body), "now": now,
        }
        for one in letters
    ]  # fmt: skip
    if rows:
        tx.many("outbox_put", rows)
