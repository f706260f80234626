"""Silent leaders lose the lead, and no others do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
from psycopg import AsyncConnection

from domain.core.availability import UNAVAILABLE
from domain.history import leadership
from domain.history.leadership import signs_of_life, take_lead, take_lead_now
from domain.history.store import connect
from tests.support.waiting import until, until_async

pytestmark = pytest.mark.anyio

Session = AsyncConnection[object]


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "MAX_SILENCE", timedelta(seconds=2))
    monkeypatch.setattr(leadership, "SIGN_OF_LIFE_INTERVAL", 0.1)


@pytest.fixture
async def leader(database_url: str) -> AsyncIterator[Session]:
    async with await connect(database_url) as connection:
        assert await take_lead(connection, "band")
        yield connection


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Session]:
    async with await connect(database_url) as connection:
        yield connection


async def test_a_silent_leader_loses_the_lead_and_notices_before_it_does_anything(
    leader: Session, other: Session
) -> None:
    assert not await take_lead(other, "band")
    await until_async(lambda: take_lead(other, "band"))
    with pytest.raises(UNAVAILABLE):
        await leader.execute("SELECT")


async def test_a_thread_takes_the_lead_as_well(leader: Session, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        until(lambda: take_lead_now(connection, "band"))


async def test_a_leader_of_something_else_is_left_alone(leader: Session, other: Session) -> None:
    await leader.execute("SELECT pg_advisory_lock(hashtext('projections'), hashtext('areas'))")
    await _silent_for_long(leader, other)
    assert await take_lead(other, "orchestra")
    await leader.execute("SELECT")


async def test_a_leader_that_waits_for_something_else_shows_that_it_lives(
    leader: Session, other: Session
) -> None:
    async with signs_of_life(leader):
        for _ in range(2):
            await other.execute("SELECT pg_sleep(1.5)")
            assert not await take_lead(other, "band")
    await leader.execute("SELECT")


async def _silent_for_long(leader: Session, other: Session) -> None:
    async def silent() -> bool:
        cursor = await other.execute(
            "SELECT state_change < now() - interval '3 s' FROM pg_stat_activity WHERE pid = %s",
            [leader.info.backend_pid],
        )
        return await cursor.fetchone() == (True,)

    await until_async(silent)
