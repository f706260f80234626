"""`migrate` and `up` handle read tables that are missing, or of another release."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import psycopg
import pytest
import structlog

from domain.history.store import last_position
from domain.notifications import RecordDelivery
from events_face.commands.migrate import create_tables, migrate, rebuild_outdated
from projections.areas import AREAS
from projections.projector.projector import Projector
from projections.rebuild.outdated import due_rebuilds
from projections.registry import ALL
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation, all_caught_up, running
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

EVERY_TABLE = "DROP TABLE projections, " + ", ".join(t for p in ALL for t in p.tables)


async def some_history(installation: Installation) -> dict[str, list[dict[str, Any]]]:
    """The rows it gives, by table."""
    area = await installation.area("Here")
    event = await installation.event(area_id=area)
    await installation.register(event, "ada@example.org", "bob@example.org")
    await installation.project()
    sent, _ = await installation.rows("outbox")
    await installation.give(RecordDelivery(notification_id=UUID(sent["id"])))
    await installation.project()
    return {table: await installation.rows(table) for p in ALL for table in p.tables}


def due(database_url: str) -> dict[str, str]:
    with psycopg.connect(database_url) as connection:
        return due_rebuilds(connection, ALL)


async def test_nothing_is_due_in_a_database_that_this_release_made(
    installation: Installation, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await some_history(installation)
    services = Services(database_url=installation.database_url, redis_url=None)
    await asyncio.to_thread(migrate, settings, services)
    assert capsys.readouterr().out == "nothing to change\n"
    assert due(installation.database_url) == {}


async def test_migrate_names_the_command_for_each_table_that_is_to_be_rebuilt(
    installation: Installation, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await some_history(installation)
    await installation.connection.execute(
        "UPDATE projections SET schema_version = 99 WHERE name = 'areas'"
    )
    await installation.connection.execute("DROP TABLE outbox")
    services = Services(database_url=installation.database_url, redis_url=None)
    reason = f"its table has schema version 99, this release needs {AREAS.schema_version}"
    for _ in range(2):
        await asyncio.to_thread(migrate, settings, services)
        assert capsys.readouterr().out.splitlines() == [
            "nothing to change",
            f"areas: {reason}: run `events-face projections rebuild areas`",
            "outbox: its table was lost: run `events-face projections rebuild outbox`",
        ]


async def test_a_lost_table_is_not_filled_while_workers_can_read_it(
    installation: Installation, settings: Settings
) -> None:
    await some_history(installation)
    await installation.connection.execute("DROP TABLE outbox")
    services = Services(database_url=installation.database_url, redis_url=None)
    await asyncio.to_thread(create_tables, settings, services)
    await installation.area("There")
    end = await last_position(installation.connection)

    async def the_others_went_on() -> bool:
        return (await installation.standing("areas"))[0] == end

    async with running(Projector(installation.database_url, installation.keys, ALL)):
        await until_async(the_others_went_on)
    cursor = await installation.connection.execute("SELECT to_regclass('outbox')")
    assert await cursor.fetchone() == (None,)


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE outbox, events",
        EVERY_TABLE,
        "DELETE FROM projections",
        "DROP TABLE projections",
        "UPDATE projections SET schema_version = 99; ALTER TABLE events DROP COLUMN name",
    ],
)
async def test_up_restores_lost_tables_from_history(
    installation: Installation, settings: Settings, damage: str
) -> None:
    before = await some_history(installation)
    await installation.connection.execute(damage.encode())
    services = Services(database_url=installation.database_url, redis_url=None)
    assert await asyncio.to_thread(create_tables, settings, services)
    with structlog.testing.capture_logs() as logged:
        await asyncio.to_thread(rebuild_outdated, settings, services)
    assert "rebuilt" in [line["event"] for line in logged]
    assert {table: await installation.rows(table) for p in ALL for table in p.tables} == before
    assert due(installation.database_url) == {}
    async with running(Projector(installation.database_url, installation.keys, ALL)):
        await installation.area("There")
        await until_async(lambda: all_caught_up(installation))
    assert len(await installation.rows("areas")) == 2


async def test_two_hosts_that_start_at_once_rebuild_once(
    installation: Installation, settings: Settings
) -> None:
    before = await some_history(installation)
    await installation.connection.execute("DROP TABLE outbox")
    services = Services(database_url=installation.database_url, redis_url=None)
    await asyncio.to_thread(create_tables, settings, services)
    with structlog.testing.capture_logs() as logged:
        await asyncio.gather(
            *(asyncio.to_thread(rebuild_outdated, settings, services) for _ in range(2))
        )
    assert [line["event"] for line in logged].count("rebuilt") == 1
    assert await installation.rows("outbox") == before["outbox"]
