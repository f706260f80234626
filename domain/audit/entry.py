"""An entry of the audit log: an event as it is stored, so that events of newer releases and damaged
events are shown, too.

Secrets, such as the code that proves a registration, are always left out. Personal data is left
out, unless `open_personal_data` adds it, after the disclosure was recorded
(`domain.audit.disclosures`).
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

PersonalState = Literal["sealed", "open", "erased"]
"""Of personal data in an entry: left out, shown, or erased."""


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`time`, `actor` and the other fields of the state are None when the state is unreadable."""

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
    """The stored JSON without secrets, or the whole state as text when it is not JSON; None when
    that text could contain secrets."""
    personal: PersonalState | None = None
    """State of the personal data in `data`; None without personal data."""
    unreadable: str | None = None
    """Why this release cannot read the event; None when it can."""


HAS_KEY = SQL("""(
    SELECT true FROM personal_keys k
    WHERE k.originator_id = e.originator_id AND k.originator_version = e.originator_version
)""")

COLUMNS = SQL(
    "e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, {}"
).format(HAS_KEY)
"""Columns of history_events as `e`: the arguments of `log_entry`."""

DECODE_ERRORS = (UnknownEvent, ValueError, LookupError, TypeError, RecursionError)
"""Errors of decoding an event that this release did not write."""


def log_entry(
    position: int,
    id: UUID,
    version: int,
    topic: str | None,
    state: bytes | None,
    has_key: bool | None,
) -> LoggedEvent:
    """The entry of this row, with any content."""
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
    except DECODE_ERRORS as error:
        text = None if known and known.secret_fields else state.decode(errors="replace")
        return LoggedEvent(**place, data=text, unreadable=f"its state cannot be read: {error}")
    unreadable = None
    try:
        decode_event(type, stored)
    except DECODE_ERRORS as error:
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
    """The data without secrets; None when it has no fields, because secrets cannot be found
    then."""
    if not isinstance(data, dict):
        return None
    return {field: value for field, value in data.items() if field not in secret_fields}


def can_be_opened(event: LoggedEvent) -> bool:
    return event.personal == "sealed" and event.unreadable is None


async def open_personal_data(
    connection: AsyncConnection[Any], events: Sequence[LoggedEvent], keys: InstallationKeys
) -> list[LoggedEvent]:
    """The events, with decrypted personal data where it `can_be_opened`. The disclosure must be
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
        row[0]: _with_person(log_entry(*row), event)
        for row, event in zip(rows, await open_readable(connection, sealed, keys), strict=True)
    }
    return [opened.get(event.position, event) for event in events]


async def open_readable(
    connection: AsyncConnection[Any], sealed: list[RecordedEvent], keys: InstallationKeys
) -> list[RecordedEvent]:
    """Decrypt all events that can be decrypted; damaged ones are returned unchanged."""
    try:
        return await open_all(connection, sealed, keys)
    except (CannotOpen, ValueError):
        if len(sealed) == 1:
            return sealed
    middle = len(sealed) // 2
    return [
        *await open_readable(connection, sealed[:middle], keys),
        *await open_readable(connection, sealed[middle:], keys),
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
