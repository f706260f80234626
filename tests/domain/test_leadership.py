"""Silent leaders lose the lead, and no others do."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import AsyncConnection

from domain.core.availability import UNAVAILABLE
from domain.history.leadership import signs_of_life, take_lead, take_lead_now
from tests.support.waiting import until, until_async

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("little_patience")]

Session = AsyncConnection[object]


async def test_a_silent_leader_loses_the_lead_and_notices_before_it_does_anything(
    leader: Session, connection: Session
) -> None:
    assert not await take_lead(connection, "band")
    await until_async(lambda: take_lead(connection, "band"))
    with pytest.raises(UNAVAILABLE):
        await leader.execute("SELECT")


async def test_a_thread_takes_the_lead_as_well(leader: Session, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        until(lambda: take_lead_now(connection, "band"))


async def test_a_silent_leader_of_something_else_is_not_disconnected(
    leader: Session, connection: Session
) -> None:
    await leader.execute("SELECT pg_advisory_lock(hashtext('projections'), hashtext('areas'))")
    await _silent_for_long(leader, connection)
    assert await take_lead(connection, "orchestra")
    await leader.execute("SELECT")


async def test_a_waiting_leader_still_sends_its_heartbeat(
    leader: Session, connection: Session
) -> None:
    async with signs_of_life(leader):
        for _ in range(2):
            await connection.execute("SELECT pg_sleep(1.5)")
            assert not await take_lead(connection, "band")
    await leader.execute("SELECT")


async def _silent_for_long(leader: Session, connection: Session) -> None:
    async def silent() -> bool:
        cursor = await connection.execute(
            "SELECT state_change < now() - interval '3 s' FROM pg_stat_activity WHERE pid = %s",
            [leader.info.backend_pid],
        )
        return await cursor.fetchone() == (True,)

    await until_async(silent)
