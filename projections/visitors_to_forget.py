"""Events whose visitors are to be forgotten, now or soon, removed events included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.retention import ALWAYS, RetentionPolicy, present_policy

LATE_ROWS = timedelta(days=1)
"""The clocks of hosts may differ: visitors who registered so long before an event was forgotten are
looked at once more."""


class Terms(msgspec.Struct, frozen=True):
    """By which visitors are forgotten."""

    days: int | None
    """Of events without days of their own; None: their visitors are kept."""
    applies_from: datetime = ALWAYS
    with_notice: bool = True
    """Whether a change of the days applies only after a notice."""

    @classmethod
    def of(cls, policy: RetentionPolicy) -> Terms:
        return cls(policy.days, policy.applies_from)


class ForgottenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose visitors are to be forgotten."""

    id: UUID
    name: str
    ended_at: datetime
    forget_at: datetime
    removed: bool
    forgotten_before: datetime | None
    """The last time that visitors of it were forgotten."""


_TIME_BY_SETTING: LiteralString = """
    greatest(ended_at + %(days)s::int * interval '24 hours', %(applies_from)s::timestamptz,
             CASE WHEN %(with_notice)s::bool THEN applies_from END)
"""

_OWN_TIME: LiteralString = (
    "CASE WHEN %(with_notice)s::bool THEN greatest(own_time, applies_from) ELSE own_time END"
)

_IS_KNOWN: LiteralString = """
    v.event_id = due.event_id AND v.status <> 'erased'
    AND v.registered_at > coalesce(due.forgotten_at - %(late)s, '-infinity')
"""

_BY_SETTING: LiteralString = f"""
    SELECT *, {_TIME_BY_SETTING} AS forget_at FROM retention
    WHERE days IS NULL AND ended_at <= %(until)s::timestamptz - %(days)s::int * interval '24 hours'
"""  # noqa: S608

_BY_ITSELF: LiteralString = f"""
    SELECT *, {_OWN_TIME} FROM retention WHERE own_time <= %(until)s::timestamptz
"""  # noqa: S608

_DUE: LiteralString = f"""
    SELECT * FROM ({_BY_SETTING} UNION ALL {_BY_ITSELF}) AS in_time
    WHERE forget_at <= %(until)s::timestamptz
"""  # noqa: S608

_DUE_SOON: LiteralString = f"""
    SELECT * FROM (
        {_BY_SETTING}
          AND ended_at > %(ended_after)s::timestamptz
        UNION {_BY_SETTING} AND applies_from > %(since)s::timestamptz
        UNION {_BY_ITSELF} AND own_time > %(since)s::timestamptz
        UNION {_BY_ITSELF} AND applies_from > %(since)s::timestamptz
    ) AS in_time
    WHERE forget_at > %(since)s::timestamptz AND forget_at <= %(until)s::timestamptz
"""  # noqa: S608
"""The same rows as `_DUE`, without those that were due before. Each part uses an index."""


async def events_to_forget(
    connection: AsyncConnection[Any], terms: Terms, until: datetime, *, limit: int | None = None
) -> list[ForgottenEvent]:
    """Those with visitors who are due until then; the first ones come first."""
    cursor = await connection.execute(
        f"""
        SELECT event_id, name, ended_at, forget_at, removed, forgotten_at FROM ({_DUE}) AS due
        WHERE EXISTS (SELECT FROM visitors v WHERE {_IS_KNOWN})
        ORDER BY forget_at, event_id LIMIT %(limit)s::bigint
        """,  # noqa: S608
        {**_values(terms, until), "limit": limit},
    )
    return [_made(*row) for row in await cursor.fetchall()]


def _made(
    id: UUID,
    name: str,
    ended_at: datetime,
    forget_at: datetime,
    removed: bool,
    forgotten_before: datetime | None,
) -> ForgottenEvent:
    return ForgottenEvent(
        id=id,
        name=name,
        ended_at=ended_at,
        forget_at=forget_at,
        removed=removed,
        forgotten_before=forgotten_before,
    )


async def events_forgotten_soon(
    connection: AsyncConnection[Any], terms: Terms, now: datetime, until: datetime, *, limit: int
) -> list[ForgottenEvent]:
    """Events whose visitors are due between now and then; the first ones come first. Visitors who
    were added to an event after its visitors were forgotten do not count."""
    cursor = await connection.execute(
        f"""
        SELECT event_id, name, ended_at, forget_at, removed, forgotten_at FROM ({_DUE_SOON}) AS due
        WHERE forgotten_at IS NULL AND EXISTS (SELECT FROM visitors v WHERE {_IS_KNOWN})
        ORDER BY forget_at, event_id LIMIT %(limit)s::bigint
        """,  # noqa: S608
        {
            **_values(terms, until),
            "since": now,
            "ended_after": _ended_after(terms, now),
            "limit": limit,
        },
    )
    return [_made(*row) for row in await cursor.fetchall()]


def _ended_after(terms: Terms, now: datetime) -> datetime:
    """Events that ended before are due by now, unless the setting does not apply yet."""
    return ALWAYS if terms.applies_from > now else now - timedelta(days=terms.days or 0)


async def count_to_forget(
    connection: AsyncConnection[Any], terms: Terms, until: datetime, *, limit: int | None = None
) -> int:
    """Visitors who are to be forgotten until then; they are counted up to `limit`."""
    cursor = await connection.execute(
        f"""
        SELECT count(*) FROM (
            SELECT FROM ({_DUE}) AS due JOIN visitors v ON {_IS_KNOWN} LIMIT %(limit)s::bigint
        ) AS counted
        """,  # noqa: S608
        {**_values(terms, until), "limit": limit},
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def count_known(
    connection: AsyncConnection[Any], event_ids: Sequence[UUID]
) -> Mapping[UUID, int]:
    """Visitors of each event who are not erased."""
    cursor = await connection.execute(
        """
        SELECT event_id, count(*) FROM visitors
        WHERE event_id = ANY(%s) AND status <> 'erased' GROUP BY event_id
        """,
        [list(event_ids)],
    )
    return {**dict.fromkeys(event_ids, 0), **dict(await cursor.fetchall())}


async def times_to_forget(
    connection: AsyncConnection[Any], terms: Terms, event_ids: Sequence[UUID]
) -> Mapping[UUID, datetime]:
    """When the visitors of each event will be forgotten, without events whose visitors are kept."""
    cursor = await connection.execute(
        f"""
        SELECT event_id, CASE WHEN days IS NULL THEN {_TIME_BY_SETTING} ELSE {_OWN_TIME} END
        FROM retention
        WHERE event_id = ANY(%(events)s) AND (days IS NOT NULL OR %(days)s::int IS NOT NULL)
        """,  # noqa: S608
        {**_values(terms, None), "events": list(event_ids)},
    )
    return dict(await cursor.fetchall())


async def planned_for(connection: AsyncConnection[Any], event_id: UUID) -> datetime | None:
    """When the visitors of this event will be forgotten by themselves; None: they are kept."""
    terms = Terms.of(await present_policy(connection))
    return (await times_to_forget(connection, terms, [event_id])).get(event_id)


class Batch(msgspec.Struct, frozen=True):
    """Some visitors of one event, those who came first."""

    ids: Sequence[UUID]
    last: tuple[datetime, int] | None
    """The place after which the next batch begins; None for the last batch."""


async def next_known(
    connection: AsyncConnection[Any],
    event_id: UUID,
    after: tuple[datetime, int] | None,
    limit: int,
) -> Batch:
    """Those who are not erased, behind a place."""
    cursor = await connection.execute(
        """
        SELECT id, registered_at, position FROM visitors
        WHERE event_id = %(event)s AND status <> 'erased'
          AND (registered_at, position)
              > (coalesce(%(at)s::timestamptz, '-infinity'::timestamptz), %(position)s::bigint)
        ORDER BY registered_at, position LIMIT %(limit)s::bigint
        """,
        {
            "event": event_id,
            "at": after and after[0],
            "position": after[1] if after else 0,
            "limit": limit + 1,
        },
    )
    rows = await cursor.fetchall()
    more = rows[:limit] if len(rows) > limit else []
    return Batch([id for id, *_ in rows[:limit]], (more[-1][1], more[-1][2]) if more else None)


def _values(terms: Terms, until: datetime | None) -> dict[str, object]:
    return {
        "days": terms.days,
        "applies_from": None if terms.applies_from == ALWAYS else terms.applies_from,
        "with_notice": terms.with_notice,
        "until": until,
        "late": LATE_ROWS,
    }
