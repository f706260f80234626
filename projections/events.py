"""The `events` table: every event that exists, open or closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain import event_cancellation, question_editing  # noqa: F401  register domain events
from domain.core.aggregate import RecordedEvent
from domain.details import Availability, Details
from domain.events import Cancellation, Event
from domain.privacy.keys import InstallationKeys
from projections.event_availability import CHANGES_SEATS, update_all, update_availability
from projections.lists.search_text import searchable
from projections.lists.trigrams import trigrams
from projections.projector.projection import Projection, events_of
from projections.removed_events import removed_before

TABLE = """
CREATE TABLE IF NOT EXISTS events (
    id                    uuid PRIMARY KEY,
    name                  text NOT NULL,
    name_folded           text NOT NULL,
    sort_name             text GENERATED ALWAYS AS (left(name_folded, 100)) STORED,
    trigrams              text[] NOT NULL,
    area_id               uuid,
    status                text NOT NULL,
    event_datetime        timestamptz NOT NULL,
    registration_deadline timestamptz NOT NULL,
    description           text NOT NULL,
    ends_at               timestamptz,
    timezone              text NOT NULL,
    capacity              int,
    waiting_list          text NOT NULL,
    cancel_until          timestamptz,
    reminders             text[] NOT NULL,
    confirm_within        text,
    retention_days        int,
    language              text,
    cancelled_at          timestamptz,
    cancel_reason         text,
    availability          text NOT NULL DEFAULT 'open',
    sequence              int NOT NULL,
    changed_at            timestamptz NOT NULL,
    version               bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS events_open ON events (event_datetime, id) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS events_by_datetime ON events (event_datetime, id)
    INCLUDE (ends_at, status, cancelled_at, availability, registration_deadline, area_id);
CREATE INDEX IF NOT EXISTS events_by_name ON events (sort_name, id)
    INCLUDE (event_datetime, ends_at, status, cancelled_at, availability, registration_deadline,
             area_id);
CREATE INDEX IF NOT EXISTS events_by_area ON events (area_id, event_datetime, id);
CREATE INDEX IF NOT EXISTS events_registrable ON events (registration_deadline)
    WHERE status = 'open' AND cancelled_at IS NULL AND availability <> 'full';
CREATE INDEX IF NOT EXISTS events_lasting ON events (ends_at)
    WHERE ends_at - event_datetime > interval '14 days';
CREATE INDEX IF NOT EXISTS events_trigrams ON events USING gin (trigrams);
"""
"""Each field of `Details` is a column. The indexes by time and by name have what lists filter by:
counting and skipping then reads no rows, which are wide. A whole name can be too long for an index;
names with the same first 100 characters are in no order."""

_DETAILS = Details.__struct_fields__


class EventRow(Details, frozen=True, kw_only=True):
    id: UUID
    area: str | None
    """Name of the area."""
    cancelled: Cancellation | None = None
    availability: Availability = "open"
    sequence: int = 0
    changed_at: datetime
    """Time of the last change of its details, cancellation, or restoration."""
    version: int
    """Version of the aggregate: a later command may expect it."""


EVENT_COLUMNS = SQL(
    """
    e.id, (SELECT areas.name FROM areas WHERE areas.id = e.area_id),
    e.cancelled_at, e.cancel_reason, e.availability, e.sequence, e.changed_at, e.version, {details}
    """
).format(details=SQL(", ").join(Identifier("e", field) for field in _DETAILS))
"""What `row_of` needs, from `events e`."""


def row_of(columns: Sequence[Any]) -> EventRow:
    id, area, cancelled_at, reason, availability, sequence, changed_at, version, *details = columns
    return EventRow(
        id=id,
        area=area,
        cancelled=_cancellation(cancelled_at, reason),
        availability=availability,
        sequence=sequence,
        changed_at=changed_at,
        version=version,
        **_details(details),
    )


async def get_event(connection: AsyncConnection[Any], id: UUID) -> EventRow | None:
    cursor = await connection.execute(_GET, [id], binary=True)
    row = await cursor.fetchone()
    return row_of(row) if row else None


_GET = SQL("SELECT {} FROM events e WHERE e.id = %s").format(EVENT_COLUMNS).as_bytes()


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    changes = [e for e in domain_events if e.event.aggregate_class is Event]
    if changes:
        await _store(connection, changes)
    return await update_availability(connection, domain_events) or bool(changes)


class _Stored(msgspec.Struct, frozen=True):
    """An event, and when it was changed last."""

    event: Event
    changed_at: datetime | None = None

    def after(self, recorded: RecordedEvent) -> _Stored:
        was = self.event
        now = msgspec.structs.replace(
            recorded.event.apply(was), version=recorded.originator_version
        )
        changed = _seen(now) != _seen(was)
        return _Stored(now, recorded.metadata.timestamp if changed else self.changed_at)

    def columns(self) -> dict[str, Any]:
        event, folded = self.event, searchable(self.event.details.name)
        return msgspec.structs.asdict(event.details) | {
            "id": event.id,
            "name_folded": folded,
            "trigrams": trigrams(folded),
            "cancelled_at": event.cancelled and event.cancelled.at,
            "cancel_reason": event.cancelled and event.cancelled.reason,
            "sequence": event.sequence,
            "changed_at": self.changed_at,
            "version": event.version,
        }


def _seen(event: Event) -> tuple[object, ...]:
    """What its row shows."""
    return event.exists, event.details, event.cancelled


async def _store(connection: AsyncConnection[Any], changes: Sequence[RecordedEvent]) -> None:
    known = await _load(connection, changes)
    for recorded in changes:
        known[recorded.originator_id] = known[recorded.originator_id].after(recorded)
    await connection.execute(
        "DELETE FROM events WHERE id = ANY(%s)",
        [[id for id, stored in known.items() if not stored.event.exists]],
    )
    columns = [stored.columns() for stored in known.values() if stored.event.exists]
    await connection.execute(_UPSERT, [msgspec.json.encode(columns).decode()])


async def _load(
    connection: AsyncConnection[Any], changes: Sequence[RecordedEvent]
) -> dict[UUID, _Stored]:
    """The events as they are before these changes."""
    first = {e.originator_id: e.originator_version for e in reversed(changes)}
    cursor = await connection.execute(_LOAD, [list(first)], binary=True)
    stored = {
        id: _Stored(
            Event(
                id=id,
                version=version,
                exists=True,
                details=Details(**_details(details)),
                cancelled=_cancellation(cancelled_at, reason),
                sequence=sequence,
            ),
            changed_at,
        )
        for id, version, cancelled_at, reason, sequence, changed_at, *details in (
            await cursor.fetchall()
        )
    }
    new = {id: version for id, version in first.items() if id not in stored}
    removed = await removed_before(connection, {id: v for id, v in new.items() if v > 1})
    return stored | {id: _Stored(removed.get(id) or Event(id=id)) for id in new}


_LOAD = (
    SQL(
        """
        SELECT id, version, cancelled_at, cancel_reason, sequence, changed_at, {}
        FROM events WHERE id = ANY(%s)
        """
    )
    .format(SQL(", ").join(map(Identifier, _DETAILS)))
    .as_bytes()
)


_STORED = [Identifier(column) for column in _Stored(Event(id=UUID(int=0))).columns()]

_UPSERT = (
    SQL(
        """
        INSERT INTO events ({columns})
        SELECT {columns} FROM jsonb_populate_recordset(NULL::events, %s::jsonb)
        ON CONFLICT (id) DO UPDATE SET ({columns}) = ROW ({excluded})
        """
    )
    .format(
        columns=SQL(", ").join(_STORED),
        excluded=SQL(", ").join(SQL("EXCLUDED.{}").format(column) for column in _STORED),
    )
    .as_bytes()
)


def _details(columns: Sequence[Any]) -> dict[str, Any]:
    """By the field of `Details`."""
    details = dict(zip(_DETAILS, columns, strict=True))
    return details | {"reminders": tuple(details["reminders"])}


def _cancellation(at: Any, reason: Any) -> Cancellation | None:
    return Cancellation(at=at, reason=reason) if at else None


EVENTS = Projection(
    name="events",
    schema_version=9,
    table=TABLE,
    handles=events_of(Event) | CHANGES_SEATS,
    apply=apply,
    skipped_in_rebuild=CHANGES_SEATS,
    after_rebuild=update_all,
)
