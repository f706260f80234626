"""Responses from the read tables: as recent as `Min-Event-Position`, and 304 if unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

from litestar import Response
from litestar.params import HeaderParameter, QueryParameter
from psycopg import AsyncConnection

from api.database.query import Query, run_query
from api.database.response_cache import Entry
from api.http import etags
from api.http.connections import Connections
from api.http.failures import InvalidParameters
from api.http.parameters import TEXT
from api.http.requests import Request
from api.http.responses import Ready, tagged
from domain.core.errors import TryAgain
from domain.history.codec import to_json
from projections.lists.cursor import Page, Versions

T = TypeVar("T")

CATCH_UP_TIMEOUT = 5.0
"""Seconds that a query waits for the projections to reach `Min-Event-Position`."""

REPLICA_POLL_INTERVAL = 0.02
"""Seconds between two queries for a replica's position: replicas send no notifications."""

TABLES = ["accounts", "areas", "events"]
"""The projections that the API's queries read."""

MinEventPosition = Annotated[
    int,
    HeaderParameter(
        name="Min-Event-Position",
        ge=0,
        le=2**63 - 1,
        description="Read from tables that include this `Event-Position`.",
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="Size of the page.")]
Offset = Annotated[int, QueryParameter(ge=0, le=2**31, description="Number of entries to skip.")]
NameFragment = Annotated[
    str,
    QueryParameter(
        max_length=255,
        pattern=TEXT,
        description="Only entries whose name contains this text, regardless of case.",
    ),
]


class Lagging(TryAgain):
    """The read tables do not include that position yet; try again shortly"""

    slug = "projection-lagging"


async def read(
    request: Request,
    at_least: int,
    query: Query[T],
    tables: Sequence[str] = TABLES,
) -> T:
    """The result of the query on read tables that include the position `at_least`.

    Raises InvalidParameters for a position that history does not have, Lagging, `UNAVAILABLE`.
    """
    connections = request.connections
    await _catch_up(connections, tables, at_least)
    return await run_query(connections.readers, query)


async def _catch_up(connections: Connections, tables: Sequence[str], position: int) -> None:
    """Return when the tables include the position. Raises InvalidParameters, Lagging."""
    if position == 0:
        return
    if not connections.positions.include(tables, position):
        await _require_in_history(connections, position)
    try:
        async with asyncio.timeout(CATCH_UP_TIMEOUT):
            if not await connections.positions.wait_for(tables, position, timeout=CATCH_UP_TIMEOUT):
                raise Lagging
            while connections.reads_replica and await _replica_lacks(connections, tables, position):  # noqa: ASYNC110
                await asyncio.sleep(REPLICA_POLL_INTERVAL)
    except TimeoutError:
        raise Lagging from None


async def _require_in_history(connections: Connections, position: int) -> None:
    """A position is in history before any client knows it. Raises InvalidParameters."""
    end = await connections.end_of_history()
    if position > end:
        newest = f"must be at most {end}, the position of the newest event in history"
        raise InvalidParameters(**{"Min-Event-Position": newest})


async def _replica_lacks(connections: Connections, tables: Sequence[str], position: int) -> bool:
    async def lacks(connection: AsyncConnection[Any]) -> bool:
        cursor = await connection.execute(
            "SELECT 1 FROM projections WHERE name = ANY(%s) AND position < %s",
            [list(tables), position],
        )
        return await cursor.fetchone() is not None

    return await run_query(connections.readers, lacks)


Respond = Callable[[Page[Any], T, str], Awaitable[Ready]]
"""Makes the response from the page and what is shown of it. The last argument is not empty for a
caller who sees only some of the rows, and names that caller."""


async def _as_json(page: Page[Any], content: Any, viewer: str) -> Ready:
    headers = tagged(_etag(page, viewer))
    return Ready(to_json(content), headers=headers, media_type="application/json")


async def read_listing(
    request: Request,
    at_least: int,
    version: Callable[[Versions], str],
    listing: Query[tuple[Page[Any], T]],
    respond: Respond[T] = _as_json,
) -> Response[Any]:
    """The listing as a response, cached for this caller. Raises as `read`."""
    key = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
    viewer = request.actor if request.event_ids is not None else ""  # it sees only its events

    async def respond_to_viewer(page: Page[Any], content: T) -> Ready:
        return await respond(page, content, viewer)

    return await read_cached(
        request, f"{viewer} {key}", at_least, version, listing, respond_to_viewer
    )


async def read_cached(
    request: Request,
    key: str,
    at_least: int,
    version: Callable[[Versions], str],
    listing: Query[tuple[Page[Any], T]],
    respond: Callable[[Page[Any], T], Awaitable[Ready]],
) -> Response[Any]:
    """The response, cached under the key. `listing` returns what it shows, with the page of the
    tables; while `version` gives the same version as for the cached response, the tables are not
    read. Raises as `read`."""
    connections = request.connections
    await _catch_up(connections, TABLES, at_least)
    found = await _cached(connections, key, version)
    if found is None:
        page, content = await run_query(connections.readers, listing)
        response = await respond(page, content)
        found = Entry(page.version, response, len(response.content), page.valid)
        connections.response_cache.store(key, found)
    return unless_known(request, found.response)


async def _cached(
    connections: Connections, key: str, version: Callable[[Versions], str]
) -> Entry[Ready] | None:
    if key not in connections.response_cache:
        return None
    return connections.response_cache.get(key, version(await connections.versions()))


def _etag(page: Page[Any], viewer: str) -> str:
    """If a page depends on the clock, its version may have several results; the end of the page's
    period identifies the result."""
    parts = [page.version]
    if page.valid is not None:
        parts.append(f"until-{page.valid.end.isoformat() if page.valid.end else 'ever'}")
    if viewer:
        parts.append(viewer)
    return f'"{".".join(parts)}"'


def unless_known(request: Request, response: Ready) -> Response[Any]:
    """The response, or 304 if `If-None-Match` contains its ETag."""
    headers = response.headers_for(request.scope)
    if not etags.matches(request.headers.getall("If-None-Match", []), headers["ETag"]):
        return response
    return Response(None, status_code=304, headers=headers)
