"""Queries of the API when the database does not answer."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.database.query import run_query
from domain.history import answering
from domain.history.answering import AnsweringConnection, NoAnswer
from runtime.embedded.services import Services

pytestmark = pytest.mark.anyio


async def test_a_query_without_an_answer_is_not_run_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "ANSWER_TIMEOUT", 0.3)
    runs = 0

    async def query(connection: AsyncConnection[Any]) -> None:
        nonlocal runs
        runs += 1
        await connection.execute("SELECT pg_sleep(600)")

    url = services.database_url
    async with AsyncConnectionPool(url, connection_class=AnsweringConnection, min_size=1) as pool:
        with pytest.raises(NoAnswer):
            await run_query(pool, query)
    assert runs == 1
