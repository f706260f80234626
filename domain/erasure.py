"""Erases a person: deletes the keys of their personal data in history, for all their registrations.
An event in each of these streams records it.

It does not depend on the read tables, which may lag: a visitor's id follows from the event and the
email, so the person is looked up at every event in history. Another email may lead to the same id;
the registration itself shows which person it belongs to. The email before a correction has a stream
of its own, which the stream of the present email names.
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
from domain.departures import EraseVisitor, ErasureOutcome
from domain.history.batch import CommandRequest, Origin
from domain.history.codec import decode
from domain.history.decider import Decider
from domain.history.store import last_position
from domain.history.streams import Streams
from domain.people import people_of
from domain.privacy.keys import InstallationKeys
from domain.visitors import Registered, Visitor, Waitlisted

T = TypeVar("T")

BATCH_SIZE = 1_000
"""Streams that are read, or decided on, together."""

_BEGINNINGS = [Registered.topic, Waitlisted.topic]

BlankRows = Callable[[Sequence[Visitor], datetime], Awaitable[None]]
"""Removes the personal data of these visitors from the read tables, in the same transaction; the
time is that of the events."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased."""

    registrations: int = 0
    personal_keys: int = 0
    """Deleted keys: their data is unreadable now, in history and in every copy of it."""
    notifications: int = 0
    """Notifications that were waiting and will not be sent."""
    position: int
    """Position of the last event of the erasure; of history's last event if nothing was erased."""


async def erase_person(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    email: Email,
    origin: Origin,
    blank_rows: BlankRows,
) -> Erasure:
    """Erase all registrations of this email, in the connection's transaction.

    A concurrent registration is either before the erasure, and erased, or after it, and kept. Rows
    are changed before the append locks history, as in every transaction that does both.
    """
    search = _Search(connection, keys, email)
    decider = Decider(keys, APPLICATION)
    erased, personal_keys, at = list[ErasureOutcome](), 0, datetime.now(UTC)
    while visitors := await search.more():
        await blank_rows(visitors, at)
        for batch in _batches(visitors):
            requests = [CommandRequest(_erasure_of(v), origin, at) for v in batch]
            keys_before = await _count_keys(connection, batch)
            for visitor, outcome in zip(
                batch, await decider.execute(connection, requests), strict=True
            ):
                done = outcome.or_raise()
                if done.value != "not registered":
                    erased.append(done.value)
                    personal_keys += keys_before[visitor.id]
    return Erasure(
        registrations=len(erased),
        personal_keys=personal_keys,
        notifications=erased.count("erased before notified"),
        position=await last_position(connection),
    )


def _erasure_of(visitor: Visitor) -> EraseVisitor:
    """Erases only the registration that was found: the visitor may have registered again since."""
    return EraseVisitor(visitor_id=visitor.id, notification_id=visitor.notification_id)


class _Search:
    """Finds the registrations of one person, repeatedly."""

    def __init__(
        self, connection: AsyncConnection[Any], keys: InstallationKeys, email: Email
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._identity = Identity(keys.identity)
        self._email = email
        self._seen: int | None = None

    async def more(self) -> list[Visitor]:
        """Registrations since the last call; all of them at the first call."""
        seen, self._seen = self._seen, await last_position(self._connection)
        events = await (self._all_events() if seen is None else self._events_since(seen))
        found = list[Visitor]()
        for batch in _batches(events):
            # In batches, so that the API process answers other requests in between.
            found += await self._with_former(await self._registered_at(batch))
        return found

    async def _with_former(self, visitors: Sequence[Visitor]) -> list[Visitor]:
        """These visitors, and those with their emails before corrections. Not the other way round:
        the owner of a mistyped email cannot have the corrected registration erased."""
        found, newest = list(visitors), list(visitors)
        while newest:
            cursor = await self._connection.execute(
                """
                SELECT originator_id, originator_version, topic, state FROM history_events
                WHERE originator_id = ANY(%b::uuid[]) AND topic = ANY(%b)
                """,
                [[visitor.id for visitor in newest], _BEGINNINGS],
                binary=True,
            )
            begun = [
                cast("Registered | Waitlisted", decode(*row).event)
                for row in await cursor.fetchall()
            ]
            former = {event.moved_from for event in begun if event.moved_from}
            known = {visitor.id for visitor in found}
            newest = [
                visitor
                for visitor in await self._visitors(former)
                if visitor.is_known and visitor.moved_to in known and visitor.id not in known
            ]
            found += newest
        return found

    async def _registered_at(self, event_ids: Sequence[UUID]) -> list[Visitor]:
        events = {self._identity.visitor(event, self._email): event for event in event_ids}
        shared = await self._visitors(events)
        registered = [visitor for visitor in shared if visitor.is_known]
        people = await people_of(self._connection, self._keys, registered)
        others = {v.id: self._identity.other_visitor(events[v.id], self._email) for v in shared}
        theirs = [v for v in registered if people[v.id, v.version] in {others[v.id], None}]
        return theirs + [v for v in await self._visitors(others.values()) if v.is_known]

    async def _visitors(self, ids: Iterable[UUID]) -> list[Visitor]:
        """The visitors whose stream exists."""
        loaded = await Streams().load(self._connection, ids)
        return [visitor for visitor in loaded.values() if isinstance(visitor, Visitor)]

    async def _all_events(self) -> list[UUID]:
        """Ids of all events, removed ones included."""
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
            WHERE notification_id > %b AND topic = ANY(%b)
            """,
            [position, _BEGINNINGS],
            binary=True,
        )
        found = set[UUID]()
        for row in await cursor.fetchall():
            event_id = cast("Registered | Waitlisted", decode(*row).event).event_id
            shared = self._identity.visitor(event_id, self._email)
            if row[0] in {shared, self._identity.other_visitor(event_id, self._email)}:
                found.add(event_id)
        return sorted(found)


async def _count_keys(
    connection: AsyncConnection[Any], visitors: Iterable[Visitor]
) -> Counter[UUID]:
    """Personal keys by visitor: those that an erasure of the registration deletes."""
    cursor = await connection.execute(
        """
        SELECT originator_id, count(*) FROM personal_keys
        WHERE originator_id = ANY(%b::uuid[]) GROUP BY originator_id
        """,
        [[visitor.id for visitor in visitors]],
    )
    return Counter(dict(await cursor.fetchall()))


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]
