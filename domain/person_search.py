"""Finds the registrations of one person in history, at all events, removed ones included.

It does not depend on the read tables, which may lag: a visitor's id follows from the event and the
email, so the person is looked up at every event in history. Another email may lead to the same id;
the registration itself shows which person it belongs to. The email before a correction has a stream
of its own, which the stream of the present email names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from psycopg import AsyncConnection

from domain.core.ids import Identity
from domain.core.values import Email
from domain.history.codec import decode
from domain.history.store import last_position
from domain.history.streams import Streams
from domain.people import people_of
from domain.privacy.keys import InstallationKeys
from domain.visitors import Registered, Visitor, Waitlisted

T = TypeVar("T")

BATCH_SIZE = 1_000
"""Streams that are read, or decided on, together."""

_BEGINNINGS = [Registered.topic, Waitlisted.topic]


class PersonSearch:
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
        for batch in batches(events):
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


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH_SIZE):
        yield items[start : start + BATCH_SIZE]
