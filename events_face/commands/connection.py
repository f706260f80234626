"""What a sub-command reads or writes on one connection to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from psycopg import AsyncConnection

from domain.history.store import connect
from runtime.embedded.services import Services

T = TypeVar("T")


def with_connection(services: Services, use: Callable[[AsyncConnection[Any]], Awaitable[T]]) -> T:
    async def run() -> T:
        async with await connect(services.database_url) as connection:
            return await use(connection)

    return asyncio.run(run())
