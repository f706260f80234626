"""The rows of events, and what they follow from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from domain.announcements import AnnounceChange
from domain.areas import RenameArea
from domain.core.values import Reason, Text
from domain.details import Details
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent, CleanUpEvent, DeleteEvent
from domain.events import TimeAndPlace
from domain.provider_items import SyncEvent
from projections.events import EventRow, get_event
from projections.upcoming_events import upcoming_events
from tests.support.installation import IN_A_MONTH, Installation, an_event

pytestmark = pytest.mark.anyio


async def test_an_event_is_read_as_it_was_created(installation: Installation) -> None:
    area = await installation.area("Málaga")
    event = await installation.event("PyCon", area_id=area, status="closed")
    await installation.project()
    row = await get_event(installation.connection, event)
    assert row is not None
    assert row == EventRow(
        id=event,
        name="PyCon",
        area="Málaga",
        area_id=area,
        status="closed",
        event_datetime=IN_A_MONTH,
        registration_deadline=IN_A_MONTH,
        changed_at=row.changed_at,
        version=1,
    )


async def test_an_event_is_read_as_it_was_changed(installation: Installation) -> None:
    area = await installation.area("Here")
    event = await installation.event("Before")
    await installation.project()
    later = IN_A_MONTH + timedelta(days=1)
    await installation.give(
        ChangeEvent(event_id=event, name=Text("After"), event_datetime=later, area_id=area),
        ChangeEvent(event_id=event, status="closed"),
        RenameArea(area_id=area, name=Text("There")),
    )
    await installation.project()
    row = await get_event(installation.connection, event)
    assert row is not None
    assert (row.name, row.area, row.event_datetime, row.status) == (
        "After",
        "There",
        later,
        "closed",
    )
    assert row.version == 5


async def test_a_deleted_event_is_gone(installation: Installation) -> None:
    first, second = await installation.event(), await installation.event()
    await installation.give(DeleteEvent(event_id=first))
    await installation.project()
    await installation.give(DeleteEvent(event_id=second))
    await installation.project()
    assert await get_event(installation.connection, first) is None
    assert await get_event(installation.connection, second) is None


async def test_a_cleaned_up_event_that_a_sync_brings_back_is_read_again(
    installation: Installation,
) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    sync = SyncEvent(
        event_id=uuid4(),
        name=Text("Yearly"),
        event_datetime=long_ago,
        registration_deadline=long_ago,
        area_name=None,
        status="open",
    )
    await installation.give(sync)
    await installation.project()
    await installation.give(CleanUpEvent(event_id=sync.event_id, before=IN_A_MONTH))
    await installation.project()
    assert await get_event(installation.connection, sync.event_id) is None
    await installation.give(
        SyncEvent(
            event_id=sync.event_id,
            name=sync.name,
            event_datetime=IN_A_MONTH,
            registration_deadline=IN_A_MONTH,
            area_name=None,
            status="open",
        )
    )
    await installation.project()
    row = await get_event(installation.connection, sync.event_id)
    assert row is not None
    assert row.event_datetime == IN_A_MONTH
    assert row.version == 3
    assert row.sequence == 1  # calendars that have it must take over the new date


DETAILS: dict[str, Any] = {
    "description": "Talks,\nand sprints.",
    "ends_at": IN_A_MONTH + timedelta(days=1),
    "timezone": "Europe/Berlin",
    "capacity": 7,
    "waiting_list": "manual",
    "cancel_until": IN_A_MONTH - timedelta(days=1),
    "reminders": ("P1D", "PT2H"),
    "confirm_within": "P2D",
}


async def test_each_detail_of_an_event_is_read_as_it_was_given(installation: Installation) -> None:
    (view,) = await installation.give(msgspec.structs.replace(an_event(), **DETAILS))
    event = view.event.id
    await installation.give(CancelEvent(event_id=event, reason=Reason("Flooded")))
    await installation.project()
    row = await get_event(installation.connection, event)
    assert row is not None
    assert {field: getattr(row, field) for field in DETAILS} == DETAILS
    assert row.cancelled is not None
    assert row.cancelled.reason == "Flooded"
    nothing = {field: getattr(Details(), field) for field in DETAILS}
    await installation.give(ChangeEvent(event_id=event, **nothing), ReinstateEvent(event_id=event))
    await installation.project()
    row = await get_event(installation.connection, event)
    assert row is not None
    assert {field: getattr(row, field) for field in DETAILS} == nothing
    assert row.cancelled is None


async def test_a_sync_does_not_change_fields_that_the_provider_does_not_have(
    installation: Installation,
) -> None:
    sync = SyncEvent(
        event_id=uuid4(),
        name=Text("Yearly"),
        event_datetime=IN_A_MONTH,
        registration_deadline=IN_A_MONTH,
        area_name=None,
        status="open",
    )
    await installation.give(sync, ChangeEvent(event_id=sync.event_id, **DETAILS))
    renamed = msgspec.structs.replace(sync, name=Text("Monthly"), status="closed")
    await installation.give(CancelEvent(event_id=sync.event_id), renamed)
    await installation.project()
    row = await get_event(installation.connection, sync.event_id)
    assert row is not None
    assert (row.name, row.status) == ("Monthly", "closed")
    assert {field: getattr(row, field) for field in DETAILS} == DETAILS
    assert row.cancelled is not None


async def test_a_cancelled_event_is_not_among_the_upcoming_ones(installation: Installation) -> None:
    await installation.event("Takes place")
    cancelled = await installation.event("Cancelled")
    await installation.give(CancelEvent(event_id=cancelled))
    await installation.project()
    upcoming = await upcoming_events(installation.connection, datetime.now(UTC))
    assert (upcoming.count, [row.name for row in upcoming.next]) == (1, ["Takes place"])


async def test_the_sequence_counts_what_calendars_must_take_over(
    installation: Installation,
) -> None:
    area = await installation.area()
    event = await installation.event()
    life: list[tuple[object, int]] = [
        (ChangeEvent(event_id=event, name=Text("Renamed")), 0),
        (ChangeEvent(event_id=event, event_datetime=IN_A_MONTH + timedelta(days=1)), 1),
        (ChangeEvent(event_id=event, area_id=area), 2),
        (ChangeEvent(event_id=event, event_datetime=IN_A_MONTH), 3),
        (CancelEvent(event_id=event), 4),
        (CancelEvent(event_id=event), 4),
        (ReinstateEvent(event_id=event), 5),
        (ChangeEvent(event_id=event, status="closed"), 5),
    ]
    for command, expected in life:
        await installation.give(command)
        await installation.project()
        row = await get_event(installation.connection, event)
        assert row is not None
        assert row.sequence == expected, command


async def test_an_event_is_changed_when_something_that_is_shown_of_it_changes(
    installation: Installation,
) -> None:
    event = await installation.event()
    moved_at, later = datetime.now(UTC) + timedelta(hours=1), IN_A_MONTH + timedelta(days=1)
    await installation.at(moved_at).give(ChangeEvent(event_id=event, event_datetime=later))
    announced = AnnounceChange(event_id=event, now=TimeAndPlace(later))
    assert await installation.at(moved_at + timedelta(hours=1)).give(announced) == [True]
    await installation.project()
    row = await get_event(installation.connection, event)
    assert row is not None
    assert row.changed_at == moved_at
    assert row.version == 3
