"""Tables beside those in use: they fill in a schema of their own, and then take their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier

from projections.projector.projection import PROJECTIONS_TABLE, Projection
from projections.rebuild.progress import DROP_LITTER, SCHEMA_PREFIX

LEFT_OVER = """
CREATE TABLE left_over (
    projection text NOT NULL,
    position   bigint NOT NULL
);
"""
"""Events that wait for `apply`, see `projections.rebuild.bulk_load`."""


class Place(msgspec.Struct, frozen=True):
    schema: str
    home: str
    """The schema of the tables in use."""

    @property
    def search_path(self) -> Composed:
        """The statement that has a session find the new tables before those in use."""
        return SQL("SET search_path TO {}, {}").format(
            Identifier(self.schema), Identifier(self.home)
        )


async def prepare(connection: AsyncConnection[Any], projections: Sequence[Projection]) -> Place:
    """Create the tables; the connection, which has the locks, works on them from now on."""
    cursor = await connection.execute("SELECT current_schema()")
    row = await cursor.fetchone()
    place = Place(SCHEMA_PREFIX + projections[0].name, str(row and row[0]))
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('migrate'))")
        await connection.execute(PROJECTIONS_TABLE)  # in case it was lost, too
    await connection.execute(DROP_LITTER)
    await connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(place.schema)))
    await connection.execute(place.search_path)
    await connection.execute(PROJECTIONS_TABLE)
    await connection.execute(LEFT_OVER)
    for projection in projections:
        await connection.execute(projection.table)
        await connection.execute(
            "INSERT INTO projections (name, schema_version) VALUES (%s, %s)",
            [projection.name, projection.schema_version],
        )
    return place


class Indexes(msgspec.Struct, frozen=True):
    """Those of a table that were taken off, as the statements that put them on again."""

    create: list[bytes]
    """These may run beside each other. What takes longest comes first."""
    complete: list[bytes]
    """Then these, which take a moment: constraints, and what statistics are not to be kept."""


async def take_off_indexes(connection: AsyncConnection[Any], table: str) -> Indexes:
    """For filling it quickly."""
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
    for take_off, create, complete in await cursor.fetchall():
        await connection.execute(take_off.encode())
        indexes.create.append(create.encode())
        indexes.complete.extend(statement.encode() for statement in complete if statement)
    return indexes


async def lock_present(
    connection: AsyncConnection[Any], place: Place, projection: Projection
) -> bool:
    """Hold off everybody from the table in use until the transaction ends; False when there is
    none. Raises `psycopg.errors.LockNotAvailable`."""
    present = Identifier(place.home, projection.name)
    cursor = await connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", [present.as_string(connection)]
    )
    if await cursor.fetchone() == (False,):
        return False
    await connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(present))
    return True


async def take_its_place(
    connection: AsyncConnection[Any],
    place: Place,
    projection: Projection,
    position: int,
    *,
    present: bool,
) -> None:
    """Let the new table, which includes history up to `position`, replace the `present` one."""
    old, new = (Identifier(schema, projection.name) for schema in (place.home, place.schema))
    if present:
        if projection.carry_over is not None:
            await connection.execute(SQL(projection.carry_over).format(previous=old))
        await connection.execute(SQL("DROP TABLE {}").format(old))
    await connection.execute(
        SQL("ALTER TABLE {} SET SCHEMA {}").format(new, Identifier(place.home))
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
        ).format(projections=Identifier(place.home, "projections")),
        {
            "position": position,
            "schema_version": projection.schema_version,
            "name": projection.name,
        },
    )
