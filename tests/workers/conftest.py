from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from domain.privacy.keys import InstallationKeys
from runtime.settings import Settings
from workers.delivery.deliverer import Delivery, new_delivery


@pytest.fixture
async def delivery(
    worker_settings: Settings, database_url: str, keys: InstallationKeys
) -> AsyncIterator[Delivery]:
    async with new_delivery(worker_settings, database_url, keys) as delivery:
        yield delivery
