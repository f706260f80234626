"""Queries of the API when the database does not answer."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection

from api.database.query import run_query
from api.http.connections import account_pool, probe_pool, read_pool
from domain.history import answering
from domain.history.answering import NoAnswer
from runtime.embedded.services import Services
from runtime.settings import Settings

pytestmark = pytest.mark.anyio


async def test_a_query_without_an_answer_is_not_run_again(
    settings: Settings, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "ANSWER_TIMEOUT", 0.3)
    runs = 0

    async def query(connection: AsyncConnection[Any]) -> None:
        nonlocal runs
        runs += 1
        await connection.execute("SELECT pg_sleep(600)")

    url = services.database_url
    pools = read_pool(settings, services), account_pool(url), probe_pool(url)
    for pool in pools:
        async with pool:
            with pytest.raises(NoAnswer):
                await run_query(pool, query)
    assert runs == len(pools)
