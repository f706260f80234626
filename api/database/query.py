"""Runs queries, once more if the connection was lost while it was idle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from api.identity.credentials import Pool
from domain.core.availability import UNAVAILABLE
from domain.history.answering import NoAnswer

T = TypeVar("T")

Query = Callable[[AsyncConnection[Any]], Awaitable[T]]


async def run_query(readers: Pool, query: Query[T]) -> T:
    """Run the query on a connection of the pool. Raises `UNAVAILABLE`."""
    for last_try in (False, True):
        try:
            async with readers.connection() as connection:
                return await query(connection)
        except UNAVAILABLE as error:
            if last_try or isinstance(error, PoolTimeout | psycopg.errors.QueryCanceled | NoAnswer):
                raise
            await readers.check()  # replaces connections that died while idle
    raise AssertionError("unreachable")
