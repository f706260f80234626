"""The connections of an API process: to history, the read tables, the accounts and the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import msgspec
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from api.database.api_keys import ApiKeys
from api.database.erasures import Erasures
from api.database.feed_watch import FeedWatch
from api.database.key_uses import uses_written
from api.database.names import Names
from api.database.primary_pool import PrimaryPool
from api.database.probe import DatabaseWatch
from api.database.query import run_query
from api.database.queue_metrics import queue_measured
from api.database.read_connection import ReadConnection
from api.database.response_cache import ResponseCache
from api.database.signed_in import SignedInAccounts
from api.database.single_flight import SingleFlight
from api.http.connection_limits import Peer
from api.http.responses import Ready
from api.identity.credentials import Credentials, Pool
from api.identity.password_links import PasswordLinks
from api.identity.passwords import Passwords
from api.identity.sessions import Sessions
from api.identity.tokens import Tokens
from domain.application import APPLICATION
from domain.history.answering import AnsweringConnection
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.pooling import SESSION_MARK
from domain.history.store import BY_KEY, CONNECTION_TIMEOUTS, SESSION, last_position
from domain.privacy.keys import InstallationKeys
from projections.lists.count_cache import CountCache
from projections.lists.cursor import Versions, versions
from projections.lists.dates import DateCount
from projections.projector.positions import Positions
from runtime.command_metrics import observe_batch
from runtime.embedded.services import Services
from runtime.settings import Settings

MAX_READERS = 4
"""Connections for queries. Queries wait for one in order; with more connections they would wait
inside PostgreSQL, which does not keep the order."""

ACCOUNT_CONNECTIONS = 4
"""Connections for signing in and for looking up sessions, at most."""

PROBE_CONNECTIONS = 2
"""Connections for health and metrics, at most."""

CONNECTIONS_OF_A_PROCESS = MAX_READERS + ACCOUNT_CONNECTIONS + PROBE_CONNECTIONS + 3
"""To PostgreSQL, at most; the last three are for the writer, the positions and the feed."""

POOL_TIMEOUT = 2.0
"""Seconds that a request waits for a connection before it gets a 503."""

RECONNECT_TIMEOUT = 1.0
"""Seconds that a pool tries to reach a database by itself. After that, each request makes it try
again: the pool alone would double its pauses, and return long after the database. Less than
`POOL_TIMEOUT`, so that the first request after an outage gets a connection."""

QUERY_TIMEOUT = 10
"""Seconds after which PostgreSQL cancels a query."""


class Connections(msgspec.Struct, frozen=True, kw_only=True):
    keys: InstallationKeys
    writer: Writer
    readers: Pool
    primary: Pool
    """To the primary, for statements that look up rows by key."""
    positions: Positions
    broker: Redis | None
    reads_replica: bool
    response_cache: ResponseCache[Ready]
    versions: SingleFlight[Versions]
    """Reads the current versions of the read tables."""
    end_of_history: SingleFlight[int]
    """Reads the position of the newest event."""
    totals: CountCache[int]
    dates: CountCache[Sequence[DateCount]]
    """Of the panel's list of events."""
    credentials: Credentials
    api_keys: ApiKeys
    erasures: Erasures
    passwords: Passwords
    password_links: PasswordLinks
    sessions: Sessions
    signed_in: SignedInAccounts
    names: Names
    watch: DatabaseWatch
    feed: FeedWatch
    ending: asyncio.Event
    """Set when the process has to end: long responses end then."""
    in_flight: set[Peer | None]
    """Clients whose connection has a request in progress."""


@asynccontextmanager
async def connected(
    settings: Settings, services: Services, keys: InstallationKeys
) -> AsyncIterator[Connections]:
    """The connections, while the block runs; at its end the writer commits its queued commands.

    No server has to be reachable at the start: each connection is made when it is first needed.
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
        tokens, ending = Tokens(settings.secret_keys), asyncio.Event()
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
            end_of_history=SingleFlight(partial(run_query, accounts, last_position)),
            totals=CountCache(),
            dates=CountCache(),
            credentials=Credentials(accounts, keys),
            api_keys=ApiKeys(accounts, await held.enter_async_context(uses_written(accounts))),
            erasures=Erasures(accounts, keys),
            passwords=await held.enter_async_context(Passwords()),
            password_links=PasswordLinks(settings.secret_keys),
            sessions=Sessions(accounts, tokens),
            signed_in=SignedInAccounts(accounts, tokens),
            names=Names(accounts, keys),
            watch=DatabaseWatch(probes, readers if reads_replica else None),
            feed=await held.enter_async_context(FeedWatch(services.database_url, keys, ending)),
            ending=ending,
            in_flight=set(),
        )


def read_pool(settings: Settings, services: Services) -> Pool:
    """To the replica if there is one, perhaps through a pooler."""
    replica = settings.read_database_url
    kind: type[Pool] = AsyncConnectionPool if replica else PrimaryPool
    url = replica or services.database_url
    return _pool(kind, url, MAX_READERS, SESSION_MARK, connection_class=ReadConnection)


def account_pool(database_url: str) -> Pool:
    """For statements that look up rows by key. Each connection is checked before use."""
    return _pool(
        PrimaryPool,
        database_url,
        ACCOUNT_CONNECTIONS,
        BY_KEY,
        connection_class=AnsweringConnection,
        check=AsyncConnectionPool.check_connection,
    )


def probe_pool(database_url: str) -> Pool:
    """Each connection is checked before use, and made when it is first needed."""
    return _pool(
        PrimaryPool,
        database_url,
        PROBE_CONNECTIONS,
        min_size=0,
        connection_class=AnsweringConnection,
        check=AsyncConnectionPool.check_connection,
    )


def _pool(kind: type[Pool], database_url: str, size: int, options: str = "", **more: Any) -> Pool:
    return kind(
        database_url,
        max_size=size,
        timeout=POOL_TIMEOUT,
        reconnect_timeout=RECONNECT_TIMEOUT,
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
