"""Erasing a person: the keys to all that history holds of them are deleted, wherever they had
registered, and an event in each of those streams says so.

It is exact however far behind the read tables are: a visitor's ids follow from the event and the
email, so every event there ever was is asked for this person. Somebody else's email may lead to the
same id: whose a registration is, it says itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.application import APPLICATION
from domain.core.ids import Identity
from domain.core.values import Email
from domain.history.batch import CommandRequest, Origin
from domain.history.codec import decode
from domain.history.decider import Decider
from domain.history.store import last_position
from domain.history.streams import Streams
from domain.people import people_of
from domain.privacy.keys import InstallationKeys
from domain.visitors import EraseVisitor, ErasureOutcome, Registered, Visitor

T = TypeVar("T")

BATCH_SIZE = 1_000
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
    search = _Search(connection, keys, email)
    decider = Decider(keys, APPLICATION)
    erased, personal_keys, at = list[ErasureOutcome](), 0, datetime.now(UTC)
    while visitors := await search.more():
        await blank_rows(visitors, at)
        for portion in _portions(visitors):
            requests = [CommandRequest(_erasure_of(v), origin, at) for v in portion]
            keys_before = await _count_keys(connection, portion)
            for visitor, outcome in zip(
                portion, await decider.execute(connection, requests), strict=True
            ):
                done = outcome.or_raise()
                if done.value != "nobody":
                    erased.append(done.value)
                    personal_keys += keys_before[visitor.id]
    return Erasure(
        registrations=len(erased),
        personal_keys=personal_keys,
        notifications=erased.count("erased before notified"),
        position=await last_position(connection),
    )


def _erasure_of(visitor: Visitor) -> EraseVisitor:
    """Of the registration that was found: another person may have come in its place meanwhile."""
    return EraseVisitor(visitor_id=visitor.id, notification_id=visitor.notification_id)


class _Search:
    """Looks for the registrations of one person, again and again."""

    def __init__(
        self, connection: AsyncConnection[Any], keys: InstallationKeys, email: Email
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._identity = Identity(keys.identity)
        self._email = email
        self._seen: int | None = None

    async def more(self) -> list[Visitor]:
        """Those that stand and came since the last look; all, the first time."""
        seen, self._seen = self._seen, await last_position(self._connection)
        events = await (self._all_events() if seen is None else self._events_since(seen))
        found = list[Visitor]()
        for portion in _portions(events):
            # One portion of ids at a time: an API process answers others in between.
            found += await self._registered_at(portion)
        return found

    async def _registered_at(self, event_ids: Sequence[UUID]) -> list[Visitor]:
        events = {self._identity.visitor(event, self._email): event for event in event_ids}
        shared = await self._visitors(events)
        registered = [visitor for visitor in shared if visitor.registered]
        people = await people_of(self._connection, self._keys, registered)
        others = {v.id: self._identity.other_visitor(events[v.id], self._email) for v in shared}
        theirs = [v for v in registered if people[v.id, v.version] in {others[v.id], None}]
        return theirs + [v for v in await self._visitors(others.values()) if v.registered]

    async def _visitors(self, ids: Iterable[UUID]) -> list[Visitor]:
        """Those whose stream has begun."""
        loaded = await Streams().load(self._connection, ids)
        return [visitor for visitor in loaded.values() if isinstance(visitor, Visitor)]

    async def _all_events(self) -> list[UUID]:
        """Ids of the events there are and of those that were removed."""
        cursor = await self._connection.execute(
            "SELECT DISTINCT originator_id FROM history_events WHERE topic = 'Event.Created'",
            binary=True,
        )
        return [id for (id,) in await cursor.fetchall()]

    async def _events_since(self, position: int) -> list[UUID]:
        """Ids of the events that this person may have registered for after the position."""
        cursor = await self._connection.execute(
            """
            SELECT originator_id, originator_version, topic, state FROM history_events
            WHERE notification_id > %b AND topic = %b
            """,
            [position, Registered.topic],
            binary=True,
        )
        found = set[UUID]()
        for row in await cursor.fetchall():
            event_id = cast("Registered", decode(*row).event).event_id
            shared = self._identity.visitor(event_id, self._email)
            if row[0] in {shared, self._identity.other_visitor(event_id, self._email)}:
                found.add(event_id)
        return sorted(found)


async def _count_keys(
    connection: AsyncConnection[Any], visitors: Iterable[Visitor]
) -> Counter[UUID]:
    """Personal keys by visitor, as an erasure that still finds this registration deletes them."""
    cursor = await connection.execute(
        """
        SELECT originator_id, count(*) FROM personal_keys
        WHERE originator_id = ANY(%b::uuid[]) GROUP BY originator_id
        """,
        [[visitor.id for visitor in visitors]],
    )
    return Counter(dict(await cursor.fetchall()))


def _portions(all_of_them: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(all_of_them), BATCH_SIZE):
        yield all_of_them[start : start + BATCH_SIZE]
