"""Days that schedules leave out."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from stoma.scheduler.calendars import check, off


@pytest.mark.parametrize(
    ("entry", "day", "why"),
    [
        ("weekends", date(2026, 7, 4), "weekend"),
        ("weekends", date(2026, 7, 5), "weekend"),
        ("weekends", date(2026, 7, 6), None),
        ("2026-12-24", date(2026, 12, 24), "2026-12-24"),
        ("2026-12-24", date(2027, 12, 24), None),
        ("holidays/US", date(2026, 12, 25), "Christmas Day (holidays/US)"),
        ("holidays/US", date(2026, 12, 24), None),
        # Observed days: 4 July 2026 is a Saturday, 1 January 2022 too, and that one is observed in the year before.
        ("holidays/US", date(2026, 7, 3), "Independence Day (observed) (holidays/US)"),
        ("holidays/US", date(2021, 12, 31), "New Year's Day (observed) (holidays/US)"),
        # A part of a country has more of them than the whole.
        ("holidays/DE-BY", date(2026, 1, 6), "Epiphany (holidays/DE-BY)"),
        ("holidays/DE", date(2026, 1, 6), None),
        ("holidays/DE", date(2026, 10, 3), "German Unity Day (holidays/DE)"),
        ("holidays/GB-SCT", date(2026, 11, 30), "Saint Andrew's Day (holidays/GB-SCT)"),
        ("holidays/JP", date(2026, 1, 1), "New Year's Day (holidays/JP)"),
        # The exchange rests on Good Friday, the country does not.
        ("holidays/NYSE", date(2026, 4, 3), "Good Friday (holidays/NYSE)"),
        ("holidays/XNYS", date(2026, 4, 3), "Good Friday (holidays/XNYS)"),
        ("holidays/US", date(2026, 4, 3), None),
        ("holidays/NYSE", date(2026, 10, 12), None),
    ],
)
def test_days_off(entry, day, why):
    check(entry)
    assert off([entry], day) == why


def test_the_first_entry_says_why():
    assert off(["weekends", "2026-07-04", "holidays/US"], date(2026, 7, 4)) == "weekend"
    assert off(["2026-07-04", "weekends"], date(2026, 7, 4)) == "2026-07-04"
    assert off([], date(2026, 7, 4)) is None


EXPECTED = "expected weekends, holidays/US, holidays/US-CA, holidays/NYSE or a date such as 2026-12-24"
CALENDARS = "expected a country such as holidays/US or holidays/DE-BY, or an exchange such as holidays/NYSE"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("weekend", f'"weekend" names no days to leave out; {EXPECTED}; did you mean "weekends"?'),
        ("Saturday", f'"Saturday" names no days to leave out; {EXPECTED}; did you mean "weekends"?'),
        ("US", f'"US" names no days to leave out; {EXPECTED}; did you mean "holidays/US"?'),
        ("holiday/de-BY", f'"holiday/de-BY" names no days to leave out; {EXPECTED}; did you mean "holidays/DE-BY"?'),
        ("12-24", f'"12-24" names no days to leave out; {EXPECTED}'),
        ("", f'"" names no days to leave out; {EXPECTED}'),
        ("holidays/XX", f'there is no calendar "holidays/XX"; {CALENDARS}'),
        ("holidays/us", f'there is no calendar "holidays/us"; {CALENDARS}; did you mean "holidays/US"?'),
        ("holidays/NYS", f'there is no calendar "holidays/NYS"; {CALENDARS}; did you mean "holidays/NYSE"?'),
        ("holidays/Germny", f'there is no calendar "holidays/Germny"; {CALENDARS}; did you mean "holidays/DE"?'),
        ("holidays/US-", f'there is no calendar "holidays/US-"; {CALENDARS}; did you mean "holidays/US"?'),
        ("holidays/", f'there is no calendar "holidays/"; {CALENDARS}'),
        # Names inside the library are no calendars.
        ("holidays/HolidayBase", f'there is no calendar "holidays/HolidayBase"; {CALENDARS}'),
        ("holidays/US-CAL", 'holidays/US has no part "CAL"; it has AK, AL, AR, AS, AZ, CA, CO, CT, DC, DE, FL, GA, GU, '
         'HI, IA, ID, IL, IN, KS, KY, …; did you mean "CA"?'),
        ("holidays/NYSE-X", 'holidays/NYSE has no part "X"; it has none'),
        ("2026-02-30", '"2026-02-30" is not a date: there is no such day'),
    ],
)  # fmt: skip
def test_what_names_no_days(entry, told):
    with pytest.raises(ValueError) as caught:
        check(entry)
    assert str(caught.value) == told


def test_the_library_is_loaded_only_for_holidays():
    program = (
        "import sys; from datetime import date; from stoma.scheduler import calendars, config; "
        "calendars.check('weekends'); calendars.off(['weekends', '2026-12-24'], date(2026, 12, 24)); "
        "assert 'holidays' not in sys.modules; "
        "calendars.check('holidays/US'); assert 'holidays' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
