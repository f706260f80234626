"""Answering from the read tables: as new as the sender asks for, and only when it changed."""

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

CATCH_UP = 5.0
"""Seconds that a query waits for the projections it was asked to wait for."""

REPLICA_PAUSE = 0.02
"""Seconds between looks at a replica, which can announce nothing."""

TABLES = ["accounts", "areas", "events"]
"""The projections that queries of the API read."""

MinEventPosition = Annotated[
    int,
    HeaderParameter(
        name="Min-Event-Position",
        ge=0,
        le=2**63 - 1,
        description="Answer from tables that include this `Event-Position`.",
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="At most so many.")]
Offset = Annotated[int, QueryParameter(ge=0, le=2**31, description="Skip so many.")]
NameFragment = Annotated[
    str,
    QueryParameter(
        max_length=255,
        pattern=TEXT,
        description="Only those whose name has this in it, whatever the case.",
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
    """What the query gives, on read tables that include the position `at_least`.

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
        async with asyncio.timeout(CATCH_UP):
            if not await connections.positions.wait_for(tables, position, timeout=CATCH_UP):
                raise Lagging
            while connections.reads_replica and await _replica_lacks(connections, tables, position):  # noqa: ASYNC110
                await asyncio.sleep(REPLICA_PAUSE)
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
    """The listing, which comes with the version of its tables; while `version` tells that they are
    as they were when the same was asked before, it is not read again. Raises as `read`."""
    asked = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
    connections = request.connections
    await _catch_up(connections, TABLES, at_least)
    kept = await _kept(connections, asked, version)
    etag, body = kept or await _read(connections, asked, listing)
    return unless_known(request, Ready(body, headers=tagged(etag), media_type="application/json"))


async def _kept(
    connections: Connections, asked: str, version: Callable[[Versions], str]
) -> tuple[str, bytes] | None:
    if asked not in connections.response_cache:
        return None
    etag = f'"{version(await connections.versions())}"'
    body = connections.response_cache.get(asked, etag)
    return None if body is None else (etag, body)


async def _read(
    connections: Connections, asked: str, listing: Query[tuple[str, Listing[Any]]]
) -> tuple[str, bytes]:
    version, content = await run_query(connections.readers, listing)
    etag, body = f'"{version}"', to_json(content)
    connections.response_cache.store(asked, etag, body)
    return etag, body


def unless_known(request: Request, response: Response[T]) -> Response[Any]:
    """The response, or 304 without it when `If-None-Match` holds its ETag."""
    etag = response.headers["ETag"]
    if not etags.matches(request.headers.getall("If-None-Match", []), etag):
        return response
    return Response(None, status_code=304, headers=tagged(etag))
