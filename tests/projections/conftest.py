from collections.abc import AsyncIterator

import pytest

from domain.privacy.keys import InstallationKeys
from tests.support.installation import Installation, installation_on


@pytest.fixture
async def installation(database_url: str, keys: InstallationKeys) -> AsyncIterator[Installation]:
    """History to be made by the test."""
    async with installation_on(database_url, keys) as installation:
        yield installation
