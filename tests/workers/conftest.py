from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from domain.privacy.keys import InstallationKeys
from runtime.settings import Settings
from tests.projections.conftest import installation
from tests.support.notification_service import NotificationService, notification_service
from workers.delivery.deliverer import Delivery, new_delivery

__all__ = ["delivery", "installation", "service", "worker_settings"]


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
