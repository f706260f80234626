"""Staging tables of a rebuild: filled in a schema of their own, then swapped with the live ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier

from projections.projector.projection import PROJECTIONS_TABLE, Projection
from projections.rebuild.progress import DROP_ABANDONED, SCHEMA_PREFIX

LEFT_OVER = """
CREATE TABLE left_over (
    projection text NOT NULL,
    position   bigint NOT NULL
);
"""
"""Positions of events that still have to be passed to `apply` (`projections.rebuild.bulk_load`)."""


class StagingSchema(msgspec.Struct, frozen=True):
    name: str
    live_schema: str

    @property
    def search_path(self) -> Composed:
        """The statement that makes a session find the staging tables before the live ones."""
        return SQL("SET search_path TO {}, {}").format(
            Identifier(self.name), Identifier(self.live_schema)
        )


async def prepare(
    connection: AsyncConnection[Any], projections: Sequence[Projection]
) -> StagingSchema:
    """Create the staging tables. The connection must hold the locks; it uses them from now on."""
    cursor = await connection.execute("SELECT current_schema()")
    row = await cursor.fetchone()
    staging = StagingSchema(SCHEMA_PREFIX + projections[0].name, str(row and row[0]))
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('migrate'))")
        await connection.execute(PROJECTIONS_TABLE)  # it may have been lost, too
    await connection.execute(DROP_ABANDONED)
    await connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(staging.name)))
    await connection.execute(staging.search_path)
    await connection.execute(PROJECTIONS_TABLE)
    await connection.execute(LEFT_OVER)
    for projection in projections:
        await connection.execute(projection.table)
        await connection.execute(
            "INSERT INTO projections (name, schema_version) VALUES (%s, %s)",
            [projection.name, projection.schema_version],
        )
    return staging


class Indexes(msgspec.Struct, frozen=True):
    """The dropped indexes of a table, as the statements that create them again."""

    create: list[bytes]
    """These may run in parallel. The slowest comes first."""
    complete: list[bytes]
    """These run afterwards and are fast: constraints, and statistics targets."""


async def drop_indexes(connection: AsyncConnection[Any], table: str) -> Indexes:
    """Drop all indexes of a table, so that it can be filled fast."""
    cursor = await connection.execute(
        """
        SELECT CASE WHEN conname IS NULL THEN format('DROP INDEX %%s', indexrelid::regclass)
                    ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', indrelid::regclass, conname)
               END,
               pg_get_indexdef(indexrelid),
               array(
                   SELECT format('ALTER INDEX %%s ALTER COLUMN %%s SET STATISTICS %%s',
                                 indexrelid::regclass, attnum, attstattarget)
                   FROM pg_attribute WHERE attrelid = indexrelid AND attstattarget >= 0
               ) || CASE WHEN conname IS NOT NULL THEN
                   format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s USING INDEX %%I',
                          indrelid::regclass, conname,
                          CASE contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, relname)
               END
        FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        JOIN pg_am ON pg_am.oid = relam
        LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u')
        WHERE indrelid = %(table)s::regclass
        ORDER BY amname = 'gin' DESC
        """,
        {"table": table},
    )
    indexes = Indexes(create=[], complete=[])
    for drop, create, complete in await cursor.fetchall():
        await connection.execute(drop.encode())
        indexes.create.append(create.encode())
        indexes.complete.extend(statement.encode() for statement in complete if statement)
    return indexes


async def lock_live_tables(
    connection: AsyncConnection[Any], staging: StagingSchema, projection: Projection
) -> list[str]:
    """Lock the live tables against all access until the transaction ends; returns their names,
    without those that are missing. Raises `psycopg.errors.LockNotAvailable`."""
    cursor = await connection.execute(
        """
        SELECT name FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (name, place)
        WHERE to_regclass(format('%%I.%%I', %s::text, name)) IS NOT NULL ORDER BY place
        """,
        [list(projection.tables), staging.live_schema],
    )
    live_tables = [name for (name,) in await cursor.fetchall()]
    for name in live_tables:
        live = Identifier(staging.live_schema, name)
        await connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(live))
    return live_tables


async def swap_in(
    connection: AsyncConnection[Any],
    staging: StagingSchema,
    projection: Projection,
    position: int,
    live_tables: Sequence[str],
) -> None:
    """Replace the live tables by the staging tables, which include history up to `position`."""
    if projection.carry_over is not None and projection.name in live_tables:
        previous = Identifier(staging.live_schema, projection.name)
        await connection.execute(SQL(projection.carry_over).format(previous=previous))
    for name in live_tables:
        await connection.execute(SQL("DROP TABLE {}").format(Identifier(staging.live_schema, name)))
    for name in projection.tables:
        await connection.execute(
            SQL("ALTER TABLE {} SET SCHEMA {}").format(
                Identifier(staging.name, name), Identifier(staging.live_schema)
            )
        )
    await connection.execute(
        SQL(
            """
            WITH moved AS (
                INSERT INTO {projections} AS p (name, schema_version, position, version)
                VALUES (%(name)s, %(schema_version)s, %(position)s, %(position)s)
                ON CONFLICT (name) DO UPDATE SET
                    position = EXCLUDED.position, schema_version = EXCLUDED.schema_version,
                    version = greatest(EXCLUDED.position, p.version + 1),
                    stopped_at = NULL, stopped_because = NULL, updated_at = clock_timestamp()
                RETURNING name, position, version
            )
            SELECT pg_notify('projections', json_build_object(
                name, json_build_array(position, version)
            )::text)
            FROM moved
            """
        ).format(projections=Identifier(staging.live_schema, "projections")),
        {
            "position": position,
            "schema_version": projection.schema_version,
            "name": projection.name,
        },
    )
