from collections.abc import AsyncIterator

import pytest

from domain.batch import Decider
from domain.history import connect
from domain.personal_data import InstallationKeys
from projections.tail import Tail
from tests.support.installation import Installation


@pytest.fixture
async def installation(database_url: str, keys: InstallationKeys) -> AsyncIterator[Installation]:
    """History to be made by the test, and every projection, none of them under way."""
    async with await connect(database_url) as connection:
        yield Installation(
            database_url=database_url,
            keys=keys,
            connection=connection,
            decider=Decider(keys),
            tail=Tail(connection, keys),
        )
