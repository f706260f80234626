"""What the API holds while it serves: the writer, the read tables, the broker, known answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from api.known_answers import KnownAnswers
from domain.batch import Decider
from domain.history import PATIENCE, SESSION
from domain.personal_data import InstallationKeys
from domain.writer import Writer
from events_face.services import Services
from events_face.settings import Settings
from projections.positions import Positions

READERS = 10
"""Connections that queries share, at most."""

READER_WAIT = 2.0
"""Seconds that a query waits for a connection before its caller is told to come back."""

QUERY_TIMEOUT = 10
"""Seconds after which PostgreSQL gives up a query."""

ReadPool = AsyncConnectionPool[AsyncConnection[Any]]


class Connections(msgspec.Struct, frozen=True, kw_only=True):
    writer: Writer
    readers: ReadPool
    positions: Positions
    broker: Redis | None
    reads_replica: bool
    known_answers: KnownAnswers


@asynccontextmanager
async def connected(
    settings: Settings, services: Services, keys: InstallationKeys
) -> AsyncIterator[Connections]:
    """All of them for the length of the block; at its end what the writer took is committed.

    Nothing need be reachable at the start: each connection is made when it is first needed.
    """
    async with AsyncExitStack() as held:
        broker = None
        if services.redis_url is not None:
            broker = await held.enter_async_context(Redis.from_url(services.redis_url))
        yield Connections(
            readers=await held.enter_async_context(
                read_pool(settings.read_database_url or services.database_url)
            ),
            positions=await held.enter_async_context(Positions(services.database_url)),
            writer=await held.enter_async_context(Writer(services.database_url, Decider(keys))),
            broker=broker,
            reads_replica=settings.read_database_url is not None,
            known_answers=KnownAnswers(),
        )


def read_pool(database_url: str) -> ReadPool:
    return AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=READERS,
        timeout=READER_WAIT,
        open=False,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 1,
            "options": f"{SESSION} -c statement_timeout={QUERY_TIMEOUT}s",
            **PATIENCE,
            "connect_timeout": 2,
        },
    )
