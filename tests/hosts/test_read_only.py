"""The database only reads for a while, as visitors register. For longer than a lease it does so in
`tests/workers/test_read_only.py`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.hosts.layout import BACK, BROKER, FRONT, layout
from tests.hosts.network import network
from tests.hosts.postgresql import PostgreSQL
from tests.hosts.reckoning import reckon, report
from tests.hosts.visitors import more_are_accepted, visitors
from tests.support.http_server import Answer
from tests.support.read_only import read_only
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

SOME = 100
"""Visitors who are registered before, and who are after."""

LONG = 30.0
"""Seconds."""


async def test_nothing_is_lost_or_sent_twice_while_the_database_is_read_only(folder: Path) -> None:
    with network(FRONT[0], *BACK, BROKER, "data") as hosts:
        postgresql = PostgreSQL(hosts["data"], folder / "postgresql")
        postgresql.create()
        with (
            layout(hosts, folder, postgresql.url) as (installed, service),
            postgresql.connect() as connection,
        ):
            service.usual = Answer(delay=1)  # so that some answers come when it only reads
            async with visitors(list(installed.origins.values())) as some:
                await more_are_accepted(some, SOME)
                with read_only(postgresql.url):
                    begun = time.monotonic()
                    on_their_way = _leased(connection)

                    async def is_over() -> bool:
                        return time.monotonic() > begun + LONG

                    await until_async(is_over)
                await more_are_accepted(some, SOME)
            report("on their way when it began to only read", on_their_way)
            doubled = await reckon(installed, connection, some, service)
    assert on_their_way
    assert some.failed["503"]
    assert "500" not in some.failed
    assert doubled == 0


def _leased(connection: Connection[Any]) -> int:
    cursor = connection.execute("SELECT count(*) FROM outbox WHERE lease_token IS NOT NULL")
    (count,) = cursor.fetchone() or (0,)
    return int(count)
