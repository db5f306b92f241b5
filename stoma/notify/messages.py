"""The words of alerts: a short subject and plain text. Pure.

What a source or a file says is a stranger's: in one line, clipped, without secrets, control characters and the marks
by which chats call everybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from stoma.notify.deciding import OPENED, RECOVERED, REMINDER
from stoma.references import mask
from stoma.scheduler.base import Run, duration_text
from stoma.stores.outbox import TASK, Alert, Letter
from stoma.wording import clean

LONGEST_TITLE, LONGEST_LINE, LONGEST_BODY = 150, 500, 1_800
"""Characters; some services refuse what is longer than 2,000."""

MOST_LINES = 20
"""Messages in one delivery that get a line each."""

_CALLS = re.compile(r"(@)(?=(?:everyone|here|channel|all)\b)|(<)(?=[!@#])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message comes from, and by which clock it tells times."""

    zone: str = "UTC"
    # Where people find the dashboard; empty where that is not known.
    url: str = ""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What the run brought with which a task works again, and what became of due instants meanwhile, by reason."""

    run: Run
    skipped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Again:
    """How many runs of a task did not complete since people were first told of it."""

    bad_runs: int
    since_at: datetime


def of_task(
    alert: Alert,
    event: str,
    name: str,
    place: Place,
    now: datetime,
    back: CaughtUp | None = None,
    again: Again | None = None,
) -> tuple[str, str]:
    """Subject and text about a task."""
    task_id = alert.task_id or ""
    since = clock(alert.since_at, place.zone)
    lasted = duration_text(now - alert.since_at) if now > alert.since_at else "0s"
    who = task_id if name == task_id else f"{tidy(name, 100)} ({task_id})"
    lines = []
    if event == RECOVERED:
        title = f"{task_id} works again"
        lines = [f"{who} works again. {_WAS[alert.kind]} since {since} ({lasted})."]
        lines += _caught_up(back) if back is not None else []
    else:
        verb = _IS[alert.kind]
        if alert.kind == "failing" and alert.bad_runs > 1:
            verb += f": {alert.bad_runs} runs in a row"
        if again is not None:
            verb = f"{_IS[alert.kind]} again"
        title = f"{task_id} {'still ' if event == REMINDER else ''}{verb}"
        lines = [f"{who} {verb}, since {since}." if alert.bad_runs else f"{who} {verb}."]
        if again is not None:
            times = "1 run" if again.bad_runs == 1 else f"{again.bad_runs} runs"
            first = clock(again.since_at, place.zone)
            lines += [f"It comes and goes: {times} did not complete since the message of {first}."]
        lines += [tidy(alert.detail)] if alert.detail else []
        lines += [_HINTS[alert.kind].format(task=task_id)]
    if place.url:
        lines.append(f"{place.url}/tasks/{task_id}")
    return tidy(title, LONGEST_TITLE), body(lines)


def of_process(alert: Alert, event: str, place: Place, where: str, now: datetime) -> tuple[str, str]:
    """Subject and text about what is the trouble of a whole process: its files, its network, its store."""
    since = clock(alert.since_at, place.zone)
    lasted = duration_text(now - alert.since_at) if now > alert.since_at else "0s"
    still = "still " if event == REMINDER else ""
    lines: list[str] = []
    if event == RECOVERED:
        title = _WELL[alert.kind]
        lines = [f"{_WELL[alert.kind]} on {where}. It was otherwise from {since} on ({lasted})."]
    else:
        title = _WRONG[alert.kind].format(still=still)
        lines = [f"{_WRONG[alert.kind].format(still=still)} on {where}, since {since}."]
        lines += [tidy(line) for line in alert.detail.splitlines()[:8]]
        lines.append(_ADVICE[alert.kind])
    if place.url:
        lines.append(f"{place.url}/")
    return tidy(title, LONGEST_TITLE), body(lines)


def together(letters: Sequence[Letter]) -> tuple[str, str]:
    """Subject and text of one delivery: a message as it is, several in one."""
    if len(letters) == 1:
        [one] = letters
        if not one.repeats:
            return one.title, one.body
        return f"(repeat) {one.title}", f"{one.body}\n{_REPEAT}"
    if len(letters) > MOST_LINES:
        return f"{len(letters)} messages", _crowd(letters)
    lines = []
    # Each gets its share, so that none is cut off behind the others.
    share = max(80, LONGEST_BODY // len(letters) - 2)
    for one in letters:
        mark = "(repeat) " if one.repeats else ""
        lines.append(_clipped(f"{mark}{one.title}: {one.body.splitlines()[0] if one.body else ''}", share))
    if any(one.repeats for one in letters):
        lines.append(_REPEAT)
    return f"{len(letters)} messages", "\n".join(lines)


def _crowd(letters: Sequence[Letter]) -> str:
    """Very many: what is wrong, and with which tasks, as many as there is room for."""
    groups: dict[str, list[str]] = {}
    for one in letters:
        task_id, is_task, said = one.about.removeprefix(TASK), one.about.startswith(TASK), one.title
        if is_task:
            said = said.removeprefix(f"{task_id} ").partition(":")[0]
        groups.setdefault(f"(repeat) {said}" if one.repeats else said, []).extend([task_id] * is_task)
    most = sorted(groups.items(), key=lambda group: -len(group[1]))
    room = LONGEST_BODY - len(_REPEAT) - len(_MORE)
    share = max(80, room // len(most) - 2)
    lines = [_clipped("\n".join(_crowded(said, tasks, share) for said, tasks in most), room), _MORE]
    if any(one.repeats for one in letters):
        lines.append(_REPEAT)
    return "\n".join(lines)


def _crowded(said: str, tasks: Sequence[str], longest: int) -> str:
    """One line: `fails (60): a, b, c and 57 more`."""
    if not tasks:
        return _clipped(said, longest)
    line, told = f"{said} ({len(tasks)}): ", 0
    for task in tasks:
        if len(line) + len(task) > longest - 15:
            break
        line, told = f"{line}{', ' if told else ''}{task}", told + 1
    rest = len(tasks) - told
    return f"{line} and {rest} more" if rest else line


def body(lines: Sequence[str]) -> str:
    """A text of these lines, clipped."""
    return _clipped("\n".join(lines), LONGEST_BODY)


def tidy(text: str, longest: int = LONGEST_LINE) -> str:
    """A stranger's text in one line, as a message may carry it."""
    plain = " ".join(clean(mask(text)).split())
    # A blank behind the mark: still readable, and nobody is called.
    return _clipped(_CALLS.sub(lambda found: f"{found[0]} ", plain), longest)


def clock(instant: datetime, zone: str) -> str:
    """An instant by the clock of a zone, to the minute."""
    return f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"


def _caught_up(back: CaughtUp) -> list[str]:
    run = back.run
    lines = [f"Run {run.id} saw {run.seen} records: {run.new} new, {run.changed} changed."]
    if back.skipped:
        each = ", ".join(f"{count} {reason}" for reason, count in back.skipped.items())
        many = sum(back.skipped.values())
        due = "1 due instant did" if many == 1 else f"{many} due instants did"
        lines.append(f"Meanwhile {due} not run: {each}. `stoma why {run.task_id} DATE` tells each.")
    return lines


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


_IS = {
    "failing": "fails",
    "suspect": "brought suspiciously little",
    "silence": "brings nothing new any more",
    "gone": "has lost its source",
}
_WAS = {
    "failing": "It failed",
    "suspect": "It brought suspiciously little",
    "silence": "It brought nothing new",
    "gone": "Its source was gone",
}
_HINTS = {
    "failing": "`stoma runs {task}` shows its runs, `stoma logs RUN` what one logged.",
    "suspect": "Its cursor did not move: the next run asks for the same again. `stoma runs {task}` shows its runs.",
    "silence": "`stoma changes --task {task}` shows what came last.",
    "gone": "It is not asked again until the task is edited or run by hand.",
}
_WRONG = {
    "config": "The configuration is {still}rejected",
    "network": "There is {still}no network",
    "store": "The store {still}cannot be used",
}
_WELL = {
    "config": "The configuration is in order again",
    "network": "The network is back",
    "store": "The store works again",
}
_ADVICE = {
    "config": "Everything goes on as it was before the edit. `stoma plan` shows what is wrong.",
    "network": "Runs wait, and one at a time tries again; none loses a try.",
    "store": "Nothing is collected meanwhile; runs go on at their last page when it is back.",
}
_MORE = "`stoma status` tells how each task stands."
_REPEAT = "(repeat): this may have arrived before; the process that was sending it ended in between."

__all__ = [
    "OPENED",
    "Again",
    "CaughtUp",
    "Place",
    "body",
    "clock",
    "of_process",
    "of_task",
    "tidy",
    "together",
]
