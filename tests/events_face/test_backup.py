"""`backup` and `restore`: the content of a backup, the restored state, and the printed warnings."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import msgspec
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.history.store import last_position
from domain.notifications import Failed, QueueAgain
from domain.privacy.keys import InstallationKeys
from events_face.commands import postgres_tools
from events_face.commands.audit_proof import verify
from events_face.commands.backup import backup
from events_face.commands.recovery import HELD_REASON, POSITION_GAP, recover
from events_face.commands.restore import restore
from projections.backlog import count_by_state
from projections.projector.projector import Projector
from projections.registry import ALL
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings
from tests.support.installation import (
    Installation,
    all_caught_up,
    an_account,
    running,
)
from tests.support.notification_service import NotificationService
from tests.support.sealed_history import seal_all
from tests.support.waiting import until_async
from tests.workers.outboxes import history_of, rows_by_email
from workers.delivery import leases
from workers.delivery.deliverer import new_delivery
from workers.delivery.sender import Accepted, Answer, TryLater

pytestmark = pytest.mark.anyio


def services_of(database_url: str) -> Services:
    return Services(database_url=database_url, redis_url=None)


async def make_history(installation: Installation, signing_key: Ed25519PrivateKey) -> None:
    """Four visitors: one is notified, one was tried, one is being notified, and the last one has
    only just registered."""
    event = await installation.event()
    emails = [f"{name}@example.com" for name in ("sent", "tried", "leased")]
    await installation.register(event, *emails)
    await installation.project()
    rows = await rows_by_email(installation)
    leased = {
        row.email: row for row in await leases.lease(installation.connection, installation.keys, 3)
    }
    assert set(leased) == set(rows)
    answers: list[tuple[leases.Leased, Answer]] = [
        (leased["sent@example.com"], Accepted()),
        (leased["tried@example.com"], TryLater("it is busy", retry_after=3600.0)),
    ]
    await leases.settle(installation.connection, installation.decider, answers)
    await installation.project()
    await installation.register(event, "late@example.com")
    (account,) = await installation.give(an_account("ada"))
    await installation.connection.execute(
        "INSERT INTO sessions VALUES (gen_random_uuid(), %s, '', now() + '1 day')", [account.id]
    )
    await seal_all(installation.connection, signing_key)


async def test_a_restored_system_continues_from_the_backup_and_sends_nothing_twice(
    installation: Installation,
    signing_key: Ed25519PrivateKey,
    settings: Settings,
    elsewhere: Settings,
    restored: Installation,
    service: NotificationService,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await make_history(installation, signing_key)
    file, end = tmp_path / "backup", await last_position(installation.connection)
    await asyncio.to_thread(backup, settings, services_of(installation.database_url), file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    said = capsys.readouterr().out
    assert f"history up to position {end}, of " in said
    assert "SECRET_KEY is not in this file" in said

    await asyncio.to_thread(restore, elsewhere, file=file, hold=False)
    said = capsys.readouterr().out
    assert f"restored: history up to position {end}, of " in said
    assert "sessions: 1 ended" in said
    assert "notifications: 3 wait, and may have been sent since" in said
    await asyncio.to_thread(
        verify, elsewhere, services_of(restored.database_url), checkpoint=None, json=False
    )
    assert f"up to position {end};" in capsys.readouterr().out

    rows = await rows_by_email(restored)
    assert {row["state"] for email, row in rows.items() if email != "sent@example.com"} == {
        "waiting"
    }
    assert all(row["lease_token"] is None for row in rows.values())
    async with new_delivery(elsewhere, restored.database_url, restored.keys) as delivery:
        await delivery.drain()
    assert sorted(service.emails) == ["late@example.com", "leased@example.com"]  # both are due
    assert {str(received.id) for received in service.received} == {
        rows[email]["id"] for email in service.emails
    }
    await restored.project()
    assert await count_by_state(restored.connection) == {"waiting": 1, "sent": 3, "failed": 0}
    assert await last_position(restored.connection) > end + POSITION_GAP


async def test_waiting_notifications_can_be_held_until_they_are_queued_again(
    installation: Installation,
    signing_key: Ed25519PrivateKey,
    settings: Settings,
    elsewhere: Settings,
    restored: Installation,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await make_history(installation, signing_key)
    file = tmp_path / "backup"
    await asyncio.to_thread(backup, settings, services_of(installation.database_url), file)
    await asyncio.to_thread(restore, elsewhere, file=file, hold=True)
    assert "notifications: 3 that waited are held" in capsys.readouterr().out
    held = await history_of(restored, Failed)
    nameless = [msgspec.structs.replace(recorded.event, visitor_id=None) for recorded in held]
    assert nameless == [Failed(reason=HELD_REASON)] * 3
    await restored.project()
    assert await count_by_state(restored.connection) == {"waiting": 0, "sent": 1, "failed": 3}
    await restored.give(QueueAgain(notification_id=held[0].originator_id))
    await restored.project()
    assert await count_by_state(restored.connection) == {"waiting": 1, "sent": 1, "failed": 2}


async def test_a_backup_is_one_snapshot_during_concurrent_writes(
    installation: Installation,
    keys: InstallationKeys,
    settings: Settings,
    elsewhere: Settings,
    restored: Installation,
    tmp_path: Path,
) -> None:
    event, ended = await installation.event(), asyncio.Event()

    async def visitors() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            await installation.register(event, f"visitor{number}@example.com")

    async with (
        running(Projector(installation.database_url, keys, ALL)),
        asyncio.TaskGroup() as load,
    ):
        load.create_task(visitors())
        for name in ("first", "second"):
            services = services_of(installation.database_url)
            await asyncio.to_thread(backup, settings, services, tmp_path / name)
        ended.set()
    await asyncio.to_thread(restore, elsewhere, file=tmp_path / "second", hold=False)
    cursor = await restored.connection.execute(
        """
        SELECT (SELECT count(*) FROM history_events WHERE topic = 'Visitor.Registered'),
               (SELECT count(*) FROM outbox),
               (SELECT count(*) FROM visitors) - (
                   SELECT count(*) FROM history_events WHERE topic = 'Visitor.Registered'
                       AND notification_id <= (SELECT position FROM projections p
                                               WHERE p.name = 'visitors'))
        """
    )
    registered, in_outbox, too_many = await cursor.fetchone() or (0, 0, 0)
    assert 0 < registered < await last_position(installation.connection)
    assert in_outbox == registered
    assert too_many == 0


def tables(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        cursor = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        (count,) = cursor.fetchone() or (0,)
        return int(count)


async def test_a_restore_with_another_secret_key_fails_before_it_changes_anything(
    settings: Settings, database_url: str, elsewhere: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    backup(settings, services_of(database_url), file)
    another = msgspec.structs.replace(elsewhere, secret_keys=("another",))
    with pytest.raises(CommandFailed, match="SECRET_KEY is not the one of"):
        restore(another, file=file, hold=False)
    assert elsewhere.database_url is not None
    assert tables(elsewhere.database_url) == 0
    beside = msgspec.structs.replace(elsewhere, secret_keys=("another", *settings.secret_keys))
    await asyncio.to_thread(restore, beside, file=file, hold=False)


def test_only_an_empty_database_is_filled(
    settings: Settings, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    backup(settings, services_of(database_url), file)
    full = msgspec.structs.replace(settings, database_url=database_url)
    with pytest.raises(CommandFailed, match="the database is not empty"):
        restore(full, file=file, hold=False)


def test_an_existing_backup_is_not_overwritten(
    settings: Settings, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    file.write_text("an older one")
    with pytest.raises(CommandFailed, match="exists already: a backup is not overwritten"):
        backup(settings, services_of(database_url), file)
    assert file.read_text() == "an older one"


def test_an_incomplete_backup_restores_nothing(
    settings: Settings, database_url: str, elsewhere: Settings, tmp_path: Path
) -> None:
    whole, half = tmp_path / "backup", tmp_path / "half"
    backup(settings, services_of(database_url), whole)
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(
        CommandFailed,
        match=r"half (is no backup of|was not restored)",
    ):
        restore(elsewhere, file=half, hold=False)
    assert elsewhere.database_url is not None
    assert tables(elsewhere.database_url) == 0


def test_a_file_that_is_not_a_backup_is_reported_in_plain_words(
    elsewhere: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "letter"
    file.write_text("Dear Ada")
    with pytest.raises(CommandFailed) as refused:
        restore(elsewhere, file=file, hold=False)
    assert str(refused.value).startswith(f"{file} is no backup of Events-Face")
    assert "pg_restore" not in str(refused.value)


def test_a_restore_without_the_kept_key_generates_no_new_one(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "backup").touch()
    data_dir = tmp_path / "data"
    keyless = msgspec.structs.replace(settings, secret_keys=(), data_dir=data_dir)
    with pytest.raises(CommandFailed, match="no SECRET_KEY: set it, or restore the file"):
        restore(keyless, file=tmp_path / "backup", hold=False)
    assert not data_dir.exists()


def test_a_backup_without_the_tools_says_what_to_install(
    settings: Settings, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_tools, "_candidates", lambda name: [])
    with pytest.raises(CommandFailed, match="no pg_dump of PostgreSQL"):
        backup(settings, services_of(database_url), tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


async def test_a_running_system_is_not_taken_for_a_recovered_one(
    installation: Installation, keys: InstallationKeys, settings: Settings
) -> None:
    await installation.event()
    async with running(Projector(installation.database_url, keys, ALL)):
        await until_async(lambda: all_caught_up(installation))
        with pytest.raises(CommandFailed, match="a projector"):
            await asyncio.to_thread(
                recover, settings, services_of(installation.database_url), hold=True
            )
