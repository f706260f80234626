"""Commands for a writer, and what history has of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from domain.application import APPLICATION
from domain.core.aggregate import RecordedEvent
from domain.history.batch import Origin
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect, read_events
from domain.privacy.keys import InstallationKeys
from domain.registrations import RegisterVisitor
from tests.support.installation import a_registration, an_event

ORIGIN = Origin(actor="anonymous", correlation_id="test")

a_fair = an_event


def visitor(event_id: UUID, number: int) -> RegisterVisitor:
    return a_registration(event_id, f"ada{number}@example.com", "Ada")


@asynccontextmanager
async def writers(
    database_url: str, keys: InstallationKeys, count: int
) -> AsyncIterator[Sequence[Writer]]:
    """Several, each with a connection and a cache of its own, as so many API processes have."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Writer(database_url, Decider(keys, APPLICATION)))
            for _ in range(count)
        ]


async def history(database_url: str) -> list[RecordedEvent]:
    async with await connect(database_url) as connection:
        return await read_events(connection, after=0, limit=100_000)
