from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from psycopg import AsyncConnection

from domain.core.aggregate import EVENT_TYPES
from domain.history.store import connect


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await connect(database_url) as connection:
        yield connection


@pytest.fixture
def invented_events() -> Iterator[None]:
    """Event classes that the test declares with `stored_as` are forgotten when it ends."""
    known = dict(EVENT_TYPES)
    yield
    EVENT_TYPES.clear()
    EVENT_TYPES.update(known)
