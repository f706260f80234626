"""PostgreSQL brings the database back to a moment, from a base backup and the log since."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import psycopg
import pytest

from domain.history.store import last_position, load_keys
from domain.seals.signing import load_key
from events_face.commands.migrate import migrate
from events_face.commands.recovery import POSITION_GAP
from runtime.embedded.account import Account
from runtime.embedded.cluster import binary
from runtime.embedded.postgres import embedded_postgres
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation, installation_on
from tests.support.notification_service import notification_service
from tests.support.processes import environment, events_face, run
from tests.support.sealed_history import seal_all
from tests.support.waiting import until
from workers.delivery.deliverer import new_delivery

pytestmark = pytest.mark.anyio

RECOVERY = """
archive_mode = off
restore_command = 'cp {archive}/%f %p'
recovery_target_time = '{moment}'
recovery_target_action = promote
"""


@asynccontextmanager
async def running(data_dir: Path, settings: Settings) -> AsyncIterator[Installation]:
    """On the embedded server of this data dir, once that is writable."""
    with embedded_postgres(data_dir) as url:
        until(lambda: not _is_recovering(url))
        migrate(settings, Services(database_url=url, redis_url=None))
        with psycopg.connect(url) as connection:
            keys = load_keys(connection, settings.secret_keys)
        async with installation_on(url, keys) as installation:
            yield installation


async def deliver(installation: Installation, settings: Settings) -> None:
    await installation.project()
    async with new_delivery(settings, installation.database_url, installation.keys) as delivery:
        await delivery.drain()


def base_backup(database_url: str, folder: Path) -> None:
    where = [f"--dbname={database_url}", f"--pgdata={folder}"]
    run([binary("pg_basebackup"), *where, "--checkpoint=fast"], check=True)


async def the_moment(installation: Installation, settings: Settings) -> datetime:
    """Seals history; then it is now."""
    with psycopg.connect(installation.database_url) as connection:
        key = load_key(connection, settings.secret_keys)
    await seal_all(installation.connection, key)
    cursor = await installation.connection.execute("SELECT clock_timestamp()")
    (moment,) = await cursor.fetchone() or (None,)
    assert isinstance(moment, datetime)
    return moment


async def test_a_system_recovered_to_a_moment_is_proven_and_sends_only_what_is_due(
    settings: Settings, data_dir: Path
) -> None:
    archive, recovered = data_dir.with_name("archive"), data_dir.with_name("recovered")
    base = recovered / "postgres"
    for folder in (archive, recovered):
        folder.mkdir(mode=0o700)
    with embedded_postgres(data_dir) as url, psycopg.connect(url, autocommit=True) as database:
        Account(data_dir / "postgres").own(archive)
        database.execute("ALTER SYSTEM SET archive_mode = on")
        database.execute(f"ALTER SYSTEM SET archive_command = 'cp %p {archive}/%f'".encode())
    with notification_service() as service:
        settings = msgspec.structs.replace(settings, notification_service_url=service.url)
        async with running(data_dir, settings) as installation:
            event = await installation.event()
            await installation.register(event, "before@example.com")
            await deliver(installation, settings)
            await asyncio.to_thread(base_backup, installation.database_url, base)
            await installation.register(event, "after@example.com")
            await deliver(installation, settings)
            await installation.register(event, "not.yet.notified@example.com")
            moment = await the_moment(installation, settings)
            end = await last_position(installation.connection)
            await installation.register(event, "too.late@example.com")
            await deliver(installation, settings)
            await installation.connection.execute("DELETE FROM history_events")  # the accident
            await installation.connection.execute("SELECT pg_switch_wal()")
            until(lambda: _all_is_archived(installation.database_url))
        with (base / "postgresql.auto.conf").open("a") as configuration:
            configuration.write(RECOVERY.format(archive=archive, moment=moment.isoformat()))
        (base / "recovery.signal").touch()
        service.received.clear()

        async with running(recovered, settings) as installation:
            found = Services(database_url=installation.database_url, redis_url=None)
            here = environment(settings, found)
            said = await asyncio.to_thread(events_face, here, "recovered")
            assert f"restored: history up to position {end}, of " in said.out
            assert "notifications: 1 wait, and may have been sent since" in said.out
            said = await asyncio.to_thread(events_face, here, "audit", "verify")
            assert f"up to position {end};" in said.out
            await deliver(installation, settings)
            assert service.emails == ["not.yet.notified@example.com"]
            assert await last_position(installation.connection) > end + POSITION_GAP


def _is_recovering(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def _all_is_archived(url: str) -> bool:
    """What was written until the log went on in another file."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(
            """
            SELECT last_archived_wal >= pg_walfile_name(pg_switch_wal() - 1) FROM pg_stat_archiver
            """
        )
        return cursor.fetchone() == (True,)
