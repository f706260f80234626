"""Answering from the read tables: as new as the sender asks for, and only when it changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import psycopg
from litestar import Response
from litestar.params import HeaderParameter, QueryParameter
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from api import etags
from api.answers import Listing, Ready, tagged
from api.connections import Connections
from api.credentials import Pool
from api.requests import Request
from domain.codec import to_json

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
        pattern=r"^[^\x00]*$",
        description="Only those whose name has this in it, whatever the case.",
    ),
]


class Lagging(Exception):
    """The read tables do not include that position yet; try again shortly"""


async def read(
    request: Request,
    at_least: int,
    query: Callable[[AsyncConnection[Any]], Awaitable[T]],
    tables: Sequence[str] = TABLES,
) -> T:
    """What the query gives, on read tables that include the position `at_least`.

    Raises Lagging, `psycopg_pool.PoolTimeout`, `psycopg.OperationalError`.
    """
    connections = request.connections
    if at_least > 0:
        await _catch_up(connections, tables, at_least)
    return await _answer(connections.readers, query)


async def _answer(readers: Pool, query: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
    """Raises `psycopg_pool.PoolTimeout`, `psycopg.OperationalError`."""
    for last_try in (False, True):
        try:
            async with readers.connection() as connection:
                return await query(connection)
        except psycopg.OperationalError as error:
            if last_try or isinstance(error, PoolTimeout | psycopg.errors.QueryCanceled):
                raise
            await readers.check()  # it may have died while idle, and others with it
    raise AssertionError("unreachable")


async def _catch_up(connections: Connections, tables: Sequence[str], position: int) -> None:
    """Return when the tables include the position. Raises Lagging."""
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

    return await _answer(connections.readers, lacks)


async def read_listing(
    request: Request,
    at_least: int,
    version: Callable[[AsyncConnection[Any]], Awaitable[str]],
    listing: Callable[[AsyncConnection[Any]], Awaitable[tuple[str, Listing[Any]]]],
) -> Response[Any]:
    """The listing, which comes with the version of its tables; while `version` tells that they are
    as they were when the same was asked before, it is not read again. Raises as `read`."""
    asked = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
    known = request.connections.known_answers

    async def query(connection: AsyncConnection[Any]) -> tuple[str, bytes]:
        if asked in known:
            etag = f'"{await version(connection)}"'
            if (body := known.get(asked, etag)) is not None:
                return etag, body
        now, content = await listing(connection)
        etag, body = f'"{now}"', to_json(content)
        known.keep(asked, etag, body)
        return etag, body

    etag, body = await read(request, at_least, query)
    return unless_known(request, Ready(body, headers=tagged(etag), media_type="application/json"))


def unless_known(request: Request, response: Response[T]) -> Response[Any]:
    """The response, or 304 without it when `If-None-Match` holds its ETag."""
    known = request.headers.get("If-None-Match")
    etag = response.headers["ETag"]
    if known is None or not etags.matches(known, etag):
        return response
    return Response(None, status_code=304, headers=tagged(etag))
