"""The person of a visitor's stream, where the id is ambiguous: older releases gave some different
emails the same id (docs/decisions/0039-email-identity.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from domain.audit.entry import open_readable
from domain.core.aggregate import Aggregate, RecordedEvent
from domain.core.ids import Identity
from domain.core.unit_of_work import PersonNotKnown
from domain.core.values import Email
from domain.history.codec import decode
from domain.privacy.keys import InstallationKeys
from domain.visitors import HOLDS_PERSON

People = dict[tuple[UUID, int], UUID | None]
"""(visitor's id, version) -> person, as `FindPerson` of `domain.core.unit_of_work` gives it."""

MAX_CACHED_PEOPLE = 20_000


class KnownPeople:
    """A cache of the people that were looked up."""

    def __init__(self, keys: InstallationKeys) -> None:
        self._keys = keys
        self._identity = Identity(keys.identity)
        self._known: People = {}

    def person(self, staged: Iterable[RecordedEvent], visitor: Aggregate) -> UUID | None:
        """As `FindPerson`; `staged` are events that are not appended yet."""
        key = (visitor.id, visitor.version)
        if key not in self._known:
            found = people_in(staged, [visitor], self._identity)
            if key not in found:
                raise PersonNotKnown(visitor)
            return found[key]
        return self._known[key]

    async def look_up(
        self, connection: AsyncConnection[Any], visitors: Collection[Aggregate]
    ) -> None:
        if len(self._known) + len(visitors) > MAX_CACHED_PEOPLE:
            self._known.clear()
        self._known.update(await people_of(connection, self._keys, visitors))


async def people_of(
    connection: AsyncConnection[Any], keys: InstallationKeys, visitors: Collection[Aggregate]
) -> People:
    """The person of each stream, as in the last event that has one."""
    cursor = await connection.execute(
        """
        SELECT v.id, e.originator_version, e.topic, e.state
        FROM unnest(%b::uuid[], %b::bigint[]) AS v (id, version) CROSS JOIN LATERAL (
            SELECT originator_version, topic, state FROM history_events
            WHERE originator_id = v.id AND originator_version <= v.version AND topic = ANY(%b)
            ORDER BY originator_version DESC LIMIT 1
        ) AS e
        """,
        [
            [v.id for v in visitors],
            [v.version for v in visitors],
            [kind.topic for kind in HOLDS_PERSON],
        ],
        binary=True,
    )
    sealed = [decode(*row) for row in await cursor.fetchall()]
    opened = await open_readable(connection, sealed, keys)
    people: People = {(v.id, v.version): None for v in visitors}
    people.update(people_in(opened, visitors, Identity(keys.identity)))
    return people


def people_in(
    events: Iterable[RecordedEvent], visitors: Collection[Aggregate], identity: Identity
) -> People:
    """The people whose registration is among `events`, which have their personal data."""
    last, ids = dict[UUID, UUID](), {visitor.id for visitor in visitors}
    for recorded in events:
        event, id = recorded.event, recorded.originator_id
        if id in ids and isinstance(event, HOLDS_PERSON) and event.person is not None:
            last[id] = identity.other_visitor(event.event_id, Email(event.person.email))
    return {(v.id, v.version): last[v.id] for v in visitors if v.id in last}
