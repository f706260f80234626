"""All projections, and the table that says how far each has come."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from projections.accounts import ACCOUNTS
from projections.areas import AREAS
from projections.deliveries import DELIVERIES
from projections.events import EVENTS
from projections.outbox import OUTBOX
from projections.projection import Projection
from projections.registrations import REGISTRATIONS
from projections.sync_results import SYNC_RESULTS
from projections.visitors import VISITORS

ALL: tuple[Projection, ...] = (
    AREAS,
    EVENTS,
    VISITORS,
    REGISTRATIONS,
    OUTBOX,
    DELIVERIES,
    SYNC_RESULTS,
    ACCOUNTS,
)

PROJECTIONS_TABLE = """
CREATE TABLE IF NOT EXISTS projections (
    name            text PRIMARY KEY,
    schema_version  int NOT NULL,
    position        bigint NOT NULL DEFAULT 0,
    version         bigint NOT NULL DEFAULT 0,
    stopped_at      bigint,
    stopped_because text,
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


def create_tables(connection: Connection[Any]) -> None:
    """Create what is missing. A table of another release's shape is left alone: it is for
    `rebuild` to replace, and until then the release that it belongs to keeps it up to date."""
    connection.execute(PROJECTIONS_TABLE)
    rows = connection.execute("SELECT name, schema_version FROM projections").fetchall()
    existing: dict[str, int] = dict(rows)
    for projection in ALL:
        if existing.get(projection.name, projection.schema_version) == projection.schema_version:
            connection.execute(projection.table)
            connection.execute(
                """
                INSERT INTO projections (name, schema_version) VALUES (%s, %s)
                ON CONFLICT DO NOTHING
                """,
                [projection.name, projection.schema_version],
            )
