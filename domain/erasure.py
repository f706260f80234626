"""Erasing a person: the keys to all that history holds of them are deleted, wherever they had
registered, and an event in each of those streams says so.

It is exact however far behind the read tables are: a visitor's id follows from the event and the
email, so every event there ever was is asked for this person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.batch import Decider, Failed, Origin, Request
from domain.events import Created
from domain.history import last_position
from domain.identity import Identity
from domain.personal_data import InstallationKeys
from domain.streams import Streams
from domain.values import Email
from domain.visitors import EraseVisitor, ErasureOutcome, Registered, Visitor

T = TypeVar("T")

PORTION = 1_000
"""Streams that are looked up, or decided on, at once."""

BlankRows = Callable[[Sequence[Visitor], datetime], Awaitable[None]]
"""Takes the personal data of these out of the read tables, within the same transaction; the time is
that of the events."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased."""

    registrations: int = 0
    personal_keys: int = 0
    """Deleted: what they opened is unreadable now, in history and in every copy of it."""
    notifications: int = 0
    """That were still to be sent, and never will be."""
    position: int
    """Of the last event of it; of the last event of all when there was nobody to erase."""


async def erase_person(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    email: Email,
    origin: Origin,
    blank_rows: BlankRows,
) -> Erasure:
    """Erase whoever registered with this email, all or nothing: with the connection's transaction.

    Registrations that are decided at the same time come before it, and are erased, or after it,
    and stand. Rows are blanked before history is locked by the append, as everybody does who
    changes both.
    """
    search = _Search(connection, Identity(keys.identity), email)
    decider = Decider(keys)
    erased, personal_keys, at = list[ErasureOutcome](), 0, datetime.now(UTC)
    while visitors := await search.more():
        await blank_rows(visitors, at)
        for portion in _portions(visitors):
            requests = [Request(EraseVisitor(visitor_id=v.id), origin, at) for v in portion]
            gone = list[UUID]()
            for visitor, outcome in zip(
                portion, await decider.execute(connection, requests), strict=True
            ):
                if isinstance(outcome, Failed):
                    raise outcome.error
                if outcome.value != "nobody":
                    erased.append(outcome.value)
                    gone.append(visitor.id)
            # History is locked by now, if anybody is gone: they have not come back yet.
            personal_keys += await _delete_keys(connection, gone)
    return Erasure(
        registrations=len(erased),
        personal_keys=personal_keys,
        notifications=erased.count("erased before notified"),
        position=await last_position(connection),
    )


class _Search:
    """Looks for the registrations of one person, again and again."""

    def __init__(self, connection: AsyncConnection[Any], identity: Identity, email: Email) -> None:
        self._connection = connection
        self._identity = identity
        self._email = email
        self._possible = set[UUID]()
        self._seen: int | None = None

    async def more(self) -> list[Visitor]:
        """Those that stand and came since the last look; all, the first time."""
        seen, self._seen = self._seen, await last_position(self._connection)
        found = list[Visitor]()
        if seen is None:
            for events in _portions(await self._all_events()):
                # One portion of ids at a time: an API process answers others in between.
                possible = [self._visitor(event) for event in events]
                self._possible.update(possible)
                found += await self._standing(possible)
        else:
            for registered in _portions(await self._registered_after(seen)):
                found += await self._standing(registered)
        return found

    async def _standing(self, ids: Sequence[UUID]) -> list[Visitor]:
        loaded = await Streams().load(self._connection, ids)
        return [v for v in loaded.values() if isinstance(v, Visitor) and v.registered]

    def _visitor(self, event_id: UUID) -> UUID:
        return self._identity.visitor(event_id, self._email)

    async def _all_events(self) -> list[UUID]:
        """Ids of the events there are and of those that were removed."""
        cursor = await self._connection.execute(
            "SELECT DISTINCT originator_id FROM history_events WHERE topic = 'Event.Created'",
            binary=True,
        )
        return [id for (id,) in await cursor.fetchall()]

    async def _registered_after(self, position: int) -> list[UUID]:
        """This person's streams among those that somebody registered in."""
        cursor = await self._connection.execute(
            """
            SELECT originator_id, topic FROM history_events
            WHERE notification_id > %b AND topic = ANY(%b) ORDER BY notification_id
            """,
            [position, [Created.topic, Registered.topic]],
            binary=True,
        )
        rows = await cursor.fetchall()
        self._possible.update(self._visitor(id) for id, topic in rows if topic == Created.topic)
        return [id for id, topic in rows if topic == Registered.topic and id in self._possible]


async def _delete_keys(connection: AsyncConnection[Any], visitor_ids: Sequence[UUID]) -> int:
    """Of all that they ever registered; how many there were."""
    cursor = await connection.execute(
        "DELETE FROM personal_keys WHERE originator_id = ANY(%b::uuid[])", [sorted(visitor_ids)]
    )
    return cursor.rowcount


def _portions(all_of_them: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(all_of_them), PORTION):
        yield all_of_them[start : start + PORTION]
