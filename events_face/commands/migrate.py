"""Creates or upgrades all tables. Safe to run again, and on two hosts at once."""

import asyncio
import sys
import time
from typing import Any

import psycopg
import structlog
from psycopg.errors import LockNotAvailable

from domain import seals
from domain.history import store
from domain.privacy.encryption import CannotOpen
from runtime.checks.at_start import refuse_unfit
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys, session
from runtime.secret_key import with_existing_key
from runtime.settings import Settings

LOCK_TIMEOUT = "2s"
"""While it waits for a lock on a table, all queries on that table wait behind it: so it gives up
and tries again."""

LOCK_RETRY_INTERVAL = 1.0
"""Seconds between two attempts, in which these queries run."""

LOCK_TRIES = 20

log = structlog.get_logger()


def migrate(settings: Settings, services: Services) -> None:
    """Bring the database up to this release, and print what that changed, and which read tables are
    to be rebuilt for it: that may take a while, so an operator chooses when. Raises as
    `create_tables`."""
    before = _parts(services.database_url)
    due = create_tables(settings, services)
    sys.stdout.write(f"{_difference(before, _parts(services.database_url))}\n")
    for name, reason in due.items():
        sys.stdout.write(f"{name}: {reason}: run `events-face projections rebuild {name}`\n")


def _parts(database_url: str) -> set[tuple[str, str]]:
    """Of the schema: each table, column and index, beside the table that it belongs to."""
    with session(database_url) as connection:
        cursor = connection.execute(
            """
            SELECT c.relname, p.part
            FROM pg_class c, LATERAL (
                SELECT 'table ' || c.relname
                UNION ALL
                SELECT 'column ' || c.relname || '.' || attname FROM pg_attribute
                WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                UNION ALL
                SELECT 'index ' || indexrelid::regclass FROM pg_index WHERE indrelid = c.oid
            ) p (part)
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
            """
        )
        return set(cursor.fetchall())


def _difference(before: set[tuple[str, str]], after: set[tuple[str, str]]) -> str:
    tables = {table for table, _ in after} - {table for table, _ in before}
    if not before:
        return f"created {len(tables)} tables"
    added = sorted(part for table, part in after - before if table not in tables)
    added = [*(f"table {table}" for table in sorted(tables)), *added]
    changes = [f"added {part}" for part in added]
    changes += [f"removed {part}" for _, part in sorted(before - after)]
    return "; ".join(changes) or "nothing to change"


def create_tables(settings: Settings, services: Services) -> dict[str, str]:
    """Bring the database up to this release, but for the read tables that are to be rebuilt first:
    their names, each with the reason. Raises `CommandFailed` when the key does not fit, or the
    database cannot hold this release."""
    with session(services.database_url) as connection:
        refuse_unfit(connection)
        secret_keys = with_existing_key(settings).secret_keys
        connection.execute("SELECT pg_advisory_lock(hashtext('migrate'))")
        for _ in range(LOCK_TRIES):
            try:
                with connection.transaction():
                    connection.execute(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'")
                    return _create_tables(connection, secret_keys)
            except LockNotAvailable:
                log.warning("a transaction keeps a table locked: trying again")
                time.sleep(LOCK_RETRY_INTERVAL)
            except CannotOpen as error:
                raise CommandFailed(str(error)) from None
    raise CommandFailed("a transaction keeps a table locked that must be changed; end it first")


def _create_tables(
    connection: psycopg.Connection[Any], secret_keys: tuple[str, ...]
) -> dict[str, str]:
    import workers
    from projections.rebuild import outdated
    from projections.registry import ALL

    store.create_tables(connection, secret_keys)
    seals.create_tables(connection, secret_keys)
    connection.execute(store.sql("accounts.sql"))
    outdated.create_tables(connection, ALL)
    workers.create_tables(connection)
    return outdated.due_rebuilds(connection, ALL)


def rebuild_outdated(settings: Settings, services: Services) -> None:
    """Rebuild the read tables that are not of this release, if there still are any: of two hosts,
    the second waits for the first. Raises `CommandFailed`."""
    from projections.rebuild.outdated import due_rebuilds
    from projections.rebuild.rebuild import CannotRebuild, rebuild_tables
    from projections.registry import ALL

    keys = installation_keys(settings, services.database_url)
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('rebuild what is due'))")
        due = due_rebuilds(connection, ALL)
        if not due:
            return
        log.info("rebuilding before the start, which may take a while", because=due)
        chosen = [projection for projection in ALL if projection.name in due]
        try:
            position = asyncio.run(rebuild_tables(services.database_url, keys, chosen))
        except CannotRebuild as error:
            raise CommandFailed(str(error)) from None
        log.info("rebuilt", projections=sorted(due), position=position)
