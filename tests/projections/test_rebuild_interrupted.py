"""An interrupted rebuild leaves the live tables in use, and nothing else."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from domain.notifications import RecordDelivery
from events_face.commands.migrate import migrate
from projections.outbox import OUTBOX
from projections.rebuild import bulk_load, rebuild
from projections.rebuild.progress import rebuilds_under_way
from projections.rebuild.rebuild import rebuild_tables
from projections.registry import ALL
from projections.visitors import VISITORS
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.processes import environment, role
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def some_history(installation: Installation) -> None:
    event = await installation.event(area_id=await installation.area("Here"))
    await installation.register(event, *(f"visitor{n}@example.org" for n in range(9)))
    await installation.project()
    for row in (await installation.rows("outbox"))[:5]:
        await installation.give(RecordDelivery(notification_id=UUID(row["id"])))
    await installation.project()


async def all_rows(installation: Installation) -> dict[str, list[dict[str, Any]]]:
    return {table: await installation.rows(table) for p in ALL for table in p.tables}


async def schemas(installation: Installation) -> list[str]:
    cursor = await installation.connection.execute(
        "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'rebuilding')"
    )
    return [name for (name,) in await cursor.fetchall()]


@asynccontextmanager
async def used_elsewhere(installation: Installation, table: str) -> AsyncIterator[None]:
    """Somebody reads the table, so that no other may take its place meanwhile."""
    async with await psycopg.AsyncConnection.connect(installation.database_url) as other:
        await other.execute(SQL("SELECT FROM {} LIMIT 1").format(Identifier(table)))
        yield


async def waits(installation: Installation) -> bool:
    """Whether a rebuild waits to replace a table."""
    cursor = await installation.connection.execute(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    )
    return await cursor.fetchone() != (0,)


async def is_under_way(installation: Installation) -> bool:
    return bool(await rebuilds_under_way(installation.connection))


@pytest.mark.parametrize("asked_by", [signal.SIGINT, signal.SIGTERM])
async def test_a_stopped_rebuild_leaves_nothing_behind(
    installation: Installation, settings: Settings, asked_by: signal.Signals
) -> None:
    await some_history(installation)
    before = await all_rows(installation)
    services = Services(database_url=installation.database_url, redis_url=None)
    async with used_elsewhere(installation, "visitors"):
        with role(environment(settings, services), "projections", "rebuild") as process:
            await until_async(lambda: waits(installation))
            assert await schemas(installation) == ["rebuilding_areas"]
            process.send_signal(asked_by)
            assert await asyncio.to_thread(process.wait, 15) == 128 + asked_by
    assert await schemas(installation) == []
    assert await all_rows(installation) == before


async def test_the_next_migration_drops_the_leftovers_of_a_killed_rebuild(
    installation: Installation, settings: Settings
) -> None:
    await some_history(installation)
    before = await all_rows(installation)
    services = Services(database_url=installation.database_url, redis_url=None)
    async with used_elsewhere(installation, "visitors"):
        with role(environment(settings, services), "projections", "rebuild", "visitors") as process:
            await until_async(lambda: waits(installation))
            process.kill()
    await until_async(lambda: _no_rebuild_is_running(installation))
    assert await schemas(installation) == ["rebuilding_visitors"]
    assert await all_rows(installation) == before
    await asyncio.to_thread(migrate, settings, services)
    assert await schemas(installation) == []
    assert await all_rows(installation) == before


async def _no_rebuild_is_running(installation: Installation) -> bool:
    return not await is_under_way(installation)


async def test_a_migration_does_not_disturb_a_running_rebuild(
    installation: Installation, settings: Settings
) -> None:
    await some_history(installation)
    before = await all_rows(installation)
    services = Services(database_url=installation.database_url, redis_url=None)
    async with used_elsewhere(installation, "visitors"):
        rebuilding = asyncio.create_task(
            rebuild_tables(installation.database_url, installation.keys, [VISITORS])
        )
        await until_async(lambda: waits(installation))
        assert list(await rebuilds_under_way(installation.connection)) == ["visitors"]
        await asyncio.to_thread(migrate, settings, services)
        assert await schemas(installation) == ["rebuilding_visitors"]
    await rebuilding
    assert await all_rows(installation) == before
    assert await rebuilds_under_way(installation.connection) == {}


async def test_loading_in_bulk_can_be_interrupted(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "MIN_BULK_POSITIONS", 0)
    monkeypatch.setattr(bulk_load, "SEGMENT_SIZE", 2)
    await some_history(installation)
    before = await all_rows(installation)
    begun = asyncio.Event()
    rebuilding = asyncio.create_task(
        rebuild_tables(
            installation.database_url,
            installation.keys,
            [OUTBOX, VISITORS],
            lambda *_: begun.set(),
        )
    )
    await begun.wait()
    rebuilding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rebuilding
    assert await schemas(installation) == []
    assert await all_rows(installation) == before


@pytest.mark.parametrize("small", [0, 1_000_000], ids=["in bulk", "applied"])
@pytest.mark.parametrize("lost", ["the tables", "the tables and all positions"])
async def test_dropped_tables_are_rebuilt_as_they_were(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, small: int, lost: str
) -> None:
    monkeypatch.setattr(rebuild, "MIN_BULK_POSITIONS", small)
    await some_history(installation)
    before = await all_rows(installation)
    names = [projection.name for projection in ALL]
    if lost == "the tables and all positions":
        names.append("projections")
    for name in names:
        await installation.connection.execute(SQL("DROP TABLE {}").format(Identifier(name)))
    with pytest.raises(psycopg.errors.UndefinedTable):
        await installation.rows("outbox")
    await rebuild_tables(installation.database_url, installation.keys, ALL)
    assert await all_rows(installation) == before
    assert [row["state"] for row in before["outbox"]].count("sent") == 5
    event = await installation.event("Afterwards")
    await installation.register(event, "late@example.org")
    await installation.project()
    assert len(await installation.rows("visitors")) == 10
