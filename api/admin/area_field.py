"""The area in a form: its name is typed, with the names of all areas to choose from."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from api.admin.kit.cookies import seen
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from domain.areas import CreateArea
from domain.core.values import Invalid, Text
from projections.areas import areas_matching, list_areas

OFFERED = 1_000

MOST_NAMED = 3
"""Similar areas that an error names."""


async def offered_areas(connection: AsyncConnection[Any]) -> list[tuple[str, str]]:
    """Ids and names of the areas to choose from."""
    found = await list_areas(connection, limit=OFFERED)
    return [(str(area.id), area.name) for area in found.rows]


async def area_named(request: Request, text: str, *, create: bool = False) -> UUID | None:
    """The id of the area with this name or id; None for "". With `create`, an area that does not
    exist is created. Raises `Invalid`, with the similar names."""
    wanted = text.strip()
    if not wanted:
        return None
    if "\0" in wanted:
        raise Invalid("must not contain control characters")
    found = await read(
        request, seen(request), lambda connection: areas_matching(connection, wanted), ["areas"]
    )
    same = [a for a in found if a.name.lower() == wanted.lower() or str(a.id) == wanted.lower()]
    if same:
        return same[0].id
    if create:
        created: UUID = (await execute(request, CreateArea(name=Text.parse(wanted)))).value.id
        return created
    similar = ", ".join(f"“{area.name}”" for area in found[:MOST_NAMED])
    raise Invalid(
        "is not the name of an area" + (f". Similar: {similar}" if similar else ": choose one")
    )
