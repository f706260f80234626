"""The `event_versions` table: what messages say of an event, from a position of history on, and
which announcements and reminders are still to be sent. It belongs to the outbox
(`projections.outbox`), and has a row for each change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.core.languages import Language
from domain.details import Details
from domain.events import Cancellation, Event, Reminder, TimeAndPlace

TABLE = """
CREATE TABLE IF NOT EXISTS event_versions (
    event_id       uuid NOT NULL,
    position       bigint NOT NULL,
    name           text NOT NULL,
    event_datetime timestamptz NOT NULL,
    timezone       text NOT NULL,
    cancelled_at   timestamptz,
    removed        boolean NOT NULL,
    ends_at        timestamptz,
    language       text,
    sequence       int NOT NULL, -- domain.events.Event.sequence
    plan           text NOT NULL, -- JSON
    changed_at     timestamptz, -- null: visitors know the time and place
    remind_at      timestamptz, -- null: no reminder is left
    PRIMARY KEY (event_id, position)
);
CREATE INDEX IF NOT EXISTS event_versions_changed ON event_versions (changed_at)
    WHERE changed_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS event_versions_remind ON event_versions (remind_at)
    WHERE remind_at IS NOT NULL;
"""

GATHERING_TIME = timedelta(minutes=5)
"""Time from the last change to its announcement: changes are often corrected at once."""

MAX_CHANGE_AGE = timedelta(days=1)
"""Older changes are not announced, such as those from before announcements existed."""

IS_NEWEST = """
    NOT EXISTS (
        SELECT FROM event_versions later
        WHERE later.event_id = v.event_id AND later.position > v.position
    )
"""


class _Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """What decides which announcements and reminders are still to be sent, and what lapses."""

    area_id: UUID | None = None
    announced: TimeAndPlace | None = None
    reminders: tuple[str, ...] = ()
    reminded: tuple[Reminder, ...] = ()
    lapses_from: datetime | None = None


class _Version(msgspec.Struct, frozen=True):
    event: Event
    changed_at: datetime | None = None
    """Time of the last change of time or place that visitors do not know."""

    def after(self, recorded: RecordedEvent) -> _Version:
        was, event = self.event, recorded.event.apply(self.event)
        changed_at = self.changed_at
        if event.time_and_place == event.announced:
            changed_at = None
        elif event.time_and_place != was.time_and_place:
            changed_at = recorded.metadata.timestamp
        return _Version(event, changed_at)

    def values(self) -> tuple[object, ...]:
        """The values of a row after its key."""
        event, details = self.event, self.event.details
        plan = _Plan(
            details.area_id, event.announced, details.reminders, event.reminded, event.lapses_from
        )
        return (
            details.name,
            details.event_datetime,
            details.timezone,
            event.cancelled.at if event.cancelled else None,
            not event.exists,
            details.ends_at,
            details.language,
            event.sequence,
            msgspec.json.encode(plan).decode(),
            self.changed_at,
            next((reminder.due_at for reminder in event.open_reminders), None),
        )


async def apply(connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]) -> None:
    """Takes domain events of events."""
    if not domain_events:
        return
    known = await _newest(connection, {e.originator_id for e in domain_events})
    new = list[tuple[object, ...]]()
    for recorded in domain_events:
        id = recorded.originator_id
        was = known.get(id) or _Version(Event(id=id))
        known[id] = now = was.after(recorded)
        if now.values() != was.values():
            new.append((id, recorded.position, *now.values()))
    if new:
        await connection.execute(
            """
            INSERT INTO event_versions SELECT * FROM unnest(
                %b::uuid[], %b::bigint[], %b::text[], %b::timestamptz[], %b::text[],
                %b::timestamptz[], %b::bool[], %b::timestamptz[], %b::text[], %b::int[],
                %b::text[], %b::timestamptz[], %b::timestamptz[]
            )
            """,
            [list(column) for column in zip(*new, strict=True)],
        )


async def _newest(connection: AsyncConnection[Any], ids: set[UUID]) -> dict[UUID, _Version]:
    cursor = await connection.execute(
        """
        SELECT DISTINCT ON (event_id) event_id, name, event_datetime, timezone, cancelled_at,
               removed, ends_at, language, sequence, plan, changed_at
        FROM event_versions WHERE event_id = ANY(%b)
        ORDER BY event_id, position DESC
        """,
        [list(ids)],
        binary=True,
    )
    return {id: _version(id, *rest) for id, *rest in await cursor.fetchall()}


def _version(
    id: UUID,
    name: str,
    begins: datetime,
    timezone: str,
    cancelled_at: datetime | None,
    removed: bool,
    ends_at: datetime | None,
    language: Language | None,
    sequence: int,
    plan: str,
    changed_at: datetime | None,
) -> _Version:
    planned = msgspec.json.decode(plan, type=_Plan)
    event = Event(
        id=id,
        details=Details(
            name=name,
            event_datetime=begins,
            timezone=timezone,
            ends_at=ends_at,
            language=language,
            area_id=planned.area_id,
            reminders=planned.reminders,
        ),
        cancelled=Cancellation(at=cancelled_at) if cancelled_at else None,
        exists=not removed,
        sequence=sequence,
        announced=planned.announced,
        reminded=planned.reminded,
        lapses_from=planned.lapses_from,
    )
    return _Version(event, changed_at)


async def changes_to_announce(
    connection: AsyncConnection[Any], now: datetime
) -> list[tuple[UUID, TimeAndPlace]]:
    """The events with a change of time or place to announce, with their time and place now."""
    cursor = await connection.execute(
        f"""
        SELECT event_id, event_datetime, plan FROM event_versions v
        WHERE changed_at BETWEEN %(now)b - %(oldest)b AND %(now)b - %(gathering)b
          AND event_datetime > %(now)b AND cancelled_at IS NULL AND NOT removed AND {IS_NEWEST}
        ORDER BY changed_at
        """,  # noqa: S608
        {"now": now, "oldest": MAX_CHANGE_AGE, "gathering": GATHERING_TIME},
        binary=True,
    )
    return [
        (id, TimeAndPlace(begins, msgspec.json.decode(plan, type=_Plan).area_id))
        for id, begins, plan in await cursor.fetchall()
    ]


async def reminders_due(
    connection: AsyncConnection[Any], now: datetime
) -> list[tuple[UUID, Reminder]]:
    """Reminders of events to come that are due and not too late."""
    cursor = await connection.execute(
        f"""
        SELECT event_id, event_datetime, plan FROM event_versions v
        WHERE remind_at <= %(now)b AND event_datetime > %(now)b
          AND cancelled_at IS NULL AND NOT removed AND {IS_NEWEST}
        ORDER BY remind_at
        """,  # noqa: S608
        {"now": now},
        binary=True,
    )
    due = list[tuple[UUID, Reminder]]()
    for id, begins, plan in await cursor.fetchall():
        planned = msgspec.json.decode(plan, type=_Plan)
        details = Details(event_datetime=begins, reminders=planned.reminders)
        if reminder := Event(id=id, details=details, reminded=planned.reminded).reminder_due(now):
            due.append((id, reminder))
    return due
