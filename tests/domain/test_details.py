"""Which values of an event's fields are valid, alone and beside each other."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.core.durations import Duration
from domain.core.errors import InvalidFields
from domain.details import Availability, Details, WaitingList, availability_of, check_details

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
BEGINS = datetime(2030, 5, 17, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

GIVEN: dict[str, Any] = {
    "name": "Fair",
    "event_datetime": BEGINS,
    "registration_deadline": BEGINS - DAY,
}


def wrong(was: Details | None = None, now: datetime = NOW, **given: Any) -> dict[str, str]:
    try:
        check_details(given if was else GIVEN | given, now, was)
    except InvalidFields as error:
        return dict(error.messages)
    return {}


A_FAIR = check_details(
    GIVEN | {"ends_at": BEGINS + DAY, "cancel_until": BEGINS - HOUR, "reminders": ()}, NOW
)


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"event_datetime": NOW}, ["event_datetime", "registration_deadline"]),
        ({"registration_deadline": NOW}, ["registration_deadline"]),
        ({"registration_deadline": BEGINS + HOUR}, ["registration_deadline"]),
        ({"ends_at": BEGINS}, ["ends_at"]),
        ({"ends_at": BEGINS - HOUR}, ["ends_at"]),
        ({"cancel_until": BEGINS + HOUR}, ["cancel_until"]),
        ({"reminders": tuple(Duration(f"PT{n}H") for n in range(1, 7))}, ["reminders"]),
    ],
)
def test_a_new_event_has_times_that_are_to_come_and_in_order(
    given: dict[str, Any], fields: list[str]
) -> None:
    assert wrong(**given).keys() >= set(fields)


@pytest.mark.parametrize(
    "given",
    [
        {"registration_deadline": BEGINS},
        {"ends_at": BEGINS + timedelta(microseconds=1)},
        {"cancel_until": BEGINS},
        {"cancel_until": NOW - DAY},
        {"ends_at": None, "cancel_until": None, "capacity": 0},
    ],
)
def test_times_at_their_limits_are_valid(given: dict[str, Any]) -> None:
    assert wrong(**given) == {}


@pytest.mark.parametrize("now", [NOW, BEGINS, BEGINS + 100 * DAY])
def test_a_value_that_stays_as_it_was_is_never_refused(now: datetime) -> None:
    same = {field: getattr(A_FAIR, field) for field in Details.__struct_fields__}
    assert wrong(A_FAIR, now, **same) == {}
    assert wrong(A_FAIR, now, **same | {"capacity": 5, "description": "Talks"}) == {}


def test_a_change_names_the_field_that_it_changes() -> None:
    later = BEGINS + 2 * DAY
    assert wrong(A_FAIR, event_datetime=later) == {
        "event_datetime": "must be before the event ends"
    }
    assert wrong(A_FAIR, event_datetime=later, ends_at=later + HOUR) == {}
    assert wrong(A_FAIR, event_datetime=BEGINS - 2 * DAY).keys() == {"event_datetime"}
    assert wrong(A_FAIR, ends_at=BEGINS).keys() == {"ends_at"}
    assert wrong(A_FAIR, event_datetime=later, ends_at=BEGINS + HOUR).keys() == {"ends_at"}


def test_a_date_is_the_end_of_its_day_and_as_deadline_never_after_the_beginning() -> None:
    details = check_details(
        GIVEN
        | {
            "registration_deadline": BEGINS.date(),
            "ends_at": date(2030, 5, 18),
            "cancel_until": date(2030, 5, 16),
        },
        NOW,
    )
    assert details.registration_deadline == BEGINS
    assert details.ends_at == datetime(2030, 5, 18, 23, 59, 59, tzinfo=UTC)
    assert details.cancel_until == datetime(2030, 5, 16, 23, 59, 59, tzinfo=UTC)
    same_day = check_details({"cancel_until": BEGINS.date()}, NOW, details)
    assert same_day.cancel_until == BEGINS


def test_reminders_are_kept_once_each_the_longest_first() -> None:
    given = tuple(Duration.parse(text) for text in ("PT2H", "P1D", "PT24H", "P7D"))
    assert check_details(GIVEN | {"reminders": given}, NOW).reminders == ("P7D", "P1D", "PT2H")


@pytest.mark.parametrize(
    ("capacity", "waiting_list", "taken", "waiting", "availability"),
    [
        (None, "off", 1_000, 0, "open"),
        (None, "automatic", 1, 0, "open"),
        (None, "automatic", 1, 1, "waiting"),
        (2, "off", 1, 0, "open"),
        (2, "off", 2, 0, "full"),
        (2, "off", 3, 0, "full"),
        (2, "automatic", 2, 0, "waiting"),
        (2, "manual", 1, 1, "waiting"),
        (2, "off", 1, 1, "full"),
        (0, "off", 0, 0, "full"),
    ],
)
def test_the_availability_says_whether_a_newcomer_gets_a_seat(
    capacity: int | None,
    waiting_list: WaitingList,
    taken: int,
    waiting: int,
    availability: Availability,
) -> None:
    details = Details(capacity=capacity, waiting_list=waiting_list)
    assert availability_of(details, taken, waiting) == availability
