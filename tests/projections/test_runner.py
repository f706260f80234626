"""Projectors: woken by appends, taking over from each other, continuing when the database is
back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest

from domain.areas import Created
from domain.core.availability import UNAVAILABLE
from domain.history import leadership, store
from projections.areas import AREAS
from projections.projector import projector
from projections.projector.projector import Projector
from projections.registry import ALL
from projections.status import projection_statuses
from tests.support.installation import Installation, all_caught_up, running
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def led(installation: Installation) -> set[str]:
    return {s.name for s in await projection_statuses(installation.connection) if s.led}


async def terminate_projectors(installation: Installation) -> int:
    cursor = await installation.connection.execute(
        """
        SELECT count(pg_terminate_backend(pid)) FROM pg_locks
        WHERE locktype = 'advisory' AND classid = hashtext('projections')::oid
          AND objid = hashtext('areas')::oid
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def test_the_projector_applies_earlier_and_new_events(
    installation: Installation,
) -> None:
    await installation.area("Before")
    async with running(Projector(installation.database_url, installation.keys, ALL)):
        await until_async(lambda: all_caught_up(installation))
        assert await led(installation) == {p.name for p in ALL}
        await installation.area("After")
        await until_async(lambda: all_caught_up(installation))
    assert {row["name"] for row in await installation.rows("areas")} == {"Before", "After"}
    await until_async(lambda: no_projection_is_led(installation))


async def no_projection_is_led(installation: Installation) -> bool:
    return not await led(installation)


async def test_an_append_wakes_the_projector(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "POLL_INTERVAL", 3600.0)
    async with running(Projector(installation.database_url, installation.keys, ALL)):
        for number in range(20):
            await installation.area(f"Area {number}")
            await until_async(lambda: all_caught_up(installation))


async def test_a_standby_takes_over_from_a_leader_without_a_heartbeat(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leadership, "MAX_SILENCE", timedelta(seconds=1))
    monkeypatch.setattr(projector, "ELECTION_INTERVAL", 0.05)
    async with await store.connect(installation.database_url) as frozen:
        await frozen.execute(
            "SELECT pg_advisory_lock(hashtext('projections'), hashtext(name)) FROM projections"
        )
        async with running(Projector(installation.database_url, installation.keys, ALL)):
            await installation.area("Before")
            await until_async(lambda: all_caught_up(installation))
        with pytest.raises(UNAVAILABLE):
            await frozen.execute("SELECT")


async def test_a_standby_takes_over_when_the_leader_is_gone(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "ELECTION_INTERVAL", 0.05)
    monkeypatch.setattr(projector, "POLL_INTERVAL", 0.05)
    first = Projector(installation.database_url, installation.keys, ALL)
    second = Projector(installation.database_url, installation.keys, ALL)
    async with running(first) as leader:
        await until_async(lambda: led(installation))
        async with running(second):
            await installation.area("By the first")
            await until_async(lambda: all_caught_up(installation))
            leader.cancel()
            with suppress(asyncio.CancelledError):
                await leader
            await installation.area("By the second")
            await until_async(lambda: all_caught_up(installation))
            assert await led(installation) == {p.name for p in ALL}
    assert len(await installation.rows("areas")) == 2


async def test_projectors_that_lose_their_connection_repeatedly_apply_each_event_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector, "ELECTION_INTERVAL", 0.05)
    monkeypatch.setattr(projector, "POLL_INTERVAL", 0.05)
    monkeypatch.setattr(projector, "FIRST_BACKOFF", 0.01)
    area = await installation.area("Here")
    async with (
        running(Projector(installation.database_url, installation.keys, ALL)),
        running(Projector(installation.database_url, installation.keys, ALL)),
    ):
        for number in range(40):
            await installation.event(area_id=area)
            if number % 10 == 0:
                await until_async(lambda: terminate_projectors(installation))
        await until_async(lambda: all_caught_up(installation))
    (row,) = await installation.rows("areas")
    assert row["event_count"] == 40


async def test_a_table_of_another_schema_version_is_not_touched(
    installation: Installation,
) -> None:
    await installation.connection.execute(
        "UPDATE projections SET schema_version = 99 WHERE name = 'areas'"
    )
    await installation.area("Here")
    async with running(Projector(installation.database_url, installation.keys, ALL)):
        await until_async(lambda: led(installation))
        assert await led(installation) == {p.name for p in ALL if p is not AREAS}
    assert await installation.rows("areas") == []


async def test_an_event_of_a_newer_release_is_left_to_a_projector_of_that(
    installation: Installation,
) -> None:
    await installation.area("Here")
    await installation.connection.execute(
        """
        UPDATE history_events SET state = convert_to(
            (convert_from(state, 'UTF8')::jsonb || '{"schema_version": 99}')::text, 'UTF8')
        WHERE topic = 'Area.Created'
        """
    )
    others = {p.name for p in ALL if Created not in p.handles}
    async with running(Projector(installation.database_url, installation.keys, ALL)):

        async def stopped() -> bool:
            return (await installation.standing("areas"))[2] is not None

        await until_async(stopped)
        await until_async(lambda: led_are(installation, others))
    assert "UnknownEvent" in ((await installation.standing("areas"))[3] or "")
    assert await installation.rows("areas") == []


async def led_are(installation: Installation, names: set[str]) -> bool:
    return await led(installation) == names


async def test_the_projector_waits_for_an_unreachable_database(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    connects = store.connect
    refusals = 3

    async def refuse_first(database_url: str) -> object:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise psycopg.OperationalError("connection refused")
        return await connects(database_url)

    monkeypatch.setattr(projector, "FIRST_BACKOFF", 0.01)
    monkeypatch.setattr(store, "connect", refuse_first)
    await installation.area("Here")
    async with running(Projector(installation.database_url, installation.keys, ALL)):
        await until_async(lambda: all_caught_up(installation))
