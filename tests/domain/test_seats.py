"""Seats with a real PostgreSQL and several writers: none is sold twice, none stays empty."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID

import msgspec
import pytest

from domain.core.values import Capacity
from domain.departures import CancelVisitor
from domain.details import WaitingList
from domain.event_editing import ChangeEvent, EventView
from domain.history.group_commit import Writer
from domain.registrations import RegisterVisitor
from domain.visitors import EventFull, Visitor
from tests.support.installation import ORIGIN, Installation, an_event, visitor

pytestmark = pytest.mark.anyio


async def a_small_fair(by: Writer, capacity: int, waiting_list: WaitingList = "automatic") -> UUID:
    fair: UUID = (await by.execute(an_event(), ORIGIN)).value.event.id
    change = ChangeEvent(event_id=fair, capacity=Capacity(capacity), waiting_list=waiting_list)
    await by.execute(change, ORIGIN)
    return fair


async def ask(by: Writer, fair: UUID, number: int, *, wait: bool = False) -> Visitor | None:
    """The visitor; None without a seat."""
    one = visitor(fair, number)
    command = RegisterVisitor(
        event_id=fair, full_name=one.full_name, email=one.email, join_waiting_list=wait
    )
    try:
        found: Visitor = (await by.execute(command, ORIGIN)).value
    except EventFull:
        return None
    return found


async def counters(installation: Installation, fair: UUID) -> tuple[int, int]:
    cursor = await installation.connection.execute(
        "SELECT taken, waiting FROM event_seats WHERE event_id = %s", [fair]
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]


async def test_an_event_is_created_with_a_capacity(installation: Installation) -> None:
    create = msgspec.structs.replace(an_event(), capacity=Capacity(1), waiting_list="automatic")
    async with installation.writers(1) as (one,):
        created: EventView = (await one.execute(create, ORIGIN)).value
        assert created.availability == "open"
        assert await ask(one, created.event.id, 1) is not None
        assert await ask(one, created.event.id, 2) is None


async def test_many_writers_sell_exactly_the_existing_seats(installation: Installation) -> None:
    async with installation.writers(3) as all_writers:
        fair = await a_small_fair(all_writers[0], 50, "off")
        sold = await asyncio.gather(
            *(ask(all_writers[number % 3], fair, number) for number in range(300))
        )
    assert sum(one is not None for one in sold) == 50
    assert await counters(installation, fair) == (50, 0)


async def test_a_seat_that_another_writer_freed_is_sold(installation: Installation) -> None:
    async with installation.writers(2) as (one, other):
        fair = await a_small_fair(one, 1, "off")
        first = await ask(one, fair, 1)
        assert first is not None
        assert await ask(other, fair, 2) is None
        await one.execute(CancelVisitor(visitor_id=first.id), ORIGIN)
        assert await ask(other, fair, 2) is not None


async def test_a_line_longer_than_its_loaded_part_is_promoted_completely(
    installation: Installation,
) -> None:
    async with installation.writers(2) as (one, other):
        fair = await a_small_fair(one, 200)
        seated = await asyncio.gather(*(ask(one, fair, number) for number in range(200)))
        await asyncio.gather(*(ask(one, fair, number, wait=True) for number in range(200, 600)))
        await asyncio.gather(
            *(other.execute(CancelVisitor(visitor_id=v.id), ORIGIN) for v in seated if v)
        )
    assert await counters(installation, fair) == (200, 200)


async def test_leaving_and_joining_at_once_leave_no_free_seat_while_a_visitor_waits(
    installation: Installation,
) -> None:
    async with installation.writers(3) as all_writers:
        fair = await a_small_fair(all_writers[0], 20)
        status = Counter[str]()

        async def come_and_go(number: int) -> None:
            by = all_writers[number % 3]
            one = await ask(by, fair, number, wait=True)
            assert one is not None
            status[one.status] += 1
            if number % 2:
                await all_writers[(number + 1) % 3].execute(
                    CancelVisitor(visitor_id=one.id), ORIGIN
                )

        await asyncio.gather(*(come_and_go(number) for number in range(200)))
    assert status["waiting"] > 0
    assert await counters(installation, fair) == (20, 80)
