"""An event as auditors see it: as it is stored, so that one of a later release, or one that
somebody tampered with, is shown too.

Secrets, such as the code that proves a registration, are left out, always. Personal data is left
out too. `open_personal_data` puts it in, which is for after the disclosure was
recorded (`domain.audit.disclosures`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.core.aggregate import EVENT_TYPES, RecordedEvent
from domain.history.codec import UnknownEvent, decode, decode_event, decode_state
from domain.history.store import open_all
from domain.privacy.encryption import CannotOpen
from domain.privacy.keys import InstallationKeys


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`time`, `actor` and what else the state tells are None when there is no reading it."""

    position: int
    time: datetime | None = None
    type: str
    aggregate_type: str
    aggregate_id: UUID
    aggregate_version: int
    actor: str | None = None
    correlation_id: str | None = None
    causation_id: int | None = None
    schema_version: int | None = None
    data: Any
    """JSON as it is stored but for secrets, or the whole state as text when that is something else;
    None when there could be secrets in that."""
    personal: Literal["sealed", "open", "erased"] | None = None
    """What became of the personal data in `data`; None when there is none."""
    unreadable: str | None = None
    """Why this release cannot make sense of the event."""


HAS_KEY = SQL("""(
    SELECT true FROM personal_keys k
    WHERE k.originator_id = e.originator_id AND k.originator_version = e.originator_version
)""")

COLUMNS = SQL(
    "e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, {}"
).format(HAS_KEY)
"""Of history_events as `e`: what `logged` takes."""

NONSENSE = (UnknownEvent, ValueError, LookupError, TypeError, RecursionError)
"""What comes of decoding an event that this release did not write."""


def logged(
    position: int,
    id: UUID,
    version: int,
    topic: str | None,
    state: bytes | None,
    has_key: bool | None,
) -> LoggedEvent:
    """The event of this row, whatever is in it."""
    type, state = topic or "", state or b""
    place: dict[str, Any] = {
        "position": position,
        "type": type,
        "aggregate_type": type.partition(".")[0],
        "aggregate_id": id,
        "aggregate_version": version,
    }
    known = EVENT_TYPES.get(type)
    try:
        stored = decode_state(state.decode())
        data = msgspec.json.decode(stored.data)
    except NONSENSE as error:
        text = None if known and known.secret_fields else state.decode(errors="replace")
        return LoggedEvent(**place, data=text, unreadable=f"its state cannot be read: {error}")
    unreadable = None
    try:
        decode_event(type, stored)
    except NONSENSE as error:
        unreadable = str(error)
    if known and known.secret_fields:
        data = _without(data, known.secret_fields)
    if known and known.personal_field and stored.sealed is not None and isinstance(data, dict):
        data[known.personal_field] = None
    return LoggedEvent(
        **place,
        time=stored.timestamp,
        actor=stored.actor,
        correlation_id=stored.correlation_id,
        causation_id=stored.causation_id,
        schema_version=stored.schema_version,
        data=data,
        personal=None if stored.sealed is None else "sealed" if has_key else "erased",
        unreadable=unreadable,
    )


def _without(data: Any, secret_fields: Collection[str]) -> dict[str, Any] | None:
    """None for what has no fields: where the secrets are in it cannot be known."""
    if not isinstance(data, dict):
        return None
    return {field: value for field, value in data.items() if field not in secret_fields}


def can_be_opened(event: LoggedEvent) -> bool:
    return event.personal == "sealed" and event.unreadable is None


async def open_personal_data(
    connection: AsyncConnection[Any], events: Sequence[LoggedEvent], keys: InstallationKeys
) -> list[LoggedEvent]:
    """The events, with personal data in those that `can_be_opened`. Its reading must have been
    recorded before."""
    cursor = await connection.execute(
        SQL("SELECT {} FROM history_events e WHERE e.notification_id = ANY(%b) ORDER BY 1").format(
            COLUMNS
        ),
        [[event.position for event in events if can_be_opened(event)]],
        binary=True,
    )
    rows = await cursor.fetchall()
    sealed = [decode(id, version, topic, state, at) for at, id, version, topic, state, _ in rows]
    opened = {
        row[0]: _with_person(logged(*row), event)
        for row, event in zip(rows, await open_what_can_be(connection, sealed, keys), strict=True)
    }
    return [opened.get(event.position, event) for event in events]


async def open_what_can_be(
    connection: AsyncConnection[Any], sealed: list[RecordedEvent], keys: InstallationKeys
) -> list[RecordedEvent]:
    """Those that can be opened are, whatever was done to the others."""
    try:
        return await open_all(connection, sealed, keys)
    except (CannotOpen, ValueError):
        if len(sealed) == 1:
            return sealed
    middle = len(sealed) // 2
    return [
        *await open_what_can_be(connection, sealed[:middle], keys),
        *await open_what_can_be(connection, sealed[middle:], keys),
    ]


def _with_person(event: LoggedEvent, recorded: RecordedEvent) -> LoggedEvent:
    if event.personal == "erased":  # meanwhile
        return event
    if recorded.sealed is not None:
        return msgspec.structs.replace(
            event, unreadable="its personal data does not fit its key: was it changed?"
        )
    field = recorded.event.personal_field or ""
    person = msgspec.to_builtins(getattr(recorded.event, field))
    return msgspec.structs.replace(event, data={**event.data, field: person}, personal="open")
