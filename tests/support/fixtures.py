"""Fixtures that the tests of several rooms use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import AsyncConnection

from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from domain.seals.signing import load_key
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation, Maker, installation_on
from tests.support.notification_service import NotificationService, notification_service
from tests.support.processes import environment
from tests.support.provider import Provider, provider
from tests.support.sealed_history import make_history
from tests.support.webhook_endpoint import Endpoint, webhook_endpoint
from workers.delivery.deliverer import Delivery, new_delivery


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await connect(database_url) as connection:
        yield connection


@pytest.fixture
async def installation(database_url: str, keys: InstallationKeys) -> AsyncIterator[Installation]:
    """History to be made by the test."""
    async with installation_on(database_url, keys) as installation:
        yield installation


@pytest.fixture
def make(database_url: str, keys: InstallationKeys) -> Maker:
    return Maker(database_url, keys)


@pytest.fixture
def signing_key(database_url: str, settings: Settings) -> Ed25519PrivateKey:
    with psycopg.connect(database_url) as connection:
        return load_key(connection, settings.secret_keys)


@pytest.fixture
async def sealed_history(
    installation: Installation, signing_key: Ed25519PrivateKey
) -> Installation:
    await make_history(installation, signing_key)
    return installation


@pytest.fixture
def source() -> Iterator[Provider]:
    """An events provider that has nothing yet."""
    with provider() as source:
        yield source


@pytest.fixture
def service() -> Iterator[NotificationService]:
    with notification_service() as service:
        yield service


@pytest.fixture
def worker_settings(settings: Settings, service: NotificationService) -> Settings:
    return msgspec.structs.replace(
        settings,
        notification_service_url=service.url,
        notification_token="the-token",
        notification_service_owner_id="the-owner",
    )


@pytest.fixture
async def delivery(
    worker_settings: Settings, database_url: str, keys: InstallationKeys
) -> AsyncIterator[Delivery]:
    async with new_delivery(worker_settings, database_url, keys) as delivery:
        yield delivery


@pytest.fixture
def surroundings(settings: Settings, services: Services) -> dict[str, str]:
    """What a process of this installation finds in its environment."""
    return environment(settings, services)


@pytest.fixture
def as_a_worker(surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that the test's own starts finds the installation as a worker's would."""
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Of webhooks."""
    with webhook_endpoint() as endpoint:
        yield endpoint
