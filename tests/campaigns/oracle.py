"""Due instants held against independent oracles: croniter's calendar, systemd's calendar, and the rules of the docs.

    python -m tests.campaigns.oracle --cases 20000 --seed 0

Each case is a random schedule in a random zone and a random moment of 2024 to 2028, two times in five close to a
change of the clock. Its next instants have to be exactly those that an oracle names:

- croniter says which local times are meant (it is asked without a zone); what becomes of one that the clock skips or
  shows twice is worked out here, from the changes of the zone, by the rule of docs/schedules.md;
- `systemd-analyze calendar` answers further cases, zones included; where it has rules of its own, in a fold and at
  the end of a gap, its answer does not count;
- intervals that no calendar can name are points of a grid from the Unix epoch, shifted by a phase.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from croniter import croniter  # type: ignore[import-untyped]

from stoma.scheduler.patterns import Pattern, parse

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86_400))
BEGIN, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
# No clock is set by more than two hours in these years.
LONGEST_SHIFT = 3 * HOUR
INSTANTS = 12
"""How many instants of each case are compared."""

ZONES = """
    UTC Europe/Berlin Europe/London Europe/Dublin Europe/Lisbon Europe/Kyiv Europe/Chisinau Europe/Istanbul
    Europe/Moscow Atlantic/Azores America/New_York America/Chicago America/Denver America/Los_Angeles America/Anchorage
    America/Adak America/St_Johns America/Halifax America/Havana America/Santiago America/Asuncion America/Sao_Paulo
    America/Nuuk America/Scoresbysund America/Miquelon America/Tijuana America/Phoenix America/Port-au-Prince
    Pacific/Easter Pacific/Auckland Pacific/Chatham Pacific/Apia Pacific/Honolulu Pacific/Kiritimati Pacific/Norfolk
    Pacific/Marquesas Australia/Sydney Australia/Adelaide Australia/Lord_Howe Australia/Eucla Australia/Brisbane
    Asia/Tokyo Asia/Kolkata Asia/Kathmandu Asia/Tehran Asia/Jerusalem Asia/Beirut Asia/Gaza Asia/Almaty Asia/Qostanay
    Asia/Shanghai Africa/Cairo Africa/Casablanca Africa/El_Aaiun Africa/Johannesburg Africa/Juba Antarctica/Troll
    Antarctica/Casey Antarctica/Vostok
""".split()  # noqa: SIM905 (as a list it takes a line for each)
CHANGING = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Antarctica/Troll")
WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Case:
    """A schedule in a zone, asked from a moment on."""

    text: str
    zone: str
    moment: datetime
    key: str = ""

    @property
    def kind(self) -> str:
        """What the report counts it as."""
        if " " in self.text:
            minute, hour = self.text.split()[:2]
            return "cron (elapsed time)" if minute[0] == "*" or hour[0] == "*" else "cron (wall clock)"
        return re.sub(r"_\d.*|(?<=daily_at)_.*", "", self.text)


@dataclass
class Report:
    """What was compared."""

    oracles: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    zones: set[str] = field(default_factory=set)
    instants: Counter[str] = field(default_factory=Counter)
    in_gaps: int = 0
    in_folds: int = 0
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        """The report for people."""
        yield f"{sum(self.kinds.values()):,} cases in {len(self.zones)} zones, {self.seconds:.0f} s, all equal"
        yield "cases by oracle:    " + _counted(self.oracles)
        yield "cases by kind:      " + _counted(self.kinds)
        yield "instants compared:  " + _counted(self.instants)
        yield f"of these by the rule of the docs: {self.in_gaps:,} in gaps, {self.in_folds:,} in folds"


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())


# -- the changes of a zone's clock ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """The clock of a zone is set at `at`, from `before` to `after` ahead of UTC."""

    at: datetime
    before: timedelta
    after: timedelta

    def in_gap(self, local: datetime) -> bool:
        return (
            (self.at + self.before).replace(tzinfo=None)
            <= local
            < (self.at + self.after).replace(tzinfo=None)
        )

    def in_fold(self, local: datetime) -> bool:
        return (
            (self.at + self.after).replace(tzinfo=None)
            <= local
            < (self.at + self.before).replace(tzinfo=None)
        )


@cache
def changes(zone: str) -> tuple[Change, ...]:
    """Every change from a year before the cases to two years after them, found by walking in steps of six hours."""
    info, found, moment = ZoneInfo(zone), [], BEGIN - 366 * DAY

    def offset(at: datetime) -> timedelta:
        return at.astimezone(info).utcoffset()

    while moment < END + 2 * 366 * DAY:
        if offset(moment) != offset(moment + 6 * HOUR):
            seconds = range(0, 6 * 3600, 60)
            at = next(
                moment + (s + 60) * SECOND
                for s in seconds
                if offset(moment + (s + 60) * SECOND) != offset(moment)
            )
            found.append(Change(at, offset(moment), offset(at)))
        moment += 6 * HOUR
    return tuple(found)


def shown_at(local: datetime, zone: str) -> list[datetime]:
    """All instants at which the clock of a zone shows a local time: none in a gap, two in a fold."""
    info = ZoneInfo(zone)
    both = {local.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in both if moment.astimezone(info).replace(tzinfo=None) == local)


def by_the_rule(local: datetime, zone: str, *, wall_clock: bool) -> tuple[list[datetime], str]:
    """The instants of one local time that a schedule means, and whether it lies in a `gap`, in a `fold`, or not."""
    for change in changes(zone):
        if change.in_gap(local):
            return ([change.at] if wall_clock else []), "gap"
        if change.in_fold(local):
            first, second = (local.replace(tzinfo=UTC) - offset for offset in (change.before, change.after))
            return ([first] if wall_clock else [first, second]), "fold"
    return shown_at(local, zone), ""


# -- the oracles ---------------------------------------------------------------------------------------------


def instants_of(pattern: Pattern, moment: datetime) -> Iterator[datetime]:
    """What Stoma says; each later than the one before."""
    while (found := pattern.next_after(moment)) is not None:
        assert found > moment, f"{pattern.text} in {pattern.timezone}: {found} is not later than {moment}"
        yield found
        moment = found


def by_croniter(case: Case, until: datetime, report: Report) -> list[datetime]:
    """The instants after the moment of a case, and not after `until`: croniter's local times, mapped by the rule."""
    expression, zone = as_cron(case)
    minute, hour, *_ = expression.split()
    wall_clock = not (minute[0] == "*" or hour[0] == "*")
    start = (case.moment.astimezone(ZoneInfo(zone)) - LONGEST_SHIFT).replace(tzinfo=None)
    end = (until.astimezone(ZoneInfo(zone)) + LONGEST_SHIFT).replace(tzinfo=None)
    found: set[datetime] = set()
    for local in local_times(expression, start, end):
        moments, where = by_the_rule(local, zone, wall_clock=wall_clock)
        inside = {moment for moment in moments if case.moment < moment <= until}
        report.in_gaps += where == "gap" and case.moment < _gap_end(local, zone) <= until
        report.in_folds += where == "fold" and bool(inside)
        found |= inside
    return sorted(found)


def local_times(expression: str, start: datetime, end: datetime) -> set[datetime]:
    """The times of a clock that croniter reads from five fields."""
    minute, hour, day, month, weekday = expression.split()
    # Both days count when one of them begins with a star, either one when both are given; so cron has always been.
    both = day[0] == "*" or weekday[0] == "*"
    weekday = re.sub(r"^([0-7])L$", r"L\1", weekday)
    ways = [f"{minute} {hour} {day} {month} {weekday}"]
    if not both and ("#" in weekday or "L" in weekday):
        # Of such a weekday beside a day of the month croniter wants both.
        ways = [f"{minute} {hour} {day} {month} *", f"{minute} {hour} * {month} {weekday}"]
    steps = (croniter(way, start, day_or=not both, ret_type=datetime) for way in ways)
    return {local for found in steps for local in takewhile(lambda local: local <= end, found)}


def _gap_end(local: datetime, zone: str) -> datetime:
    return next(change.at for change in changes(zone) if change.in_gap(local))


def by_grid(case: Case, until: datetime) -> list[datetime]:
    """Points every so many milliseconds from the Unix epoch, shifted by what is left of a hash of the key."""
    number, unit = re.fullmatch(r"interval_(\d+)([mh])", case.text).groups()
    step = int(number) * (60_000 if unit == "m" else 3_600_000)
    digest = hashlib.sha256(case.key.encode()).digest()[:8]
    phase = int.from_bytes(digest, "big") % step if case.key else 0
    first = int(case.moment.timestamp() * 1000) // step * step - step + phase
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    grid = (epoch + timedelta(milliseconds=first + n * step) for n in range(INSTANTS * 2))
    return [moment for moment in grid if case.moment < moment <= until]


def as_cron(case: Case) -> tuple[str, str]:
    """The same schedule as five fields, and the zone they are meant in."""
    if " " in case.text:
        return case.text, case.zone
    words = {"hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 0"}
    if case.text in words:
        return words[case.text], case.zone
    hour, minute = map(int, case.text.removeprefix("daily_at_").split(":"))
    return f"{minute} {hour} * * *", case.zone


def as_systemd(case: Case) -> str | None:
    """The same schedule in systemd's words; None where it has none for it."""
    expression, zone = as_cron(case)
    minute, hour, day, month, weekday = expression.split()
    if day != "*" and weekday != "*" and not (day[0] == "*" or weekday[0] == "*"):
        return None  # systemd wants both, cron either
    if "/" in weekday or ("#" in weekday and day != "*") or (weekday.endswith("L") and day != "*"):
        return None
    days = _field(day, 1, 31)
    if found := re.fullmatch(r"(\w+)#([1-4])", weekday):
        weekday, days = found[1], f"{int(found[2]) * 7 - 6}..{int(found[2]) * 7}"
    elif weekday.endswith("#5"):
        return None
    date = f"*-{_field(month, 1, 12)}-{days}"
    if day == "L":
        date = f"*-{_field(month, 1, 12)}~01"
    elif found := re.fullmatch(r"([0-7])L", weekday):
        weekday, date = found[1], f"*-{_field(month, 1, 12)}~07/1"
    names = "" if weekday == "*" else ",".join(_weekdays(term) for term in weekday.split(",")) + " "
    return f"{names}{date} {_field(hour, 0, 23)}:{_field(minute, 0, 59)}:00 {zone}"


def _field(text: str, first: int, last: int) -> str:
    for number, name in enumerate(MONTHS, 1):
        text = text.replace(name, str(number))
    return ",".join(_term(term, first, last) for term in text.split(","))


def _term(term: str, first: int, last: int) -> str:
    values, _, step = term.replace("*/", f"{first}-{last}/").partition("/")
    begin, _, end = values.partition("-")
    if not step:
        return values.replace("-", "..")
    # Written out: asked for 0/5:00 of each day, systemd 252 leaves out midnight of the first of each month.
    return ",".join(map(str, range(int(begin), int(end or last) + 1, int(step))))


def _weekdays(term: str) -> str:
    begin, _, end = term.partition("-")
    first, last = (
        int(word) if word.isdigit() else WEEKDAYS.index(word.title()) for word in (begin, end or begin)
    )
    return ",".join(WEEKDAYS[first : last + 1])


def by_systemd(expressions: Sequence[str], moment: datetime) -> list[list[datetime]]:
    """The next instants of several expressions after one moment (whole seconds), by one process."""
    base = f"--base-time={moment:%Y-%m-%d %H:%M:%S} UTC"
    answer = subprocess.run(
        ["systemd-analyze", "calendar", f"--iterations={INSTANTS}", base, *expressions],
        env=os.environ | {"TZ": "UTC", "LC_ALL": "C"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    blocks = answer.strip().split("\n\n")
    assert len(blocks) == len(expressions), answer
    line = re.compile(r"(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")
    return [[datetime.fromisoformat(f"{found}+00:00") for found in line.findall(block)] for block in blocks]


def is_ordinary(moment: datetime, zone: str) -> bool:
    """True where the clock shows this time once, and has not just been set forward."""
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return not any(change.in_fold(local) or change.at == moment for change in changes(zone))


# -- random cases --------------------------------------------------------------------------------------------


def random_case(chance: random.Random, moment: datetime | None = None) -> Case:
    """Any schedule; the moment lies close to a change of the clock two times in five."""
    zone = chance.choice(CHANGING if chance.random() < 0.2 else ZONES)
    if moment is None:
        moment = BEGIN + chance.random() * (END - BEGIN - 30 * DAY)
        near = [change.at for change in changes(zone) if BEGIN + 3 * DAY < change.at < END - 30 * DAY]
        if near and chance.random() < 0.4:
            moment = chance.choice(near) + chance.uniform(-chance.choice([0.3, 3]), 0.1) * DAY
    kind = chance.random()
    if kind < 0.72:
        return Case(_random_cron(chance), zone, moment)
    if kind < 0.84:
        return Case(
            f"daily_at_{_hour(chance):02d}:{chance.choice([0, 30, chance.randrange(60)]):02d}", zone, moment
        )
    if kind < 0.94:
        return Case(chance.choice(["hourly", "daily", "weekly"]), zone, moment)
    text = chance.choice([f"interval_{chance.randint(1, 3000)}m", f"interval_{chance.randint(1, 200)}h"])
    return Case(text, zone, moment, chance.choice(["", "papers", str(chance.random())]))


def _random_cron(chance: random.Random) -> str:
    while True:
        hours, minutes = _hour(chance), chance.choice([0, 30, chance.randrange(60)])
        step, last = chance.choice([2, 3, 5, 7, 10, 15, 20, 30]), chance.randint(minutes, 59)
        minute = chance.choice(
            [f"{minutes}"] * 5
            + [
                "*",
                f"*/{step}",
                f"*/{step}",
                f"{minutes}/{step}",
                f"{minutes}-{last}",
                f"{minutes}-{last}/{step}",
            ]
            + [f"{chance.randrange(60)},{minutes}", f"*/{step},{minutes}"]
        )
        end, every = chance.randint(hours, 23), chance.choice([1, 2, 3, 4, 5, 6, 12])
        hour = chance.choice(
            [f"{hours}"] * 5
            + [
                "*",
                "*",
                f"*/{every}",
                f"{hours}-{end}",
                f"{hours}-{end}/{every}",
                f"{hours},{end}",
                f"{hours}/{every}",
            ]
        )
        first = chance.randint(1, 28)
        day = chance.choice(
            ["*"] * 9 + ["L", f"{first}", f"{chance.randint(1, 31)}", f"{first},{chance.randint(1, 31)}"]
            + [f"{first}-{chance.randint(first, 31)}", f"*/{chance.randint(2, 10)}"]
        )  # fmt: skip
        begin = chance.randint(1, 12)
        month = chance.choice(
            ["*"] * 9
            + [f"{begin}", MONTHS[begin - 1], f"{begin}-{chance.randint(begin, 12)}", f"*/{every}", "2,10"]
        )
        name, number = chance.choice(WEEKDAYS).upper(), chance.randint(0, 7)
        weekday = chance.choice(
            ["*"] * 9 + ["1-5", "MON-FRI", "0,6", "SAT,SUN", name, f"{number}", f"{name}#{chance.randint(1, 5)}"]
            + [f"{number}L", "*/2", "*/3", f"{number}-7", f"TUE,{number}"]
        )  # fmt: skip
        text = f"{minute} {hour} {day} {month} {weekday}"
        # A range of one value is a whole turn to croniter.
        if re.search(r"\b(\w+)-\1\b", text):
            continue
        # Too seldom to have instants in these years, or never.
        try:
            if parse(text).next_after(datetime(2026, 1, 1, tzinfo=UTC)) < END:
                return text
        except ValueError:
            continue


def _hour(chance: random.Random) -> int:
    """An hour of the day; half of them in the night, when clocks are set."""
    return chance.randrange(4) if chance.random() < 0.5 else chance.randrange(24)


# -- the campaign --------------------------------------------------------------------------------------------


def compare(case: Case, report: Report) -> None:
    """Hold one case against croniter, or against the grid. Raises AssertionError."""
    computed = list(islice(instants_of(parse(case.text, case.zone, case.key), case.moment), INSTANTS))
    computed = [moment for moment in computed if moment < END + 366 * DAY]
    until = computed[-1] if len(computed) == INSTANTS else END
    computed = [moment for moment in computed if moment <= until]
    is_interval = case.text.startswith("interval")
    expected = by_grid(case, until) if is_interval else by_croniter(case, until, report)
    assert computed == expected, _difference(case, computed, expected)
    oracle = "grid" if is_interval else "croniter"
    report.oracles[oracle] += 1
    report.instants[oracle] += len(expected)
    report.kinds[case.kind] += 1
    report.zones.add(case.zone)


def compare_with_systemd(cases: Iterable[Case], report: Report) -> None:
    """Hold cases with one moment in common against systemd. Raises AssertionError."""
    able = [(case, words) for case in cases if (words := as_systemd(case)) is not None]
    if not able:
        return
    moment = able[0][0].moment
    answers = by_systemd([words for _, words in able], moment)
    for (case, words), answer in zip(able, answers, strict=True):
        computed = list(islice(instants_of(parse(case.text, case.zone), moment), INSTANTS))
        until = min(computed[-1], answer[-1] if answer else END, END)
        mine, theirs = (
            [found for found in instants if found <= until and is_ordinary(found, case.zone)]
            for instants in (computed, answer)
        )
        assert mine == theirs, f"{words}: " + _difference(case, mine, theirs)
        report.oracles["systemd"] += 1
        report.instants["systemd"] += len(theirs)


def _difference(case: Case, computed: list[datetime], expected: list[datetime]) -> str:
    wrong = sorted(set(computed) ^ set(expected))
    words = [
        f"{moment.astimezone(ZoneInfo(case.zone)).isoformat()} ({moment:%H:%M}Z)" for moment in wrong[:4]
    ]
    surplus = "Stoma alone" if wrong and wrong[0] in computed else "the oracle alone"
    return f"{case}: {surplus} names {words[:1]}, of {words}"


def campaign(cases: int, with_systemd: int, seed: int = 0) -> Report:
    """Compare `cases` random cases with croniter or the grid, and about `with_systemd` further ones with systemd."""
    chance, report, began = random.Random(seed), Report(), time.monotonic()
    for _ in range(cases):
        compare(random_case(chance), report)
    while report.oracles["systemd"] < with_systemd:
        # One process takes many expressions and one moment; changes of any zone are near it.
        change = chance.choice(changes(chance.choice(CHANGING)))
        near = max(BEGIN, min(change.at, END - 60 * DAY)) + chance.uniform(-3, 0.2) * DAY
        moment = (near if chance.random() < 0.5 else BEGIN + chance.random() * 1_700 * DAY).replace(
            microsecond=0
        )
        group = [random_case(chance, moment) for _ in range(40)]
        compare_with_systemd([case for case in group if not case.text.startswith("interval")], report)
    report.seconds = time.monotonic() - began
    return report


def has_systemd() -> bool:
    """True where systemd-analyze can be asked."""
    return shutil.which("systemd-analyze") is not None


def main() -> None:
    """The campaign by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--systemd", type=int, default=3_000, help="further cases for systemd-analyze")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.systemd and not has_systemd():
        print("systemd-analyze is not there; croniter and the grid alone")
    print(*campaign(given.cases, given.systemd * has_systemd(), given.seed).lines(), sep="\n")


if __name__ == "__main__":
    main()
