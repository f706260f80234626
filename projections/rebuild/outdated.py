"""Creates missing read tables, and finds those that this release cannot use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from projections.projector.projection import PROJECTIONS_TABLE, Projection
from projections.rebuild.progress import DROP_ABANDONED

LOST_SCHEMA_VERSION = 0
"""No release has this `schema_version`: it marks a projection whose table, or whose row in
`projections`, was lost."""


def create_tables(connection: Connection[Any], projections: Sequence[Projection]) -> None:
    """Create the missing tables, as long as history is empty.

    Once history has events, a missing table is marked as lost instead, and only a rebuild may fill
    it: with a projector, workers would send messages again whose `Sent` event it has not yet
    reached. A table with the schema version of another release is not changed: until it is
    rebuilt, a projector of that release keeps it up to date.
    """
    connection.execute(DROP_ABANDONED)
    connection.execute(PROJECTIONS_TABLE)
    for projection in projections:
        cursor = connection.execute(
            """
            SELECT schema_version,
                   -- another release may have other companions
                   (SELECT bool_and(to_regclass(t) IS NOT NULL) FROM unnest(%(tables)s::text[]) t
                    WHERE t = %(name)s OR schema_version = %(schema_version)s),
                   EXISTS (SELECT FROM history_events)
            FROM (VALUES (1)) AS always LEFT JOIN projections ON name = %(name)s
            """,
            {
                "name": projection.name,
                "tables": list(projection.tables),
                "schema_version": projection.schema_version,
            },
        )
        version, has_tables, has_history = cursor.fetchone() or (None, False, False)
        if has_history and (version is None or not has_tables):
            _mark_as_lost(connection, projection)
        elif version in {None, projection.schema_version}:
            if not has_tables:  # an existing table would be locked against writers
                connection.execute(projection.table)
            connection.execute(
                """
                INSERT INTO projections (name, schema_version) VALUES (%s, %s)
                ON CONFLICT DO NOTHING
                """,
                [projection.name, projection.schema_version],
            )


def _mark_as_lost(connection: Connection[Any], projection: Projection) -> None:
    """After that, no projector leads the projection."""
    connection.execute(
        """
        INSERT INTO projections (name, schema_version) VALUES (%s, %s)
        ON CONFLICT (name) DO UPDATE SET schema_version = EXCLUDED.schema_version
        """,
        [projection.name, LOST_SCHEMA_VERSION],
    )


def due_rebuilds(connection: Connection[Any], projections: Sequence[Projection]) -> dict[str, str]:
    """The projections that must be rebuilt before this release reads them: reasons by name."""
    cursor = connection.execute(
        """
        SELECT name, CASE WHEN to_regclass(name) IS NOT NULL THEN schema_version END
        FROM projections ORDER BY name
        """
    )
    reasons = {
        name: rebuild_reason(name, version, projections) for name, version in cursor.fetchall()
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def rebuild_reason(
    name: str, schema_version: int | None, projections: Sequence[Projection]
) -> str | None:
    """Why a projection whose table has this schema version (None: there is no table) must be
    rebuilt; None when this release can use the table, or has no such projection."""
    expected = {projection.name: projection.schema_version for projection in projections}.get(name)
    if expected is None or expected == schema_version:
        return None
    if schema_version in {None, LOST_SCHEMA_VERSION}:
        return "its table was lost"
    return f"its table has schema version {schema_version}, this release needs {expected}"
