"""Searches notifications for organizers: newest first, by state, by date, by event or visitor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.privacy.keys import InstallationKeys
from projections import event_search, visitor_search
from projections.lists import keyset
from projections.lists.dates import Span
from projections.lists.keyset import PageStart, Search, Slice
from projections.message_texts import Kind
from projections.outcomes import State
from projections.people import WithPerson, with_people
from projections.recipients import KEYS
from projections.service_replies import replies_to

COUNT_LIMIT = 10_000

FIRST_PAGE = PageStart()

_COLUMNS: LiteralString = """
person_position, visitor_id, event_id, kind, state, attempts, last_error, due_at, concluded_at,
CASE WHEN state = 'waiting' AND held_until > now() THEN held_until END
"""

_IS_IN: dict[State, LiteralString] = {
    "waiting": "state = 'waiting'",
    "sent": "state = 'sent'",
    "failed": "state = 'failed'",
}

_OF_EVENT: LiteralString = "event_id = %(event_id)s"
_OF_VISITOR: LiteralString = f"""
visitor_id = %(visitor_id)s
AND recipient_key IN ({KEYS} WHERE visitor_id = %(visitor_id)s)
"""
"""The second condition for a visitor follows from the first, and uses an index."""

_ABOUT: LiteralString = f"""
(event_id = ANY(%(events)s) OR (
    visitor_id = ANY(%(visitors)s)
    AND recipient_key = ANY(ARRAY({KEYS} WHERE visitor_id = ANY(%(visitors)s)))
))
"""

_MAY_BE_SENT_AGAIN = "state = 'failed' AND NOT erased"


MOST_EVENTS, MOST_VISITORS = 20, 50
"""Whose messages a search by text finds, at most: of the last events and the newest visitors."""


class About(msgspec.Struct, frozen=True):
    """The events and visitors that a text means."""

    event_ids: Sequence[UUID] = ()
    visitor_ids: Sequence[UUID] = ()


class FoundNotification(WithPerson, frozen=True):
    created_at: datetime
    id: UUID
    visitor_id: UUID
    event_id: UUID
    kind: Kind
    state: State
    attempts: int
    last_error: str | None
    due_at: datetime
    """The time of the next attempt, while the state is `waiting`."""
    concluded_at: datetime | None
    held_until: datetime | None
    """Set while it is held, because its address gets too many messages."""
    reply: str | None = None
    """What the service said when it did not take the message; it may name the recipient."""

    @property
    def may_be_sent_again(self) -> bool:
        """Only a failed one whose recipient was not erased."""
        return self.state == "failed" and self.email is not None


class Pause(msgspec.Struct, frozen=True):
    """All sending is paused, because the notification service refuses the credentials."""

    reason: str
    since: datetime
    probe_at: datetime
    """Time of the next probe: one notification is sent, to test the credentials."""


async def about(
    connection: AsyncConnection[Any], keys: InstallationKeys, text: str, *, people: bool
) -> About:
    """Events with the text in their name, and visitors as `projections.visitor_search` finds
    them: only with `people`, as a search tells who is registered."""
    events = await event_search.search(
        connection, event_search.Filter(name_fragment=text), limit=MOST_EVENTS
    )
    if not people:
        return About([event.id for event in events])
    visitors = await visitor_search.search(connection, keys, text=text, limit=MOST_VISITORS)
    return About([event.id for event in events], [visitor.id for visitor in visitors.rows])


async def search(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    state: State | None = None,
    span: Span | None = None,
    about: About | None = None,
    event_id: UUID | None = None,
    visitor_id: UUID | None = None,
    start: PageStart = FIRST_PAGE,
    limit: int = 50,
) -> Slice[FoundNotification]:
    conditions: list[LiteralString] = []
    rare: list[LiteralString] = []
    if span:
        conditions.append("created_at >= %(begin)s AND created_at < %(end)s")
    if state:
        (rare if state == "waiting" else conditions).append(_IS_IN[state])
    if about:
        rare.append(_ABOUT)
    if event_id:
        conditions.append(_OF_EVENT)
    if visitor_id:
        rare.append(_OF_VISITOR)
    found = await keyset.find(
        connection,
        Search(
            table="outbox",
            time="created_at",
            columns=_COLUMNS,
            conditions=conditions,
            rare=" AND ".join(rare) or None,
        ),
        {
            "begin": span and span.begin,
            "end": span and span.end,
            "events": about and list(about.event_ids),
            "visitors": about and list(about.visitor_ids),
            "event_id": event_id,
            "visitor_id": visitor_id,
        },
        _made,
        start=start,
        limit=limit,
    )
    return msgspec.structs.replace(found, rows=await _with_people(connection, keys, found.rows))


async def get_notification(
    connection: AsyncConnection[Any], keys: InstallationKeys, id: UUID
) -> FoundNotification | None:
    cursor = await connection.execute(
        f"SELECT created_at, id, {_COLUMNS} FROM outbox WHERE id = %s",  # noqa: S608
        [id],
        binary=True,
    )
    found = [_made(*row) for row in await cursor.fetchall()]
    return next(iter(await _with_people(connection, keys, found)), None)


async def _with_people(
    connection: AsyncConnection[Any], keys: InstallationKeys, found: Sequence[FoundNotification]
) -> list[FoundNotification]:
    """And with what the service said."""
    replies = await replies_to(connection, keys, [row.id for row in found if row.last_error])
    return [
        msgspec.structs.replace(row, reply=replies.get(row.id))
        for row in await with_people(connection, keys, found)
    ]


def _made(created_at: datetime, id: UUID, position: int, *rest: Any) -> FoundNotification:
    return FoundNotification(position, created_at, id, *rest)


async def dates_with_notifications(
    connection: AsyncConnection[Any], span: Span | None = None
) -> Sequence[Span]:
    """The years, or the parts (months, days) of the span, in which any was created. They are not
    counted: there may be millions."""
    unit = span.parts if span else "year"
    cursor = await connection.execute(
        """
        SELECT begin FROM (
            SELECT coalesce(%(begin)s::timestamptz, min(created_at)) AS first,
                   coalesce(%(end)s::timestamptz, max(created_at)) AS last FROM outbox
        ) AS bounds, generate_series(
            date_trunc(%(unit)s, first), last, %(step)s::interval -- sessions are UTC
        ) AS begin
        WHERE EXISTS (
            SELECT FROM outbox
            WHERE created_at >= begin AND created_at < begin + %(step)s::interval
              AND created_at < coalesce(%(end)s::timestamptz, 'infinity')
        )
        ORDER BY begin
        """,
        {
            "begin": span and span.begin,
            "end": span and span.end,
            "unit": unit,
            "step": f"1 {unit}",
        },
    )
    return [Span.of(unit, begin.astimezone(UTC)) for (begin,) in await cursor.fetchall()]


async def count_by_state(connection: AsyncConnection[Any]) -> dict[State, int]:
    """`COUNT_LIMIT` + 1 for any larger number."""
    return {state: await _count(connection, condition) for state, condition in _IS_IN.items()}


async def count_that_may_be_sent_again(
    connection: AsyncConnection[Any], event_id: UUID | None = None
) -> int:
    """Of one event, or of all; `COUNT_LIMIT` + 1 for any larger number."""
    return await _count(connection, _may_be_sent_again(event_id), event_id)


async def that_may_be_sent_again(
    connection: AsyncConnection[Any], limit: int, event_id: UUID | None = None
) -> list[UUID]:
    """Their ids, the oldest first."""
    condition = _may_be_sent_again(event_id)
    cursor = await connection.execute(
        f"SELECT id FROM outbox WHERE {condition} ORDER BY created_at LIMIT %(limit)s",  # noqa: S608
        {"event_id": event_id, "limit": limit},
        binary=True,
        prepare=False,
    )
    return [id for (id,) in await cursor.fetchall()]


def _may_be_sent_again(event_id: UUID | None) -> LiteralString:
    return f"{_MAY_BE_SENT_AGAIN} AND {_OF_EVENT}" if event_id else _MAY_BE_SENT_AGAIN


async def _count(
    connection: AsyncConnection[Any], condition: LiteralString, event_id: UUID | None = None
) -> int:
    cursor = await connection.execute(
        f"SELECT count(*) FROM (SELECT FROM outbox WHERE {condition} LIMIT %(limit)s) AS counted",  # noqa: S608
        {"event_id": event_id, "limit": COUNT_LIMIT + 1},
        prepare=False,  # the best plan depends on how many messages the event has
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def pause(connection: AsyncConnection[Any]) -> Pause | None:
    """The pause, if there is one. `workers.delivery.pause` begins and ends it."""
    cursor = await connection.execute("SELECT reason, since, probe_at FROM delivery_pause")
    row = await cursor.fetchone()
    return Pause(*row) if row else None
