"""Commands for a writer, and what history has of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.application import APPLICATION
from domain.core.aggregate import RecordedEvent
from domain.core.values import Email, FullName, Text
from domain.events import CreateEvent
from domain.history.batch import Origin
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect, read_events
from domain.privacy.keys import InstallationKeys
from domain.visitors import RegisterVisitor

ORIGIN = Origin(actor="anonymous", correlation_id="test")


def a_fair() -> CreateEvent:
    now = datetime.now(UTC)
    return CreateEvent(
        name=Text("Fair"),
        event_datetime=now + timedelta(days=30),
        registration_deadline=now + timedelta(days=20),
    )


def visitor(event_id: UUID, number: int) -> RegisterVisitor:
    return RegisterVisitor(
        event_id=event_id, full_name=FullName("Ada"), email=Email(f"ada{number}@example.com")
    )


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
