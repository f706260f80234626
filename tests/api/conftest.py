from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from domain.privacy.keys import InstallationKeys
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.api.serving import Api, api_on, projector_on
from tests.support.passwords import quick_passwords


@pytest.fixture
def hashing_is_quick() -> Iterator[None]:
    """Also where no API hashes."""
    with quick_passwords():
        yield


@pytest.fixture
async def api(settings: Settings, services: Services, keys: InstallationKeys) -> AsyncIterator[Api]:
    """With a projector that keeps the read tables up."""
    async with projector_on(services, keys), api_on(settings, services, keys) as api:
        yield api


@pytest.fixture
async def lone_api(
    settings: Settings, services: Services, keys: InstallationKeys
) -> AsyncIterator[Api]:
    """Without a projector: what is written is not to be read."""
    async with api_on(settings, services, keys) as api:
        yield api


@pytest.fixture
async def guarded_api(
    settings: Settings, services: Services, keys: InstallationKeys
) -> AsyncIterator[Api]:
    """Where only organizers organize, as it is when nothing else is configured; no projector."""
    guarded = msgspec.structs.replace(settings, write_policy="organizer")
    async with api_on(guarded, services, keys) as api:
        yield api
