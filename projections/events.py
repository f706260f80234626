"""The `events` table: every event that exists, open or closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain import event_cancellation  # noqa: F401  registers its domain events
from domain.core.aggregate import RecordedEvent
from domain.details import Availability, Details
from domain.events import Cancellation, Event
from domain.privacy.keys import InstallationKeys
from projections.event_availability import CHANGES_SEATS, update_all, update_availability
from projections.lists.search_text import searchable
from projections.lists.trigrams import trigrams
from projections.projector.projection import Projection, events_of, fold_into

TABLE = """
CREATE TABLE IF NOT EXISTS events (
    id                    uuid PRIMARY KEY,
    name                  text NOT NULL,
    name_folded           text NOT NULL,
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
    cancelled_at          timestamptz,
    cancel_reason         text,
    availability          text NOT NULL DEFAULT 'open',
    version               bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS events_open ON events (event_datetime, id) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS events_by_datetime ON events (event_datetime, id);
CREATE INDEX IF NOT EXISTS events_by_area ON events (area_id, event_datetime, id);
CREATE INDEX IF NOT EXISTS events_registrable ON events (registration_deadline)
    WHERE status = 'open' AND cancelled_at IS NULL AND availability <> 'full';
CREATE INDEX IF NOT EXISTS events_trigrams ON events USING gin (trigrams);
"""
"""Each field of `Details` is a column."""

_DETAILS = Details.__struct_fields__


class EventRow(Details, frozen=True, kw_only=True):
    id: UUID
    area: str | None
    """Name of the area."""
    cancelled: Cancellation | None = None
    availability: Availability = "open"
    version: int
    """Version of the aggregate: a later command may expect it."""


EVENT_COLUMNS = SQL(
    """
    e.id, (SELECT areas.name FROM areas WHERE areas.id = e.area_id),
    e.cancelled_at, e.cancel_reason, e.availability, e.version, {details}
    """
).format(details=SQL(", ").join(Identifier("e", field) for field in _DETAILS))
"""What `row_of` needs, from `events e`."""


def row_of(columns: Sequence[Any]) -> EventRow:
    id, area, cancelled_at, reason, availability, version, *details = columns
    return EventRow(
        id=id,
        area=area,
        cancelled=_cancellation(cancelled_at, reason),
        availability=availability,
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


async def _store(connection: AsyncConnection[Any], changes: Sequence[RecordedEvent]) -> None:
    known = await _load(connection, {e.originator_id for e in changes})
    fold_into(known, Event, changes)
    await connection.execute(
        "DELETE FROM events WHERE id = ANY(%s)",
        [[event.id for event in known.values() if not event.exists]],
    )
    stored = [_stored(event) for event in known.values() if event.exists]
    await connection.execute(_UPSERT, [msgspec.json.encode(stored).decode()])


async def _load(connection: AsyncConnection[Any], ids: set[UUID]) -> dict[UUID, Event]:
    cursor = await connection.execute(_LOAD, [list(ids)], binary=True)
    return {
        id: Event(
            id=id,
            version=version,
            exists=True,
            details=Details(**_details(details)),
            cancelled=_cancellation(cancelled_at, reason),
        )
        for id, version, cancelled_at, reason, *details in await cursor.fetchall()
    }


_LOAD = (
    SQL("SELECT id, version, cancelled_at, cancel_reason, {} FROM events WHERE id = ANY(%s)")
    .format(SQL(", ").join(map(Identifier, _DETAILS)))
    .as_bytes()
)


def _stored(event: Event) -> dict[str, Any]:
    folded = searchable(event.details.name)
    return msgspec.structs.asdict(event.details) | {
        "id": event.id,
        "name_folded": folded,
        "trigrams": trigrams(folded),
        "cancelled_at": event.cancelled and event.cancelled.at,
        "cancel_reason": event.cancelled and event.cancelled.reason,
        "version": event.version,
    }


_STORED = [Identifier(column) for column in _stored(Event(id=UUID(int=0)))]

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
    schema_version=4,
    table=TABLE,
    handles=events_of(Event) | CHANGES_SEATS,
    apply=apply,
    skipped_in_rebuild=CHANGES_SEATS,
    after_rebuild=update_all,
)
