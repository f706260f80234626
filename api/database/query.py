"""A query's answer, whatever became of the connection while it was idle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from api.identity.credentials import Pool
from domain.core.availability import UNAVAILABLE

T = TypeVar("T")

Query = Callable[[AsyncConnection[Any]], Awaitable[T]]


async def ask(readers: Pool, query: Query[T]) -> T:
    """Raises `UNAVAILABLE`."""
    for last_try in (False, True):
        try:
            async with readers.connection() as connection:
                return await query(connection)
        except UNAVAILABLE as error:
            if last_try or isinstance(error, PoolTimeout | psycopg.errors.QueryCanceled):
                raise
            await readers.check()  # it may have died while idle, and others with it
    raise AssertionError("unreachable")
