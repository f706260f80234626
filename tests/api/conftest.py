from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import msgspec
import pytest
from httpx import AsyncClient
from redis.asyncio import Redis

from api import metrics, visitor_export, visitor_import
from api.database import probe
from api.http import rate_counter
from api.http.login_throttle import LoginThrottle
from api.http.rate_counter import RateCounter
from domain.privacy.keys import InstallationKeys
from events_face.commands import audit_export
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.keyed import Keyed
from tests.api.serving import Api, Serving, api_on, api_process, projector_on
from tests.api.webhook_calls import Organizer
from tests.support.passwords import quick_passwords
from tests.support.waiting import DEADLINE

NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture
def hashing_is_quick() -> Iterator[None]:
    """Also where no API hashes."""
    with quick_passwords():
        yield


@pytest.fixture
def serving(settings: Settings, services: Services, keys: InstallationKeys) -> Serving:
    """Without a projector."""

    def on(services: Services = services, **changes: Any) -> AbstractAsyncContextManager[Api]:
        return api_on(msgspec.structs.replace(settings, **changes), services, keys)

    return on


@pytest.fixture
async def api(serving: Serving, services: Services, keys: InstallationKeys) -> AsyncIterator[Api]:
    """With a projector that keeps the read tables up, and an events provider that is not used."""
    async with projector_on(services, keys), serving(events_provider_url=NOWHERE) as api:
        yield api


@pytest.fixture
async def lone_api(serving: Serving) -> AsyncIterator[Api]:
    """Without a projector: what is written is not to be read."""
    async with serving() as api:
        yield api


@pytest.fixture
async def guarded_api(serving: Serving) -> AsyncIterator[Api]:
    """Where only organizers organize, as it is when nothing else is configured; no projector."""
    async with serving(write_policy="organizer") as api:
        yield api


@pytest.fixture
async def two_apis(settings: Settings, services: Services) -> AsyncIterator[list[AsyncClient]]:
    """A client of each of two API processes on one database."""
    async with AsyncExitStack() as stack:
        ports = [free_port(), free_port()]
        for port in ports:
            stack.enter_context(api_process(settings, services, port))
        yield [
            await stack.enter_async_context(
                AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30)
            )
            for port in ports
        ]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
def throttle(redis: Redis) -> LoginThrottle:
    return LoginThrottle(RateCounter(redis))


@pytest.fixture
def redis_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """To count, on a busy machine too."""
    monkeypatch.setattr(rate_counter, "REDIS_TIMEOUT", DEADLINE)


@pytest.fixture
def each_scrape_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "OVERVIEW_LIFETIME", 0.0)
    monkeypatch.setattr(probe, "COUNT_LIFETIME", 0)
    monkeypatch.setattr(metrics, "MIN_LIFETIME", 0.0)
    monkeypatch.setattr(metrics, "MAX_RENDERING_SHARE", math.inf)


@pytest.fixture
def small_export_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_export, "BATCH_SIZE", 3)


@pytest.fixture
async def keyed(
    serving: Serving, services: Services, keys: InstallationKeys
) -> AsyncIterator[Keyed]:
    """An API where an admin makes API keys, with a projector."""
    async with projector_on(services, keys), serving(write_policy="organizer") as api:
        yield Keyed(api, await api.account("root", "admin"))


@pytest.fixture
async def organizer(lone_api: Api) -> Organizer:
    return Organizer(lone_api, await lone_api.account("ada", "organizer"))


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor_import, "PORTION", 3)
    monkeypatch.setattr(visitor_export, "PAGE_SIZE", 2)
