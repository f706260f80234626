"""The table `schema_migrations`: what was applied to this database, when, and by which release."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
from psycopg import Connection

from runtime.errors import CommandFailed
from runtime.release import release
from runtime.schema.migrations import Migration, tables_of

TABLE = """
CREATE TABLE schema_migrations (
    room       text        NOT NULL,
    number     int         NOT NULL,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    release    text        NOT NULL,
    PRIMARY KEY (room, number)
)
"""


class Applied(msgspec.Struct, frozen=True):
    room: str
    number: int
    name: str
    checksum: str
    applied_at: datetime
    release: str

    def __str__(self) -> str:
        return f"{self.room}/{self.number:04}_{self.name}"


class SchemaState(msgspec.Struct, frozen=True, kw_only=True):
    applied: Sequence[Applied]
    due: Sequence[Migration]
    """In the order in which they are to be applied."""
    newer: Sequence[Applied]
    """Applied by a newer release; this one does not know them."""


def applied(connection: Connection[Any]) -> list[Applied]:
    """In the order in which they were applied; none in a database from before the numbers."""
    if not has_ledger(connection):
        return []
    cursor = connection.execute(
        """
        SELECT room, number, name, checksum, applied_at, release
        FROM schema_migrations ORDER BY applied_at, room, number
        """
    )
    return [Applied(*row) for row in cursor.fetchall()]


def has_ledger(connection: Connection[Any]) -> bool:
    cursor = connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL")
    return cursor.fetchone() == (True,)


def record(connection: Connection[Any], migration: Migration) -> None:
    connection.execute(
        """
        INSERT INTO schema_migrations (room, number, name, checksum, release)
        VALUES (%s, %s, %s, %s, %s)
        """,
        [migration.room, migration.number, migration.name, migration.checksum, release()],
    )


def in_words(applied: Iterable[Applied]) -> str:
    """As `domain 1-5, workers 1`."""
    parts = []
    in_order = sorted(applied, key=lambda each: (each.room, each.number))
    for room, group in groupby(in_order, key=lambda each: each.room):
        numbers = [each.number for each in group]
        parts.append(f"{room} {'-'.join(map(str, dict.fromkeys([numbers[0], numbers[-1]])))}")
    return ", ".join(parts)


def compare(known: Sequence[Migration], found: Sequence[Applied]) -> SchemaState:
    """Raises `CommandFailed` when this release cannot follow from what was applied."""
    unknown = {(each.room, each.number): each for each in found}
    last = dict(sorted(unknown))
    due = []
    for migration in known:
        done = unknown.pop((migration.room, migration.number), None)
        if done is None:
            due.append(migration)
        elif done.checksum != migration.checksum:
            raise CommandFailed(
                f"migration {migration} has changed since {done.release} applied it on"
                f" {done.applied_at:%Y-%m-%d}: restore the file, and write the change as a new one"
            )
    for migration in due:
        if migration.number < last.get(migration.room, 0):
            raise CommandFailed(
                f"migration {migration} was not applied, but a later one of {migration.room} was:"
                " this database was made by another line of releases"
            )
    return SchemaState(applied=found, due=due, newer=list(unknown.values()))


def refuse_lost_tables(connection: Connection[Any], known: Sequence[Migration]) -> None:
    """Raises `CommandFailed` when a table is missing although it was created once: what was in it
    does not come back by creating it again."""
    tables = tables_of(known)
    cursor = connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL",
        [list(tables)],
    )
    for (name,) in cursor.fetchall():
        raise CommandFailed(
            f"the table {name} is missing, and migration {tables[name]}, which creates it, was"
            " applied: restore it from a backup"
        )
