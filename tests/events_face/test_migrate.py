"""`migrate` while the system runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import sql

from domain.application import APPLICATION
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.privacy.keys import InstallationKeys
from domain.seats import differences
from events_face.commands.migrate import migrate
from events_face.commands.schema import migrations
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.schema import turns
from runtime.settings import Settings
from tests.support.former_append import append_as_before, registered
from tests.support.installation import ORIGIN, Installation, a_registration, an_event
from tests.support.processes import environment, events_face
from tests.support.sealed_history import seal_all
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@contextmanager
def every_table_in_use(database_url: str) -> Iterator[None]:
    """As by readers, by writers, and by a vacuum that does not give way."""
    with psycopg.connect(database_url) as connection:
        cursor = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [sql.Identifier(name) for (name,) in cursor.fetchall()]
        lock = sql.SQL("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE")
        connection.execute(lock.format(sql.SQL(", ").join(tables)))
        yield


APPEND_ARGUMENTS: LiteralString = (
    "uuid[], bigint[], uuid[], bigint[], text[], bytea[], bytea[],"
    " uuid[], int[], int[], int[], int[], int[], int[], uuid[], uuid[], uuid[], int[], uuid[]"
)

KEYED_ARGUMENTS: LiteralString = "bytea[], bytea[], bytea[], int[], uuid[]"

TABLES_SINCE: tuple[LiteralString, ...] = (
    "api_key_secrets",
    "api_keys",
    "calendar_host",
    "event_queue",
    "event_seats",
    "idempotency_keys",
    "service_replies",
    "webhook_attempts",
    "webhook_cursors",
    "webhook_parked",
    "webhooks",
)
MADE_SINCE: tuple[LiteralString, ...] = (
    *(f"TABLE {table}" for table in TABLES_SINCE),
    f"FUNCTION append_to_history({APPEND_ARGUMENTS})",
    f"FUNCTION append_to_history({APPEND_ARGUMENTS}, {KEYED_ARGUMENTS})",
)
"""What numbered migrations make that databases from before them do not have."""


FORMER_APPEND = next(m.statements for m in migrations() if m.name == "append_to_history").encode()


def make_older(connection: psycopg.Connection[Any], *lacks: LiteralString) -> None:
    """A database from before migrations were numbered, which lacks these."""
    for lacking in ("TABLE schema_migrations", *MADE_SINCE, *lacks):
        connection.execute(f"DROP {lacking}")
    connection.execute(FORMER_APPEND)
    connection.commit()


def test_it_does_not_wait_for_appending_transactions(
    settings: Settings, database_url: str, services: Services
) -> None:
    with ThreadPoolExecutor(1) as thread, psycopg.connect(database_url) as appending:
        appending.execute("SELECT mark FROM installation_keys")
        appending.execute("INSERT INTO history_events VALUES (gen_random_uuid(), 1, '', '')")
        done = thread.submit(migrate, settings, services)
        until(done.done)
        done.result()


def test_without_changes_to_make_it_waits_for_no_lock(
    settings: Settings, database_url: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOCK_TRIES", 1)
    with every_table_in_use(database_url):
        migrate(settings, services)


def test_changes_are_tried_repeatedly_so_that_others_can_continue_in_between(
    settings: Settings,
    database_url: str,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(turns, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(turns, "LOCK_RETRY_INTERVAL", 0.05)
    with ThreadPoolExecutor(1) as thread, psycopg.connect(database_url) as others:
        make_older(others, "INDEX sessions_of_account")
        others.execute("DELETE FROM sessions")  # which the index has to wait for
        done = thread.submit(migrate, settings, services)
        until(lambda: "keeps a table locked" in capsys.readouterr().out)
        with psycopg.connect(database_url) as another:
            another.execute("DELETE FROM sessions")
        others.rollback()
        done.result()
        found = others.execute("SELECT to_regclass('sessions_of_account') IS NOT NULL")
        assert found.fetchone() == (True,)


@pytest.mark.parametrize("table", ["installation_keys", "signing_key"])
async def test_lost_keys_of_a_history_are_not_created_again(
    installation: Installation, settings: Settings, signing_key: Ed25519PrivateKey, table: str
) -> None:
    await installation.area("Here")
    await seal_all(installation.connection, signing_key)
    await installation.connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    services = Services(database_url=installation.database_url, redis_url=None)
    with pytest.raises(CommandFailed, match=f"restore the table {table} from a backup"):
        await asyncio.to_thread(migrate, settings, services)


def test_it_prints_what_it_has_changed(
    settings: Settings,
    database_url: str,
    services: Services,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with psycopg.connect(database_url) as others:
        make_older(others, "INDEX sessions_of_account", "TABLE delivery_pause")
    migrate(settings, services)
    tables = sorted([*TABLES_SINCE, "delivery_pause", "schema_migrations"])
    added = "; ".join(f"added table {table}" for table in tables)
    assert capsys.readouterr().out == (
        "applied migrations domain 1-10, projections 1-5, workers 1;"
        f" {added}; added index sessions_of_account\n"
    )
    migrate(settings, services)
    assert capsys.readouterr().out == "nothing to change\n"


def test_it_gives_up_when_another_transaction_does_not_end(
    settings: Settings, database_url: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(turns, "LOCK_RETRY_INTERVAL", 0.01)
    monkeypatch.setattr(turns, "LOCK_TRIES", 2)
    with psycopg.connect(database_url) as others:
        make_older(others, "INDEX sessions_of_account")
        others.execute("DELETE FROM sessions")
        with pytest.raises(CommandFailed, match="a transaction keeps a table locked"):
            migrate(settings, services)


def test_the_host_of_calendar_ids_is_kept_once(
    settings: Settings, database_url: str, services: Services
) -> None:
    urls = ["https://a.example.com:8443/events", "https://b.example.com", None]
    installed = [msgspec.structs.replace(settings, public_url=url) for url in urls]

    def hosts() -> list[str]:
        return [host for (host,) in connection.execute("SELECT host FROM calendar_host")]

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM calendar_host")
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: migrate(each, services), installed[:2]))
        (kept,) = hosts()
        assert kept in {"a.example.com", "b.example.com"}
        for each in installed:
            migrate(each, services)
        assert hosts() == [kept]


async def test_registrations_continue_during_two_migrations_and_a_long_query(
    settings: Settings, database_url: str, services: Services, keys: InstallationKeys
) -> None:
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        event = (await writer.execute(an_event(), ORIGIN)).value.event.id

        async def register(email: str) -> None:
            await writer.execute(a_registration(event, email), ORIGIN)

        await _migrated_under_load(settings, database_url, services, register)


async def test_seats_are_counted_while_older_releases_register_visitors(
    settings: Settings, database_url: str, services: Services
) -> None:
    fair = uuid4()
    with psycopg.connect(database_url) as connection:
        make_older(connection)

    async def register(_: str) -> None:
        await asyncio.to_thread(_register_as_before, database_url, fair)

    await _migrated_under_load(settings, database_url, services, register)
    with psycopg.connect(database_url) as connection:
        assert differences(connection) == []


def _register_as_before(database_url: str, fair: UUID) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        append_as_before(connection, (uuid4(), 1, registered(fair)))


async def _migrated_under_load(
    settings: Settings,
    database_url: str,
    services: Services,
    register: Callable[[str], Awaitable[None]],
) -> None:
    """Two processes migrate, twice, while visitors register and a transaction has read from every
    table."""
    here, ended, accepted = environment(settings, services), asyncio.Event(), list[str]()

    async def visitors(name: str) -> None:
        while not ended.is_set():
            email = f"{name}{len(accepted)}@example.com"
            await register(email)
            accepted.append(email)

    with every_table_in_use(database_url):
        async with asyncio.TaskGroup() as load:
            for name in ("a", "b", "c"):
                load.create_task(visitors(name))
            for _ in range(2):
                ran = await asyncio.gather(
                    *(asyncio.to_thread(events_face, here, "migrate") for _ in range(2))
                )
                assert [(each.code, each.err) for each in ran] == [(0, "")] * 2
            ended.set()
    assert len(accepted) > 2
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT count(*) FROM schema_migrations").fetchone()
    assert found == (len(migrations()),)
