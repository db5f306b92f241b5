"""Decides what people are told, where it happens: in the transaction that ends a run, and from what a process sees.

Following(ends)   a run ended: its alert, and messages in the outbox, in the same transaction
Watching          what no run tells: rejected files, a network that is away, reminders of what lasts
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile

from stoma.errors import Problem, StomaError, StoreUnavailable
from stoma.log import log_details, logger
from stoma.notify import deciding, messages
from stoma.notify.deciding import Decision, Trouble
from stoma.notify.messages import Again, CaughtUp, Place
from stoma.records import holdable
from stoma.scheduler.base import Notify, Run, TaskStatus
from stoma.scheduler.config import Config
from stoma.scheduler.gone import SOURCE_GONE
from stoma.scheduler.network import Network
from stoma.scheduler.overview import SILENT_AFTER, other_nodes
from stoma.scheduler.owner import is_gone, this_process
from stoma.scheduler.saving import SILENT
from stoma.stores import Store
from stoma.stores.agenda import CLOCK_FAULT
from stoma.stores.base import Transaction
from stoma.stores.outbox import (
    CONFIG,
    NETWORK,
    Alert,
    Lately,
    Letter,
    about_task,
    alert_of,
    lately,
    put,
    save_alert,
    told_targets,
)

ENDS = (TaskStatus.COMPLETED, TaskStatus.SUSPECT, TaskStatus.FAILED)
"""Ends that say something of a source; what was cancelled or skipped does not."""

CONFIG_GRACE = timedelta(minutes=1)
"""How long a file may be broken before anybody is told: whoever edits it sees it anyway."""

SENT_KEPT = timedelta(days=30)
FORGET_EVERY = timedelta(hours=1)


class Alerting:
    """Notes how runs end, for those who want to be told; part of the store's `runs.on_final`."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config

    def __call__(self, tx: Transaction, run: Run, now: datetime) -> None:
        """Decide what the end of a run means for its alert, and queue what is told."""
        if not run.is_live or run.status not in ENDS:
            return
        before = alert_of(tx, about_task(run.task_id))
        if before is None and run.status is TaskStatus.COMPLETED:
            return
        try:
            self._decide(tx, run, now)
        except StomaError:
            raise
        except Exception as error:  # a mistake in a message must not undo the run
            logger.error("the alert of {} cannot be made: {!r}", run.task_id, error)
            log_details(error)

    def _decide(self, tx: Transaction, run: Run, now: datetime) -> None:
        config = self._config()
        about, notify = about_task(run.task_id), _notify_of(config, run.task_id)
        tx.lock(f"alert {about}")
        before = alert_of(tx, about)
        if run.status is not TaskStatus.COMPLETED:
            before_that = lately(tx, about, now) if before is None or not before.told else None
            decision = deciding.trouble(before, _trouble_of(tx, run, before, now), notify, now, before_that)
            _carry_out(tx, config, before, decision, now, again=before_that)
        elif before is not None:
            rows = tx.all("skips_since", task_id=run.task_id, since=before.since_at)
            back = CaughtUp(run, {row["reason"]: int(row["count"]) for row in rows})
            _carry_out(tx, config, before, deciding.over(before, notify), now, back)


class Watching:
    """What one process sees and no run tells; `look` is one of its regular jobs."""

    def __init__(self, store: Store, config: Callable[[], Config]) -> None:
        self._store = store
        self._config = config
        self._broken_since: datetime | None = None
        self._forgot_at: datetime | None = None

    def look(self, problems: Sequence[Problem], network: Network) -> bool:
        """Tell what is to be told now; True when something waits to be sent."""
        now = self._store.now()
        open_now = {alert.about: alert for alert in self._store.alerts.open()}
        looks: list[Callable[[], bool]] = [
            lambda: self._look_at_config(problems, open_now.get(CONFIG), now),
            lambda: self._look_at_network(network, open_now.get(NETWORK), now),
        ]
        for alert in open_now.values():
            if alert.task_id is not None:
                looks.append(partial(self._remind, alert, now))
        made = [_made(look) for look in looks]
        self._forget(now)
        return any(made)

    def _look_at_config(self, problems: Sequence[Problem], before: Alert | None, now: datetime) -> bool:
        wrong = self._config_trouble(problems, now)
        if wrong is None and before is None:
            return False
        if before is None and wrong and now - wrong.since_at < CONFIG_GRACE:
            return False
        return self._is_mine(before, now) and self._settle(CONFIG, wrong, now)

    def _look_at_network(self, network: Network, before: Alert | None, now: datetime) -> bool:
        wrong = _network_trouble(network)
        if wrong is None and (before is None or not _is_back(network, before, now)):
            return False
        return self._is_mine(before, now) and self._settle(NETWORK, wrong, now)

    def _settle(self, about: str, wrong: Trouble | None, now: datetime) -> bool:
        """Bring one alert up to date, in a transaction of its own."""
        config = self._config()
        with self._store.database.transaction() as tx:
            tx.lock(f"alert {about}")
            before = alert_of(tx, about)
            if wrong is not None:
                before_that = lately(tx, about, now)
                decision = deciding.trouble(before, wrong, config.notify, now, before_that)
            elif before is not None:
                decision = deciding.over(before, config.notify)
            else:
                return False
            return _carry_out(tx, config, before, decision, now)

    def _remind(self, alert: Alert, now: datetime) -> bool:
        """Tell of a task once more whose trouble lasts although no run ends; forget one that is declared no more."""
        config, task_id = self._config(), alert.task_id or ""
        task = config.tasks.get(task_id)
        if task is None:
            # On a shared database another node may know the task.
            if not other_nodes(self._store, now):
                with self._store.database.transaction() as tx:
                    tx.execute("alert_close", about=alert.about)
            return False
        is_quiet = deciding.is_quiet(alert, now)
        if not alert.told:
            is_quiet = deciding.is_held(alert.kind, self._store.alerts.lately(alert.about, now), now)
        if is_quiet:
            return False
        if not self._store.agenda.overrides().get(task_id, task.enabled):
            return False  # whoever switched it off knows
        with self._store.database.transaction() as tx:
            tx.lock(f"alert {alert.about}")
            current = alert_of(tx, alert.about)
            if current is None:
                return False
            if not current.told:
                before_that = lately(tx, alert.about, now)
                decision = deciding.late(current, now, before_that)
                return _carry_out(tx, config, current, decision, now, again=before_that)
            return _carry_out(tx, config, current, deciding.reminder(current, task.notify, now), now)

    def _config_trouble(self, problems: Sequence[Problem], now: datetime) -> Trouble | None:
        if not problems:
            self._broken_since = None
            return None
        # What lies in the future was noted before the clock was set back.
        self._broken_since = min(self._broken_since or now, now)
        told = []
        for problem in problems[:3]:
            told.append(f"{problem.place}: {problem.message}" if problem.place else problem.message)
        if len(problems) > len(told):
            told.append(f"and {len(problems) - len(told)} more")
        # The name of a file may be no text.
        detail = str(holdable("\n".join(told)))
        return Trouble(CONFIG, "config", self._broken_since, detail, holder=str(this_process()))

    def _is_mine(self, alert: Alert | None, now: datetime) -> bool:
        """Whether this process speaks for an alert: it saw it first, or who did is not at work any more."""
        if alert is None or alert.holder in (None, str(this_process())) or is_gone(alert.holder or ""):
            return True
        return not any(
            row["owner"] == alert.holder and abs(now - row["heartbeat_at"]) < SILENT_AFTER
            for row in self._store.nodes.all()
        )

    def _forget(self, now: datetime) -> None:
        if self._forgot_at is None or abs(now - self._forgot_at) >= FORGET_EVERY:
            self._forgot_at = now
            self._store.outbox.forget(now - SENT_KEPT)


def letters(
    config: Config, to: Sequence[str] | None, about: str, event: str, kind: str, text: tuple[str, str]
) -> Iterator[Letter]:
    """One message for each address of these targets; None: of all."""
    for target in dict.fromkeys(config.targets if to is None else to):
        for address in config.targets.get(target, ()):
            yield Letter(about, event, kind, target, address, *text)


def place_of(config: Config) -> Place:
    """How messages of this configuration tell times and places."""
    return Place(config.timezone, config.api.public_url)


def _carry_out(
    tx: Transaction,
    config: Config,
    before: Alert | None,
    decision: Decision,
    now: datetime,
    back: CaughtUp | None = None,
    again: Lately | None = None,
) -> bool:
    """Write what was decided; True when somebody is told."""
    after, subject = decision.alert, decision.alert or before
    if after is not None and after != before:
        save_alert(tx, after)
    elif after is None and before is not None:
        tx.execute("alert_close", about=before.about)
    if decision.told is None or subject is None:
        return False
    notify = config.notify if subject.task_id is None else _notify_of(config, subject.task_id)
    to = notify.to
    if decision.told == deciding.REMINDER:
        tx.execute("outbox_drop_reminders", about=subject.about)
    elif decision.told == deciding.RECOVERED:
        if to is not None:
            # Also those whom nobody would tell by now: they were told of the trouble.
            to = (*to, *told_targets(tx, subject))
        tx.execute("outbox_overtake", about=subject.about)
    before_that = _again(tx, subject, again, now) if decision.told == deciding.OPENED else None
    text = _text(config, subject, decision.told, now, back, before_that)
    found = [*letters(config, to, subject.about, decision.told, subject.kind, text)]
    put(tx, found, now)
    return bool(found)


def _text(
    config: Config, alert: Alert, event: str, now: datetime, back: CaughtUp | None, again: Again | None
) -> tuple[str, str]:
    if alert.task_id is None:
        return messages.of_process(alert, event, place_of(config), socket.gethostname(), now)
    task = config.tasks.get(alert.task_id)
    name = task.name if task is not None else alert.task_id
    return messages.of_task(alert, event, name, place_of(config), now, back, again)


def _again(tx: Transaction, alert: Alert, before: Lately | None, now: datetime) -> Again | None:
    """How often a task failed since people were first told of it within a day; None where it is news to them."""
    if before is None or before.first_at is None:
        return None
    ends = tx.all("ends_of_task", task_id=alert.task_id, now=now)
    since = before.first_at
    return Again(
        sum(row["status"] != TaskStatus.COMPLETED and row["began_at"] > since for row in ends), since
    )


def _trouble_of(tx: Transaction, run: Run, before: Alert | None, now: datetime) -> Trouble:
    """What a run that did not complete tells of its task."""
    bad_runs, since = 1, run.started_at or run.created_at
    if before is not None:
        bad_runs, since = before.bad_runs + 1, before.since_at
    else:
        ends = tx.all("ends_of_task", task_id=run.task_id, now=now)
        bad = [*takewhile(lambda row: row["status"] != TaskStatus.COMPLETED, ends)]
        if bad:
            bad_runs, since = len(bad), bad[-1]["began_at"]
    text = messages.tidy(run.error or run.reason or "")
    kind = "failing"
    if run.status is TaskStatus.SUSPECT:
        kind = "silence" if (run.reason or "").startswith(SILENT) else "suspect"
    elif run.reason == SOURCE_GONE:
        kind = "gone"
    return Trouble(
        about_task(run.task_id), kind, since, f"Run {run.id}: {text}", task_id=run.task_id, bad_runs=bad_runs
    )


def _network_trouble(network: Network) -> Trouble | None:
    since = network.since
    if since is None:
        return None
    hosts = ", ".join(network.hosts[:10])
    return Trouble(NETWORK, "network", since, f"Not to be reached: {hosts}", holder=str(this_process()))


def _is_back(network: Network, alert: Alert, now: datetime) -> bool:
    """Whether a host has answered since: a process that was only begun anew knows of no outage, and of no end of it."""
    if network.answered_at is None:
        return False
    # What was opened in the future was opened before the clock was set back.
    return network.answered_at > alert.opened_at or alert.opened_at - now > CLOCK_FAULT


def _made(look: Callable[[], bool]) -> bool:
    """What one look found; a mistake in one must not keep the others from looking."""
    try:
        return look()
    except StoreUnavailable:
        raise
    except Exception as error:
        logger.error("an alert cannot be made: {!r}", error)
        log_details(error)
        return False


def _notify_of(config: Config, task_id: str) -> Notify:
    task = config.tasks.get(task_id)
    return task.notify if task is not None else config.notify
