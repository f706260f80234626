from __future__ import annotations

import asyncio

import pytest

from domain.history.store import last_position
from projections.projector import positions
from projections.projector.positions import Positions
from projections.projector.projector import Projector
from projections.registry import ALL
from tests.support.installation import Installation, running
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_a_reader_waits_until_the_tables_include_a_position(
    installation: Installation,
) -> None:
    async with Positions(installation.database_url) as known:
        await installation.area("Here")
        end = await last_position(installation.connection)
        waiting = asyncio.create_task(known.wait_for(["areas", "events"], end, timeout=15))
        await installation.project()
        assert await waiting
        assert known.of("areas") == end
        assert await known.wait_for(["areas"], end, timeout=0)


async def test_a_reader_does_not_wait_for_ever(installation: Installation) -> None:
    async with Positions(installation.database_url) as known:
        assert not await known.wait_for(["areas"], 1, timeout=0.05)
        assert not await known.wait_for(["no such projection"], 1, timeout=0)


async def test_positions_from_before_the_first_look_are_known(installation: Installation) -> None:
    await installation.area("Here")
    await installation.project()
    end = await last_position(installation.connection)
    async with Positions(installation.database_url) as known:
        assert await known.wait_for(["areas"], end, timeout=15)


async def test_positions_are_read_again_after_the_connection_broke(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "RECONNECT_DELAY", 0.01)

    async def cut() -> bool:
        cursor = await installation.connection.execute(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE '%FROM projections'
              AND pid <> pg_backend_pid()
            """
        )
        return await cursor.fetchone() != (0,)

    async with Positions(installation.database_url) as known:
        await until_async(cut)
        await installation.area("Here")
        end = await last_position(installation.connection)
        async with running(Projector(installation.database_url, installation.keys, ALL)):
            assert await known.wait_for(["areas"], end, timeout=15)
