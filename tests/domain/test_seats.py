"""Seats with a real PostgreSQL and several writers: none is sold twice, none stays empty."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg import AsyncConnection

from domain.core.values import Capacity
from domain.departures import CancelVisitor
from domain.details import WaitingList
from domain.events import ChangeEvent, EventView
from domain.history.group_commit import Writer
from domain.privacy.keys import InstallationKeys
from domain.registrations import RegisterVisitor
from domain.visitors import EventFull, Visitor
from tests.domain.writing import ORIGIN, a_fair, visitor, writers

pytestmark = pytest.mark.anyio


async def a_small_fair(by: Writer, capacity: int, waiting_list: WaitingList = "automatic") -> UUID:
    fair: UUID = (await by.execute(a_fair(), ORIGIN)).value.event.id
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


async def counters(connection: AsyncConnection[Any], fair: UUID) -> tuple[int, int]:
    cursor = await connection.execute(
        "SELECT taken, waiting FROM event_seats WHERE event_id = %s", [fair]
    )
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]


async def test_an_event_is_created_with_a_capacity(
    database_url: str, keys: InstallationKeys
) -> None:
    create = msgspec.structs.replace(a_fair(), capacity=Capacity(1), waiting_list="automatic")
    async with writers(database_url, keys, 1) as (one,):
        created: EventView = (await one.execute(create, ORIGIN)).value
        assert created.availability == "open"
        assert await ask(one, created.event.id, 1) is not None
        assert await ask(one, created.event.id, 2) is None


async def test_many_writers_sell_exactly_the_seats_there_are(
    database_url: str, keys: InstallationKeys, connection: AsyncConnection[Any]
) -> None:
    async with writers(database_url, keys, 3) as all_writers:
        fair = await a_small_fair(all_writers[0], 50, "off")
        sold = await asyncio.gather(
            *(ask(all_writers[number % 3], fair, number) for number in range(300))
        )
    assert sum(one is not None for one in sold) == 50
    assert await counters(connection, fair) == (50, 0)


async def test_a_seat_that_another_writer_freed_is_sold(
    database_url: str, keys: InstallationKeys
) -> None:
    async with writers(database_url, keys, 2) as (one, other):
        fair = await a_small_fair(one, 1, "off")
        first = await ask(one, fair, 1)
        assert first is not None
        assert await ask(other, fair, 2) is None
        await one.execute(CancelVisitor(visitor_id=first.id), ORIGIN)
        assert await ask(other, fair, 2) is not None


async def test_a_line_that_is_longer_than_what_is_loaded_of_it_is_promoted(
    database_url: str, keys: InstallationKeys, connection: AsyncConnection[Any]
) -> None:
    async with writers(database_url, keys, 2) as (one, other):
        fair = await a_small_fair(one, 200)
        seated = await asyncio.gather(*(ask(one, fair, number) for number in range(200)))
        await asyncio.gather(*(ask(one, fair, number, wait=True) for number in range(200, 600)))
        await asyncio.gather(
            *(other.execute(CancelVisitor(visitor_id=v.id), ORIGIN) for v in seated if v)
        )
    assert await counters(connection, fair) == (200, 200)


async def test_who_leaves_and_who_joins_at_once_leave_no_seat_empty_while_somebody_waits(
    database_url: str, keys: InstallationKeys, connection: AsyncConnection[Any]
) -> None:
    async with writers(database_url, keys, 3) as all_writers:
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
    assert await counters(connection, fair) == (20, 80)
