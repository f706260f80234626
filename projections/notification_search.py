"""Searches notifications for organizers: newest first, by state, by date."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.privacy.keys import InstallationKeys
from projections.lists import keyset
from projections.lists.dates import Span
from projections.lists.keyset import PageStart, Search, Slice
from projections.message_texts import Kind
from projections.outbox import State
from projections.people import WithPerson, with_people
from projections.visitors import VisitorRow

COUNT_LIMIT = 10_000

FIRST_PAGE = PageStart()

_COLUMNS = """
person_position, visitor_id, kind, state, attempts, last_error, due_at, concluded_at
"""

_IS_IN: dict[State, LiteralString] = {
    "waiting": "state = 'waiting'",
    "sent": "state = 'sent'",
    "failed": "state = 'failed'",
}

_MAY_BE_SENT_AGAIN = "state = 'failed' AND NOT erased"


class FoundNotification(WithPerson, frozen=True):
    created_at: datetime
    id: UUID
    visitor_id: UUID
    kind: Kind
    state: State
    attempts: int
    last_error: str | None
    due_at: datetime
    """The time of the next attempt, while the state is `waiting`."""
    concluded_at: datetime | None

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


async def search(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    state: State | None = None,
    span: Span | None = None,
    start: PageStart = FIRST_PAGE,
    limit: int = 50,
) -> Slice[FoundNotification]:
    conditions: list[LiteralString] = []
    if span:
        conditions.append("created_at >= %(begin)s AND created_at < %(end)s")
    if state in {"sent", "failed"}:
        conditions.append(_IS_IN[state])
    found = await keyset.find(
        connection,
        Search(
            table="outbox",
            time="created_at",
            columns=_COLUMNS,
            conditions=conditions,
            rare=_IS_IN[state] if state == "waiting" else None,
        ),
        {"begin": span and span.begin, "end": span and span.end},
        _made,
        start=start,
        limit=limit,
    )
    rows = await with_people(connection, keys, found.rows)
    return msgspec.structs.replace(found, rows=rows)


async def notification_of(
    connection: AsyncConnection[Any], visitor: VisitorRow
) -> FoundNotification | None:
    """The notification of the visitor's registration: both rows have the same time."""
    cursor = await connection.execute(
        f"SELECT created_at, id, {_COLUMNS} FROM outbox WHERE created_at = %s AND visitor_id = %s",  # noqa: S608
        [visitor.registered_at, visitor.id],
        binary=True,
    )
    row = await cursor.fetchone()
    return msgspec.structs.replace(_made(*row), person=visitor.person) if row else None


def _made(created_at: datetime, id: UUID, position: int, *rest: Any) -> FoundNotification:
    return FoundNotification(position, created_at, id, *rest)


async def count_by_state(connection: AsyncConnection[Any]) -> dict[State, int]:
    """`COUNT_LIMIT` + 1 for any larger number."""
    return {state: await _count(connection, condition) for state, condition in _IS_IN.items()}


async def count_that_may_be_sent_again(connection: AsyncConnection[Any]) -> int:
    """`COUNT_LIMIT` + 1 for any larger number."""
    return await _count(connection, _MAY_BE_SENT_AGAIN)


async def that_may_be_sent_again(connection: AsyncConnection[Any], limit: int) -> list[UUID]:
    """Their ids, the oldest first."""
    cursor = await connection.execute(
        f"SELECT id FROM outbox WHERE {_MAY_BE_SENT_AGAIN} ORDER BY created_at LIMIT %s",  # noqa: S608
        [limit],
        binary=True,
    )
    return [id for (id,) in await cursor.fetchall()]


async def _count(connection: AsyncConnection[Any], condition: LiteralString) -> int:
    cursor = await connection.execute(
        f"SELECT count(*) FROM (SELECT FROM outbox WHERE {condition} LIMIT %s) AS counted",  # noqa: S608
        [COUNT_LIMIT + 1],
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def pause(connection: AsyncConnection[Any]) -> Pause | None:
    """The pause, if there is one. `workers.delivery.pause` begins and ends it."""
    cursor = await connection.execute("SELECT reason, since, probe_at FROM delivery_pause")
    row = await cursor.fetchone()
    return Pause(*row) if row else None
