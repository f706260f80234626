"""The schema comes from numbered migrations. Each is applied once, and all end at one schema."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest

from domain.history.store import load_keys, open_all, read_events
from domain.visitors import Registered
from events_face.commands.audit_proof import verify
from events_face.commands.migrate import create_tables, migrate, rebuild_outdated
from events_face.commands.recovery import recover
from events_face.commands.schema import ROOMS_WITH_TABLES, migrations
from projections.rebuild.outdated import due_rebuilds
from projections.registry import ALL
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.schema import ledger
from runtime.schema.migrations import Migration, migrations_of, tables_of
from runtime.schema.runner import apply_all
from runtime.settings import Settings
from tests.support.catalogue import catalogue
from tests.support.installation import Installation, installation_on
from tests.support.processes import environment, events_face

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parents[2]
KNOWN = migrations()
LAST = KNOWN[-1]


OLD_ARGUMENTS = "uuid[], bigint[], uuid[], bigint[], text[], bytea[], bytea[]"


def services_of(database_url: str) -> Services:
    return Services(database_url=database_url, redis_url=None)


def upgrade(settings: Settings, database_url: str) -> None:
    create_tables(settings, services_of(database_url))
    rebuild_outdated(settings, services_of(database_url))


def test_an_empty_database_and_one_of_the_release_before_end_at_the_same_schema(
    settings: Settings, former_url: str, database_url: str
) -> None:
    before, empty = catalogue(former_url), catalogue(database_url)
    assert before != empty
    upgrade(settings, former_url)
    assert catalogue(former_url) == empty
    with psycopg.connect(former_url) as connection:
        assert due_rebuilds(connection, ALL) == {}


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE history_events SET (autovacuum_vacuum_scale_factor = 0.4)",
        "ALTER TABLE personal_keys ALTER wrapped SET STATISTICS -1",
        "ALTER TABLE history_seals ALTER leaf_hashes SET STORAGE EXTENDED",
        "ALTER TABLE sync_requests ALTER asked_at SET DEFAULT clock_timestamp()",
        "ALTER TABLE sessions DROP CONSTRAINT sessions_account_id_fkey",
        "ALTER TABLE sessions ADD note text",
        "DROP INDEX sessions_of_account",
        "GRANT SELECT ON sessions TO PUBLIC",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO postgres",
        "COMMENT ON COLUMN sessions.id IS 'of a browser'",
        f"ALTER FUNCTION append_to_history({OLD_ARGUMENTS}) RESET enable_seqscan",
        "ALTER SEQUENCE history_events_notification_id_seq CACHE 10",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_the_catalogue_shows_every_difference(database_url: str, change: str) -> None:
    before = catalogue(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(change.encode())
    assert catalogue(database_url) != before


async def test_data_of_the_release_before_is_kept_and_continues(
    settings: Settings, former_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await asyncio.to_thread(upgrade, settings, former_url)
    with psycopg.connect(former_url) as connection:
        keys = load_keys(connection, settings.secret_keys)
        found = connection.execute(
            """
            SELECT (SELECT count(*) FROM sessions JOIN credentials USING (account_id)),
                   (SELECT last_due::date::text FROM schedule_runs WHERE task = 'cleanup')
            """
        )
        assert found.fetchone() == (1, "2026-11-26")
    async with installation_on(former_url, keys) as installation:
        assert [row["name"] for row in await installation.rows("areas")] == ["Here"]
        states = [row["state"] for row in await installation.rows("outbox")]
        assert sorted(states) == ["sent", "waiting"]
        events = await read_events(installation.connection, after=0, limit=100)
        opened = await open_all(installation.connection, events, keys)
        people = [e.event.person for e in opened if isinstance(e.event, Registered)]
        assert [p and p.email for p in people] == ["ada@example.org", "bob@example.org"]
        await installation.register(await installation.event(), "eve@example.org")
        await installation.project()
        assert len(await installation.rows("visitors")) == 3
    await asyncio.to_thread(verify, settings, services_of(former_url), checkpoint=None, json=False)
    assert "history is as it was sealed" in capsys.readouterr().out


def test_the_migrations_name_every_table_that_they_make(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = {name for (name,) in found.fetchall()}
    derived = {"projections", *(table for projection in ALL for table in projection.tables)}
    assert set(tables_of(KNOWN)) == tables - derived - {"schema_migrations"}


def test_every_room_with_migrations_is_migrated() -> None:
    assert {folder.parent.name for folder in HERE.glob("*/migrations")} == {*ROOMS_WITH_TABLES}


def test_what_was_applied_is_recorded(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = ledger.applied(connection)
    assert [(each.room, each.number, each.name, each.checksum) for each in found] == [
        (each.room, each.number, each.name, each.checksum) for each in KNOWN
    ]


def a_next(statements: str, number: int = LAST.number + 1) -> Migration:
    return Migration(room=LAST.room, number=number, name="next", statements=statements)


@contextmanager
def autocommit(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def test_a_migration_that_fails_changes_nothing_and_is_due_again(database_url: str) -> None:
    works = a_next("CREATE TABLE one (id int)")
    fails = a_next("CREATE TABLE two (id int); SELECT 1 / 0", works.number + 1)
    with autocommit(database_url) as connection:
        with pytest.raises(
            CommandFailed, match=r"migration workers/0003_next failed .* division by zero"
        ):
            apply_all(connection, [works, fails])
        found = connection.execute("SELECT to_regclass('one') IS NOT NULL, to_regclass('two')")
        assert found.fetchone() == (True, None)
        assert ledger.compare([*KNOWN, works, fails], ledger.applied(connection)).due == [fails]


def test_a_migration_that_was_changed_is_refused(database_url: str) -> None:
    changed = msgspec.structs.replace(LAST, statements=f"{LAST.statements}-- really\n")
    with autocommit(database_url) as connection:
        found = ledger.applied(connection)
    with pytest.raises(CommandFailed, match=r"migration workers/0001_schedule_runs has changed"):
        ledger.compare([*KNOWN[:-1], changed], found)


def test_a_migration_that_comes_before_an_applied_one_is_refused(database_url: str) -> None:
    later = a_next("SELECT 1", LAST.number + 2)
    with autocommit(database_url) as connection:
        apply_all(connection, [later])
        with pytest.raises(CommandFailed, match="migration workers/0002_next was not applied, but"):
            ledger.compare([*KNOWN, a_next("SELECT 1"), later], ledger.applied(connection))


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["0001_a.sql", "0003_c.sql"], "not exactly one file of number 0002"),
        (["0001_a.sql", "0001_b.sql"], "not exactly one file of number 0002"),
        (["0001_a.sql", "2_b.sql"], "2_b.sql is not named like 0001_name.sql"),
    ],
)
def test_a_release_whose_numbers_have_a_gap_or_a_double_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], reason: str
) -> None:
    room = f"room_{uuid4().hex}"
    folder = tmp_path / room / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    for name in names:
        (folder / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CommandFailed, match=reason):
        migrations_of(room)


async def test_a_newer_database_is_refused_by_migrate_and_used_by_roles(
    installation: Installation, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with autocommit(installation.database_url) as connection:
        apply_all(connection, [a_next("ALTER TABLE schedule_runs ADD note text")])
    services = services_of(installation.database_url)
    with pytest.raises(
        CommandFailed, match=r"the database is newer than this release: .* workers/0002_next"
    ):
        await asyncio.to_thread(migrate, settings, services)
    with pytest.raises(CommandFailed, match="the database is newer than this release"):
        await asyncio.to_thread(recover, settings, services, hold=False)  # as `restore` does
    assert await asyncio.to_thread(create_tables, settings, services) == {}  # as `up` does
    assert "the database is newer" in capsys.readouterr().out
    await installation.area("Here")


def test_roles_ask_for_migrations_that_are_due(settings: Settings, database_url: str) -> None:
    with autocommit(database_url) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE room = 'workers'")
    ended = events_face(environment(settings, services_of(database_url)), "projector")
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == (
        "events-face: migration workers/0001_schedule_runs was not applied to the database:"
        " run `events-face migrate`"
    )


def test_a_table_that_is_lost_is_not_created_empty(settings: Settings, database_url: str) -> None:
    with autocommit(database_url) as connection:
        connection.execute("DROP TABLE personal_keys")
    with pytest.raises(
        CommandFailed,
        match="the table personal_keys is missing, and migration domain/0001_history, which",
    ):
        migrate(settings, services_of(database_url))
