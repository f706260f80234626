"""Queries that go to a replica: it streams from the primary, falls behind, and goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
from psycopg import Connection

from api.http import reads
from domain.history.store import load_keys
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.api.serving import Api, api_on, projector_on
from tests.hosts.postgresql import Pair
from tests.support.waiting import DEADLINE, until, until_async

pytestmark = pytest.mark.anyio

LIST = "/api/events/list"


async def test_queries_go_to_the_replica_and_wait_for_it_and_everything_else_to_the_primary(
    pair: Pair, settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _api(pair, pair.replica.url, settings, redis_url) as api:
        first = await api.created_event(name="First")
        assert _names(await api.get(LIST, after=first)) == ["First"]
        with pair.replica.connect() as replica:
            _pause(replica)
            second = await api.created_event(name="Second")
            assert await api.connections.positions.wait_for(
                reads.TABLES, int(second.headers["Event-Position"]), timeout=DEADLINE
            )
            assert _names(await api.http.get(LIST)) == ["First"]
            account = await api.account("ada")
            answer = await api.http.get("/api/auth/me", headers=account.bearer)
            assert answer.status_code == 200
            with monkeypatch.context() as patched:
                patched.setattr(reads, "CATCH_UP_TIMEOUT", 0.5)
                answer = await api.get(LIST, after=second)
            assert answer.status_code == 503
            assert answer.json()["type"] == "/problems/projection-lagging"
            waiting = asyncio.create_task(api.get(LIST, after=second))
            replica.execute("SELECT pg_wal_replay_resume()")
        assert sorted(_names(await waiting)) == ["First", "Second"]


async def test_an_unreachable_replica_is_reported_and_affects_only_queries(
    pair: Pair, settings: Settings, redis_url: str
) -> None:
    async with _api(pair, pair.replica.url, settings, redis_url) as api:
        event = await api.event()
        pair.replica.stop()
        assert (await api.register(event)).status_code == 201
        assert (await api.http.get(LIST)).status_code == 503
        readiness = await api.http.get("/health/ready")
        assert readiness.status_code == 503
        assert "READ_DATABASE_URL" in readiness.json()["checks"]["database"]["reason"]
        assert (await api.http.get("/health/live")).status_code == 200
        pair.replica.start()
        await until_async(lambda: _answers(api))


async def test_queries_go_to_the_primary_meanwhile_if_the_address_also_names_it(
    pair: Pair, settings: Settings, redis_url: str
) -> None:
    async with _api(pair, pair.either, settings, redis_url) as api:
        first = await api.created_event(name="First")
        assert _names(await api.get(LIST, after=first)) == ["First"]
        with pair.replica.connect() as replica:
            _pause(replica)
            second = await api.created_event(name="Second")
            assert _names(await api.http.get(LIST)) == ["First"]
        pair.replica.stop()
        assert sorted(_names(await api.get(LIST, after=second))) == ["First", "Second"]


@asynccontextmanager
async def _api(pair: Pair, read_url: str, settings: Settings, redis_url: str) -> AsyncIterator[Api]:
    services = Services(database_url=pair.primary.url, redis_url=redis_url)
    with pair.primary.connect() as connection:
        keys = load_keys(connection, settings.secret_keys)
    reading_there = msgspec.structs.replace(settings, read_database_url=read_url)
    async with api_on(reading_there, services, keys) as api, projector_on(services, keys):
        yield api


def _pause(replica: Connection[Any]) -> None:
    """Have it apply nothing more."""
    replica.execute("SELECT pg_wal_replay_pause()")
    state = "SELECT pg_get_wal_replay_pause_state()"
    until(lambda: replica.execute(state).fetchone() == ("paused",))


def _names(listing: httpx.Response) -> list[str]:
    assert listing.status_code == 200, listing.text
    return [event["name"] for event in listing.json()["data"]]


async def _answers(api: Api) -> bool:
    return (await api.http.get("/health/ready")).status_code == 200
