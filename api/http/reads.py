"""Responses from the read tables: as recent as `Min-Event-Position`, and 304 if unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from litestar import Response
from litestar.params import HeaderParameter, QueryParameter
from psycopg import AsyncConnection

from api.database.query import Query, run_query
from api.http import etags
from api.http.connections import Connections
from api.http.parameters import TEXT
from api.http.requests import Request
from api.http.responses import Listing, Ready, tagged
from domain.core.errors import TryAgain
from domain.history.codec import to_json
from projections.lists.cursor import Versions

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

    Raises Lagging, `UNAVAILABLE`.
    """
    connections = request.connections
    await _catch_up(connections, tables, at_least)
    return await run_query(connections.readers, query)


async def _catch_up(connections: Connections, tables: Sequence[str], position: int) -> None:
    """Return when the tables include the position. Raises Lagging."""
    if position == 0:
        return
    try:
        async with asyncio.timeout(CATCH_UP_TIMEOUT):
            if not await connections.positions.wait_for(tables, position, timeout=CATCH_UP_TIMEOUT):
                raise Lagging
            while connections.reads_replica and await _replica_lacks(connections, tables, position):  # noqa: ASYNC110
                await asyncio.sleep(REPLICA_POLL_INTERVAL)
    except TimeoutError:
        raise Lagging from None


async def _replica_lacks(connections: Connections, tables: Sequence[str], position: int) -> bool:
    async def lacks(connection: AsyncConnection[Any]) -> bool:
        cursor = await connection.execute(
            "SELECT 1 FROM projections WHERE name = ANY(%s) AND position < %s",
            [list(tables), position],
        )
        return await cursor.fetchone() is not None

    return await run_query(connections.readers, lacks)


async def read_listing(
    request: Request,
    at_least: int,
    version: Callable[[Versions], str],
    listing: Query[tuple[str, Listing[Any]]],
) -> Response[Any]:
    """The listing as a response. `listing` returns it with the version of its tables; while
    `version` gives the same version as for the cached response, the tables are not read. Raises as
    `read`."""
    key = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
    connections = request.connections
    await _catch_up(connections, TABLES, at_least)
    cached = await _cached(connections, key, version)
    etag, body = cached or await _read(connections, key, listing)
    return unless_known(request, Ready(body, headers=tagged(etag), media_type="application/json"))


async def _cached(
    connections: Connections, key: str, version: Callable[[Versions], str]
) -> tuple[str, bytes] | None:
    if key not in connections.response_cache:
        return None
    etag = f'"{version(await connections.versions())}"'
    body = connections.response_cache.get(key, etag)
    return None if body is None else (etag, body)


async def _read(
    connections: Connections, key: str, listing: Query[tuple[str, Listing[Any]]]
) -> tuple[str, bytes]:
    version, content = await run_query(connections.readers, listing)
    etag, body = f'"{version}"', to_json(content)
    connections.response_cache.store(key, etag, body)
    return etag, body


def unless_known(request: Request, response: Response[T]) -> Response[Any]:
    """The response, or 304 if `If-None-Match` contains its ETag."""
    etag = response.headers["ETag"]
    if not etags.matches(request.headers.getall("If-None-Match", []), etag):
        return response
    return Response(None, status_code=304, headers=tagged(etag))
