"""The availability of an event: whether a newcomer gets a seat, or may wait for one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.core.values import Capacity
from domain.departures import CancelVisitor, EraseVisitor
from domain.event_cancellation import CancelEvent
from domain.event_editing import ChangeEvent
from domain.waiting_list import PromoteVisitor
from projections.events import EVENTS, get_event
from projections.rebuild.rebuild import rebuild_tables
from tests.support.installation import Installation, a_registration

pytestmark = pytest.mark.anyio


async def availability(installation: Installation, event: UUID) -> str:
    """Also that of a table which is rebuilt."""
    await installation.project()
    row = await get_event(installation.connection, event)
    await rebuild_tables(installation.database_url, installation.keys, [EVENTS])
    assert await get_event(installation.connection, event) == row
    assert row is not None
    return row.availability


async def test_everything_that_takes_or_frees_seats_changes_the_availability(
    installation: Installation,
) -> None:
    event = await installation.event()

    async def change(**fields: Any) -> str:
        await installation.give(ChangeEvent(event_id=event, **fields))
        return await availability(installation, event)

    (ada,) = await installation.register(event, "ada@example.org")
    assert await availability(installation, event) == "open"
    assert await change(capacity=Capacity(1)) == "full"
    assert await change(capacity=Capacity(2)) == "open"
    (bob,) = await installation.register(event, "bob@example.org")
    assert await availability(installation, event) == "full"
    assert await change(waiting_list="automatic") == "waiting"
    waits = msgspec.structs.replace(
        a_registration(event, "eve@example.org"), join_waiting_list=True
    )
    (eve,) = await installation.give(waits)
    await installation.give(CancelVisitor(visitor_id=ada))
    assert await availability(installation, event) == "waiting", "Eve has the seat now"
    await installation.give(EraseVisitor(visitor_id=bob))
    assert await availability(installation, event) == "open"
    await installation.give(CancelVisitor(visitor_id=eve.id))
    assert await change(capacity=Capacity(0)) == "waiting"
    assert await change(capacity=None) == "open"


async def test_while_a_visitor_waits_newcomers_can_only_wait_even_without_a_capacity(
    installation: Installation,
) -> None:
    event = await installation.event()
    await installation.give(
        ChangeEvent(event_id=event, capacity=Capacity(0), waiting_list="manual")
    )
    waits = msgspec.structs.replace(
        a_registration(event, "eve@example.org"), join_waiting_list=True
    )
    (eve,) = await installation.give(waits)
    (changed,) = await installation.give(ChangeEvent(event_id=event, capacity=None))
    assert changed.availability == await availability(installation, event) == "waiting"
    await installation.give(PromoteVisitor(visitor_id=eve.id))
    assert await availability(installation, event) == "open"


async def test_the_seat_of_a_visitor_erased_from_a_cancelled_event_is_free_after_reinstatement(
    installation: Installation,
) -> None:
    event = await installation.event()
    await installation.give(ChangeEvent(event_id=event, capacity=Capacity(1)))
    (ada,) = await installation.register(event, "ada@example.org")
    await installation.give(CancelEvent(event_id=event))
    assert await availability(installation, event) == "full"
    await installation.give(EraseVisitor(visitor_id=ada))
    assert await availability(installation, event) == "open"
