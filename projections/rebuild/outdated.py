"""Read tables that this release cannot use as they are; creating those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from projections.projector.projection import PROJECTIONS_TABLE, Projection
from projections.rebuild.progress import DROP_LITTER

LOST = 0
"""The `schema_version` of no release, for what has lost its table or its row of `projections`."""


def create_tables(connection: Connection[Any], projections: Sequence[Projection]) -> None:
    """Create what is missing, as long as history is empty; what lacks its table afterwards is
    marked as lost, because only a rebuild may fill it: a projector would let workers send what
    history says was sent, before it comes to that. A table of another release's shape is left
    alone too, and until it is rebuilt the release that it belongs to keeps it up to date."""
    connection.execute(DROP_LITTER)
    connection.execute(PROJECTIONS_TABLE)
    for projection in projections:
        cursor = connection.execute(
            """
            SELECT schema_version, to_regclass(%(name)s) IS NOT NULL,
                   EXISTS (SELECT FROM history_events)
            FROM (VALUES (1)) AS always LEFT JOIN projections ON name = %(name)s
            """,
            {"name": projection.name},
        )
        version, has_table, has_history = cursor.fetchone() or (None, False, False)
        if has_history and (version is None or not has_table):
            _mark_as_lost(connection, projection)
        elif version in {None, projection.schema_version}:
            if not has_table:  # one that is there would be locked, against those who write to it
                connection.execute(projection.table)
            connection.execute(
                """
                INSERT INTO projections (name, schema_version) VALUES (%s, %s)
                ON CONFLICT DO NOTHING
                """,
                [projection.name, projection.schema_version],
            )


def _mark_as_lost(connection: Connection[Any], projection: Projection) -> None:
    """No projector leads it then."""
    connection.execute(
        """
        INSERT INTO projections (name, schema_version) VALUES (%s, %s)
        ON CONFLICT (name) DO UPDATE SET schema_version = EXCLUDED.schema_version
        """,
        [projection.name, LOST],
    )


def due_rebuilds(connection: Connection[Any], projections: Sequence[Projection]) -> dict[str, str]:
    """The projections that are to be rebuilt before this release reads them, and why."""
    cursor = connection.execute(
        """
        SELECT name, CASE WHEN to_regclass(name) IS NOT NULL THEN schema_version END
        FROM projections ORDER BY name
        """
    )
    reasons = {name: why_rebuild(name, version, projections) for name, version in cursor.fetchall()}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def why_rebuild(
    name: str, schema_version: int | None, projections: Sequence[Projection]
) -> str | None:
    """What is wrong with the projection's table, whose schema version is given (None: there is no
    such table); None when this release can use it, or has no such projection."""
    ours = {projection.name: projection.schema_version for projection in projections}.get(name)
    if ours is None or ours == schema_version:
        return None
    if schema_version in {None, LOST}:
        return "its table was lost"
    return f"its table has schema version {schema_version}, and this release {ours}"
