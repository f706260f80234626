"""Registrations per hour, for one event and for all."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from domain.core.aggregate import Metadata, RecordedEvent
from domain.event_editing import DeleteEvent
from domain.visitors import Registered
from projections.lists.dates import DateCount, Span
from projections.registration_counts import (
    UNIT_LENGTHS,
    apply,
    complete_series,
    count_by_date,
    series_between,
    total,
)
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio

FAIR, SHOW = uuid4(), uuid4()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def registered(installation: Installation, *registrations: tuple[UUID, str]) -> None:
    events = [recorded(id, at(moment)) for id, moment in registrations]
    await apply(installation.connection, events, installation.keys)


def recorded(event_id: UUID, moment: datetime) -> RecordedEvent:
    return RecordedEvent(
        originator_id=uuid4(),
        originator_version=1,
        event=Registered(event_id=event_id, code="1234", notification_id=uuid4()),
        metadata=Metadata(timestamp=moment, actor="anonymous", correlation_id="a-request"),
    )


async def test_each_registration_counts_for_its_event_and_for_all(
    installation: Installation,
) -> None:
    fair, show = await installation.event("Fair"), await installation.event("Show")
    await installation.register(fair, "ada@example.org", "bob@example.org")
    await installation.project()
    await installation.register(fair, "cy@example.org")
    await installation.register(show, "ada@example.org")
    await installation.project()
    connection = installation.connection
    assert (await total(connection, fair), await total(connection, show)) == (3, 1)
    assert await total(connection) == 4
    assert await total(connection, uuid4()) == 0


async def test_registrations_of_a_deleted_event_still_count(
    installation: Installation,
) -> None:
    event = await installation.event()
    await installation.register(event, "ada@example.org")
    await installation.give(DeleteEvent(event_id=event))
    await installation.project()
    assert await total(installation.connection) == 1


async def test_a_short_period_is_counted_by_the_hour_including_empty_hours(
    installation: Installation,
) -> None:
    await registered(
        installation,
        (FAIR, "2030-05-17T09:59:59.999"),
        (FAIR, "2030-05-17T09:00"),
        (SHOW, "2030-05-17T10:30"),
        (FAIR, "2030-05-17T11:30"),
    )
    series = await complete_series(installation.connection, FAIR)
    assert series is not None
    assert series.unit == "hour"
    assert (len(series.counts), series.counts[0].begin) == (12, at("2030-05-17T00:00"))
    assert series.counts[-3:] == [
        DateCount(at("2030-05-17T09:00"), 2),
        DateCount(at("2030-05-17T10:00"), 0),
        DateCount(at("2030-05-17T11:00"), 1),
    ]


async def test_a_longer_period_is_counted_by_the_day_and_a_very_long_one_by_the_week(
    installation: Installation,
) -> None:
    await registered(installation, (FAIR, "2030-05-17T09:00"), (FAIR, "2030-05-20T23:00"))
    series = await complete_series(installation.connection, FAIR)
    assert series is not None
    assert (series.unit, [c.count for c in series.counts]) == ("day", [0] * 8 + [1, 0, 0, 1])
    assert series.counts[-4].begin == at("2030-05-17T00:00")
    await registered(installation, (FAIR, "2031-01-01T00:00"))
    series = await complete_series(installation.connection, FAIR)
    assert series is not None
    assert series.unit == "week"
    assert [c for c in series.counts if c.count] == [
        DateCount(at("2030-05-13T00:00"), 1),
        DateCount(at("2030-05-20T00:00"), 1),
        DateCount(at("2030-12-30T00:00"), 1),
    ]


async def test_days_and_hours_are_those_of_the_time_zone(installation: Installation) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    await registered(
        installation,
        (FAIR, "2030-10-26T21:59"),  # the last minute of the day
        (FAIR, "2030-10-26T22:00"),
        (FAIR, "2030-10-27T00:30"),  # 02:30, the first time
        (FAIR, "2030-10-27T01:30"),  # 02:30, the second time
        (FAIR, "2030-10-27T22:59"),  # the last minute of a day of 25 hours
        (FAIR, "2030-10-27T23:00"),
    )
    first, last = at("2030-10-26T21:59"), at("2030-10-27T23:00")
    connection = installation.connection
    by_day = await series_between(connection, "day", first, last, FAIR, zone=berlin)
    assert by_day.counts == [
        DateCount(datetime(2030, 10, day, tzinfo=berlin), count)
        for day, count in ((26, 1), (27, 4), (28, 1))
    ]
    by_hour = await series_between(connection, "hour", first, last, FAIR, zone=berlin)
    assert [f"{c.begin:%d. %H}" for c in by_hour.counts if c.count] == [
        "26. 23",
        "27. 00",
        "27. 02",
        "27. 02",
        "27. 23",
        "28. 00",
    ]
    assert len(by_hour.counts) == 27


async def test_without_registrations_there_are_no_counts(installation: Installation) -> None:
    assert await complete_series(installation.connection) is None


async def test_a_given_period_is_complete_even_without_registrations(
    installation: Installation,
) -> None:
    await registered(installation, (FAIR, "2030-05-17T09:00"), (SHOW, "2030-05-18T09:00"))
    first, last = at("2030-05-16T12:00"), at("2030-05-18T12:00")
    series = await series_between(installation.connection, "day", first, last)
    assert [c.count for c in series.counts] == [0, 1, 1]


async def test_dates_are_counted_from_years_to_days(installation: Installation) -> None:
    await registered(
        installation,
        (FAIR, "2029-12-31T23:59"),
        (FAIR, "2030-01-01T00:00"),
        (SHOW, "2030-05-17T09:00"),
        (FAIR, "2030-05-17T23:59"),
        (FAIR, "2030-05-31T23:59"),
    )
    connection = installation.connection
    assert await count_by_date(connection) == [
        DateCount(at("2029-01-01"), 1),
        DateCount(at("2030-01-01"), 4),
    ]
    assert await count_by_date(connection, Span(2030)) == [
        DateCount(at("2030-01-01"), 1),
        DateCount(at("2030-05-01"), 3),
    ]
    assert await count_by_date(connection, Span(2030, 5)) == [
        DateCount(at("2030-05-17"), 2),
        DateCount(at("2030-05-31"), 1),
    ]


async def test_the_counts_of_all_events_follow_the_rules_of_one_event(
    installation: Installation,
) -> None:
    moments = ("2030-05-17T00:00", "2030-05-17T23:59", "2030-05-19T12:00", "2030-05-27T12:00")
    await registered(installation, *((FAIR, moment) for moment in moments))
    connection, first, last = installation.connection, at(moments[0]), at(moments[-1])
    for unit in UNIT_LENGTHS:
        series = await series_between(connection, unit, first, last)
        assert series == await series_between(connection, unit, first, last, FAIR)
        assert sum(c.count for c in series.counts) == 4
    assert await total(connection) == await total(connection, FAIR) == 4
