"""Making history and projecting it by hand: each command by whom, when and in the order that a test
wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
from msgspec.structs import replace
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain.accounts import PasswordHash, RegisterAccount, Role
from domain.application import APPLICATION
from domain.areas import CreateArea, RenameArea
from domain.core.aggregate import RecordedEvent
from domain.core.commands import Application
from domain.core.ids import Identity
from domain.core.values import Email, FullName, Text, Username
from domain.details import Status
from domain.event_editing import CreateEvent
from domain.history.batch import CommandFailure, CommandRequest, Done, Observer, Origin
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect, last_position, read_events
from domain.privacy.keys import InstallationKeys
from domain.provider_items import SyncEvent
from domain.registrations import RegisterVisitor
from projections.projector.projection import Projection
from projections.projector.projector import Projector
from projections.projector.tail import Tail
from projections.registry import ALL
from projections.status import projection_statuses

T = TypeVar("T")

ORIGIN = Origin(actor="anonymous", correlation_id="a-request")

MORNING = datetime(2030, 5, 1, 9, tzinfo=UTC)

HOUR = timedelta(hours=1)

IN_A_MONTH = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    database_url: str
    keys: InstallationKeys
    connection: AsyncConnection[Any]
    decider: Decider
    tail: Tail
    origin: Origin = ORIGIN
    now: datetime | None = None
    """None for the time that it is."""
    in_a_month: datetime = IN_A_MONTH

    def another(self, application: Application = APPLICATION, **more: Any) -> Installation:
        """As another process sees it: one that knows nothing of history yet."""
        return replace(self, decider=Decider(self.keys, application, **more))

    def writer(self, observer: Observer | None = None) -> Writer:
        """With a connection and a cache of its own, as an API process has."""
        return Writer(self.database_url, Decider(self.keys, APPLICATION, observer=observer))

    @asynccontextmanager
    async def writers(self, count: int) -> AsyncIterator[Sequence[Writer]]:
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.writer()) for _ in range(count)]

    def at(self, time: datetime) -> Installation:
        """With a clock that shows always this time."""
        return replace(self, now=time, in_a_month=time + timedelta(days=30))

    def by(self, actor: str) -> Installation:
        return replace(self, origin=Origin(actor=actor, correlation_id=ORIGIN.correlation_id))

    async def decide(self, *commands: object) -> list[Done | CommandFailure]:
        """What becomes of each command, all of one batch."""
        requests = [CommandRequest(command, self.origin, self.now) for command in commands]
        return await self.decider.execute(self.connection, requests)

    async def give(self, *commands: object) -> list[Any]:
        """What each command answers, all committed at once."""
        return [outcome.or_raise().value for outcome in await self.decide(*commands)]

    async def area(self, name: str = "Great Hall") -> UUID:
        """Two events: the name is claimed, then the area created."""
        (area,) = await self.give(CreateArea(name=Text(name)))
        id: UUID = area.id
        return id

    async def rename(self, area_id: UUID, name: str) -> None:
        """Three events, the last one of which is the area's."""
        await self.give(RenameArea(area_id=area_id, name=Text(name)))

    async def event(
        self,
        name: str = "Fair",
        *,
        area_id: UUID | None = None,
        status: Status = "open",
        at: datetime | None = None,
    ) -> UUID:
        at = at or self.in_a_month
        (view,) = await self.give(an_event(name, area_id=area_id, status=status, at=at))
        id: UUID = view.event.id
        return id

    async def register(self, event_id: UUID, *emails: str) -> list[UUID]:
        """The visitors' ids."""
        registered = await self.give(*(a_registration(event_id, email) for email in emails))
        return [visitor.id for visitor in registered]

    def visitor(self, event_id: UUID, email: str) -> UUID:
        """The id of this person at the event."""
        return Identity(self.keys.identity).visitor(event_id, Email(email))

    async def project(self, projections: Sequence[Projection] = ALL) -> None:
        """Bring these up to date."""
        await self.tail.follow(projections)
        target = await last_position(self.connection)
        while min(self.tail.positions.values()) < target:
            await self.tail.step()
            stopped = await self.connection.execute(
                "SELECT name, stopped_because FROM projections WHERE stopped_at IS NOT NULL"
            )
            assert await stopped.fetchall() == []

    async def history(self) -> list[RecordedEvent]:
        return await read_events(self.connection, after=0, limit=100_000)

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """All of a table, in the order of its first column."""
        cursor = await self.connection.execute(
            SQL("SELECT to_jsonb(t) FROM {} t ORDER BY t").format(Identifier(table))
        )
        return [row for (row,) in await cursor.fetchall()]

    async def standing(self, name: str) -> tuple[int, int, int | None, str | None]:
        """Position, version, and where and why the projection stopped."""
        cursor = await self.connection.execute(
            """
            SELECT position, version, stopped_at, stopped_because FROM projections WHERE name = %s
            """,
            [name],
        )
        row = await cursor.fetchone()
        assert row is not None
        return row[0], row[1], row[2], row[3]


@asynccontextmanager
async def installation_on(database_url: str, keys: InstallationKeys) -> AsyncIterator[Installation]:
    """Every projection is there, and none under way."""
    async with await connect(database_url) as connection:
        await connection.execute("SET idle_in_transaction_session_timeout TO 0")  # tests wait
        yield Installation(
            database_url=database_url,
            keys=keys,
            connection=connection,
            decider=Decider(keys, APPLICATION),
            tail=Tail(connection, keys),
        )


class Maker(msgspec.Struct, frozen=True):
    """Called with a function that makes history, gives what it returns: for a test that is no
    coroutine, as what it tests runs an event loop of its own."""

    database_url: str
    keys: InstallationKeys

    def __call__(self, make: Callable[[Installation], Awaitable[T]]) -> T:
        async def made() -> T:
            async with installation_on(self.database_url, self.keys) as installation:
                return await make(installation)

        return asyncio.run(made())


def an_event(
    name: str = "Fair",
    *,
    area_id: UUID | None = None,
    status: Status = "open",
    at: datetime = IN_A_MONTH,
) -> CreateEvent:
    return CreateEvent(
        name=Text(name),
        event_datetime=at,
        registration_deadline=at,
        area_id=area_id,
        status=status,
    )


def a_provided_event(name: str = "Fair", *, at: datetime, area: str | None = None) -> SyncEvent:
    """As a synchronisation takes it from the provider: it may have begun long ago."""
    return SyncEvent(
        event_id=uuid4(),
        name=Text(name),
        event_datetime=at,
        registration_deadline=at,
        area_name=Text(area) if area else None,
        status="open",
    )


def a_registration(event_id: UUID, email: str, name: str = "Ada Lovelace") -> RegisterVisitor:
    return RegisterVisitor(event_id=event_id, full_name=FullName(name), email=Email(email))


def visitor(event_id: UUID, number: int) -> RegisterVisitor:
    return a_registration(event_id, f"ada{number}@example.com")


A_HASH = PasswordHash("no password leads to it")


def an_account(username: str, *roles: Role) -> RegisterAccount:
    return RegisterAccount(username=Username(username), password_hash=A_HASH, roles=roles)


@asynccontextmanager
async def running(projector: Projector) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(projector.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def all_caught_up(installation: Installation) -> bool:
    end = await last_position(installation.connection)
    return all(s.position == end for s in await projection_statuses(installation.connection))
