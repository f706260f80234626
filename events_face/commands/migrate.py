"""Creates or upgrades all tables. Safe to run again, and on two hosts at once."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import psycopg
import structlog

from domain.history import store
from domain.privacy.encryption import CannotOpen
from domain.seals import signing
from events_face.commands.schema import migrations, newer_in_words, refuse_newer, schema_state
from runtime.checks.at_start import refuse_unfit
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys, session
from runtime.schema import ledger
from runtime.schema.ledger import Applied
from runtime.schema.runner import apply_all
from runtime.schema.turns import in_turns
from runtime.secret_key import with_existing_key
from runtime.settings import Settings

Parts = set[tuple[str, str]]

log = structlog.get_logger()


def migrate(settings: Settings, services: Services) -> None:
    """Bring the database up to this release, and print what that changed, and which read tables are
    to be rebuilt for it: that may take a while, so an operator chooses when. Raises as
    `create_tables`, and as `refuse_newer`."""
    refuse_newer(services.database_url)
    parts, applied = _schema(services.database_url)
    due = create_tables(settings, services)
    parts_now, applied_now = _schema(services.database_url)
    sys.stdout.write(f"{_difference(parts, parts_now, applied_now[len(applied) :])}\n")
    for name, reason in due.items():
        sys.stdout.write(f"{name}: {reason}: run `events-face projections rebuild {name}`\n")


def _schema(database_url: str) -> tuple[Parts, list[Applied]]:
    with session(database_url) as connection:
        return _parts(connection), ledger.applied(connection)


def _parts(connection: psycopg.Connection[Any]) -> Parts:
    """Of the schema: each table, column and index, beside the table that it belongs to."""
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


def _difference(before: Parts, after: Parts, applied: Sequence[Applied]) -> str:
    tables = {table for table, _ in after} - {table for table, _ in before}
    if not before:
        return f"created {len(tables)} tables"
    added = sorted(part for table, part in after - before if table not in tables)
    added = [*(f"table {table}" for table in sorted(tables)), *added]
    changes = [f"applied migrations {ledger.in_words(applied)}"] if applied else []
    changes += [f"added {part}" for part in added]
    changes += [f"removed {part}" for _, part in sorted(before - after)]
    return "; ".join(changes) or "nothing to change"


def create_tables(settings: Settings, services: Services) -> dict[str, str]:
    """Bring the database up to this release, but for the read tables that are to be rebuilt first:
    their names, each with the reason. Raises `CommandFailed` when the key does not fit, or the
    database cannot hold this release."""
    from projections.calendar_host import keep_host
    from projections.rebuild import outdated
    from projections.registry import ALL

    with session(services.database_url) as connection:
        refuse_unfit(connection)
        secret_keys = with_existing_key(settings).secret_keys
        connection.execute("SELECT pg_advisory_lock(hashtext('migrate'))")
        state = schema_state(connection)
        if state.newer:
            log.warning(newer_in_words(state.newer))
        else:
            apply_all(connection, state.due)
            ledger.refuse_lost_tables(connection, migrations())
        try:
            in_turns(connection, lambda: store.create_keys(connection, secret_keys))
            in_turns(connection, lambda: signing.create_key(connection, secret_keys))
        except CannotOpen as error:
            raise CommandFailed(str(error)) from None
        in_turns(connection, lambda: keep_host(connection, settings.public_url))
        in_turns(connection, lambda: outdated.create_tables(connection, ALL))
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
