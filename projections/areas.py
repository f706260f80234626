"""The `areas` table: every area that exists, with the number of its events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.areas import Area
from domain.core.aggregate import RecordedEvent
from domain.privacy.keys import InstallationKeys
from projections.lists.cursor import Page, Versions
from projections.lists.search_text import searchable
from projections.projector.projection import Projection, events_of, fold_into

TABLE = """
CREATE TABLE IF NOT EXISTS areas (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    name_folded text NOT NULL,
    event_count int NOT NULL,
    version     bigint NOT NULL
);
"""


class AreaRow(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    event_count: int
    version: int
    """Version of the aggregate: a later command may expect it."""


async def get_area(connection: AsyncConnection[Any], id: UUID) -> AreaRow | None:
    cursor = await connection.execute(
        "SELECT id, name, event_count, version FROM areas WHERE id = %s", [id], binary=True
    )
    row = await cursor.fetchone()
    return AreaRow(*row) if row else None


async def list_areas(
    connection: AsyncConnection[Any], *, name_fragment: str = "", limit: int = 10, offset: int = 0
) -> Page[AreaRow]:
    """Areas ordered by name, whose name contains `name_fragment`, ignoring case and accents."""
    cursor = await connection.execute(
        """
        WITH found AS (
            SELECT id, name, name_folded, event_count, version
            FROM areas WHERE position(%(folded)s in name_folded) > 0
        ), page AS (
            SELECT * FROM found ORDER BY name_folded, name LIMIT %(limit)s OFFSET %(offset)s
        )
        SELECT p.version, (SELECT count(*) FROM found),
               page.id, page.name, page.event_count, page.version
        FROM projections p LEFT JOIN page ON true
        WHERE p.name = 'areas'
        ORDER BY page.name_folded, page.name
        """,
        {"folded": searchable(name_fragment), "limit": limit, "offset": offset},
        binary=True,
    )
    found = await cursor.fetchall()
    version, total = found[0][:2]
    rows = [AreaRow(*row[2:]) for row in found if row[2] is not None]
    return Page(rows=rows, total=total, version=f"a{version}")


async def areas_matching(connection: AsyncConnection[Any], text: str) -> Sequence[AreaRow]:
    """The area with this id or name; else those whose name contains it, ignoring case and accents.
    The name itself is preferred to others that only differ in case or accents."""
    cursor = await connection.execute(
        """
        SELECT id, name, event_count, version FROM areas
        WHERE id::text = lower(%(text)s) OR position(%(folded)s in name_folded) > 0
        ORDER BY id::text <> lower(%(text)s), name <> %(text)s, name_folded <> %(folded)s,
                 name_folded
        """,
        {"text": text, "folded": searchable(text)},
        binary=True,
    )
    found = [AreaRow(*row) for row in await cursor.fetchall()]
    if found and (str(found[0].id) == text.lower() or found[0].name == text):
        return found[:1]
    same = [area for area in found if searchable(area.name) == searchable(text)]
    return same or found


def list_version(now: Versions) -> str:
    """The version that a page of `list_areas` has at these versions of the projections."""
    return f"a{now['areas']}"


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    known = await _load(connection, {e.originator_id for e in domain_events})
    fold_into(known, Area, domain_events)
    await connection.execute(
        "DELETE FROM areas WHERE id = ANY(%s)",
        [[area.id for area in known.values() if not area.exists]],
    )
    existing = [area for area in known.values() if area.exists]
    await connection.execute(
        """
        INSERT INTO areas (id, name, name_folded, event_count, version)
        SELECT * FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::int[], %b::bigint[])
        ON CONFLICT (id) DO UPDATE SET
            name = EXCLUDED.name, name_folded = EXCLUDED.name_folded,
            event_count = EXCLUDED.event_count, version = EXCLUDED.version
        """,
        [
            [area.id for area in existing],
            [area.name for area in existing],
            [searchable(area.name) for area in existing],
            [area.event_count for area in existing],
            [area.version for area in existing],
        ],
    )
    return True


async def _load(connection: AsyncConnection[Any], ids: set[UUID]) -> dict[UUID, Area]:
    cursor = await connection.execute(
        "SELECT id, version, name, event_count FROM areas WHERE id = ANY(%s)",
        [list(ids)],
        binary=True,
    )
    return {
        id: Area(id=id, version=version, name=name, event_count=event_count, exists=True)
        for id, version, name, event_count in await cursor.fetchall()
    }


AREAS = Projection(
    name="areas", schema_version=2, table=TABLE, handles=events_of(Area), apply=apply
)
