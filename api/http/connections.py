"""What the API holds while it serves: the writer, the read tables, the accounts, the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import msgspec
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from api.database.erasures import Erasures
from api.database.primary_pool import PrimaryPool
from api.database.probe import DatabaseWatch
from api.database.query import run_query
from api.database.queue_metrics import queue_measured
from api.database.read_connection import ReadConnection
from api.database.response_cache import ResponseCache
from api.database.single_flight import SingleFlight
from api.http.connection_limits import Peer
from api.identity.credentials import Credentials, Pool
from api.identity.passwords import Passwords
from api.identity.sessions import Sessions
from api.identity.tokens import Tokens
from domain.application import APPLICATION
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.pooling import SESSION_MARK
from domain.history.store import BY_KEY, CONNECTION_TIMEOUTS, SESSION
from domain.privacy.keys import InstallationKeys
from projections.lists.count_cache import CountCache
from projections.lists.cursor import Versions, versions
from projections.projector.positions import Positions
from runtime.command_metrics import observe_batch
from runtime.embedded.services import Services
from runtime.settings import Settings

READERS = 4
"""Connections that queries share, at most. They come in turn: more would wait for each other inside
PostgreSQL, where the last may be served first."""

ACCOUNT_CONNECTIONS = 4
"""Connections that sign in, and look sessions up, at most."""

PROBE_CONNECTIONS = 2
"""Connections that look how the database is, at most."""

CONNECTIONS_OF_A_PROCESS = READERS + ACCOUNT_CONNECTIONS + PROBE_CONNECTIONS + 2
"""To PostgreSQL, at most; those of the writer and of the positions are the last two."""

POOL_WAIT = 2.0
"""Seconds that a request waits for a connection before its caller is told to come back."""

RECONNECT = 1.0
"""Seconds that a pool goes on trying to reach a database by itself. After that a request makes it
try: left to itself it would wait twice as long each time, and be away long after the database is
back. Less than `POOL_WAIT`, so that the first request finds it."""

QUERY_TIMEOUT = 10
"""Seconds after which PostgreSQL gives up a query."""


class Connections(msgspec.Struct, frozen=True, kw_only=True):
    keys: InstallationKeys
    writer: Writer
    readers: Pool
    primary: Pool
    """To the database that history is in, for statements that look rows up by key."""
    positions: Positions
    broker: Redis | None
    reads_replica: bool
    response_cache: ResponseCache
    versions: SingleFlight[Versions]
    """Of the read tables, as they are when it is asked."""
    totals: CountCache
    credentials: Credentials
    erasures: Erasures
    passwords: Passwords
    sessions: Sessions
    watch: DatabaseWatch
    ending: asyncio.Event
    """Set when the process is told to end: an answer that would go on for long ends then."""
    in_flight: set[Peer | None]
    """Whose connections have a request under way."""


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
        accounts = await held.enter_async_context(account_pool(services.database_url))
        readers = await held.enter_async_context(read_pool(settings, services))
        probes = await held.enter_async_context(probe_pool(services.database_url))
        reads_replica = settings.read_database_url is not None
        decider = Decider(keys, APPLICATION, observer=observe_batch)
        writer = await held.enter_async_context(Writer(services.database_url, decider))
        await held.enter_async_context(queue_measured(writer))
        yield Connections(
            keys=keys,
            readers=readers,
            primary=accounts,
            positions=await held.enter_async_context(Positions(services.database_url)),
            writer=writer,
            broker=broker,
            reads_replica=reads_replica,
            response_cache=ResponseCache(),
            versions=SingleFlight(partial(run_query, readers, versions)),
            totals=CountCache(),
            credentials=Credentials(accounts, keys),
            erasures=Erasures(accounts, keys),
            passwords=await held.enter_async_context(Passwords()),
            sessions=Sessions(accounts, Tokens(settings.secret_keys)),
            watch=DatabaseWatch(probes, readers if reads_replica else None),
            ending=asyncio.Event(),
            in_flight=set(),
        )


def read_pool(settings: Settings, services: Services) -> Pool:
    """To the replica, if there is one. A pooler may be before this database."""
    replica = settings.read_database_url
    kind: type[Pool] = AsyncConnectionPool if replica else PrimaryPool
    url = replica or services.database_url
    return _pool(kind, url, READERS, SESSION_MARK, connection_class=ReadConnection)


def account_pool(database_url: str) -> Pool:
    """Statements on these look rows up by key. Each connection is tried before it is used."""
    return _pool(
        PrimaryPool,
        database_url,
        ACCOUNT_CONNECTIONS,
        BY_KEY,
        check=AsyncConnectionPool.check_connection,
    )


def probe_pool(database_url: str) -> Pool:
    """Each connection is tried before it is used, and made when there is something to look at."""
    return _pool(
        PrimaryPool,
        database_url,
        PROBE_CONNECTIONS,
        min_size=0,
        check=AsyncConnectionPool.check_connection,
    )


def _pool(kind: type[Pool], database_url: str, size: int, options: str = "", **more: Any) -> Pool:
    return kind(
        database_url,
        max_size=size,
        timeout=POOL_WAIT,
        reconnect_timeout=RECONNECT,
        open=False,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 1,
            "options": f"{SESSION} -c statement_timeout={QUERY_TIMEOUT}s {options}",
            **CONNECTION_TIMEOUTS,
            "connect_timeout": 2,
        },
        **{"min_size": 1, **more},
    )
