"""Making history and projecting it by hand, in the order that a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain.accounts import PasswordHash, RegisterAccount, Role
from domain.application import APPLICATION
from domain.areas import CreateArea
from domain.core.ids import Identity
from domain.core.values import Email, FullName, Text, Username
from domain.details import Status
from domain.events import CreateEvent
from domain.history.batch import CommandRequest, Origin
from domain.history.decider import Decider
from domain.history.store import connect, last_position
from domain.privacy.keys import InstallationKeys
from domain.registrations import RegisterVisitor
from projections.projector.projection import Projection
from projections.projector.projector import Projector
from projections.projector.tail import Tail
from projections.registry import ALL
from projections.status import projection_statuses

ORIGIN = Origin(actor="anonymous", correlation_id="a-request")

IN_A_MONTH = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    database_url: str
    keys: InstallationKeys
    connection: AsyncConnection[Any]
    decider: Decider
    tail: Tail

    async def give(self, *commands: object, at: datetime | None = None) -> list[Any]:
        """What each command answers, all committed at once; `at` is the time of the decision."""
        requests = [CommandRequest(command, ORIGIN, at) for command in commands]
        outcomes = await self.decider.execute(self.connection, requests)
        return [outcome.or_raise().value for outcome in outcomes]

    async def area(self, name: str) -> UUID:
        (area,) = await self.give(CreateArea(name=Text(name)))
        id: UUID = area.id
        return id

    async def event(
        self,
        name: str = "Fair",
        *,
        area_id: UUID | None = None,
        status: Status = "open",
        at: datetime = IN_A_MONTH,
    ) -> UUID:
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


def a_registration(event_id: UUID, email: str, name: str = "Ada Lovelace") -> RegisterVisitor:
    return RegisterVisitor(event_id=event_id, full_name=FullName(name), email=Email(email))


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
