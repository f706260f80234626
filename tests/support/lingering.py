"""Connections that do not end when they are closed: a busy PostgreSQL notices it later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg import AsyncConnection


@asynccontextmanager
async def lingering_connections() -> AsyncIterator[None]:
    """For the length of the block."""
    lingering = list[AsyncConnection[Any]]()

    async def linger(connection: AsyncConnection[Any]) -> None:
        lingering.append(connection)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(AsyncConnection, "close", linger)
        yield
    for connection in lingering:
        await connection.close()
