"""All that is known of one person, at all events, removed ones included: from history, and the
messages from the outbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.audit.entry import COLUMNS, LoggedEvent, log_entry, open_personal_data
from domain.core.aggregate import RecordedEvent
from domain.core.values import Email
from domain.endpoints import Endpoint, list_endpoints
from domain.entries import CheckedIn, CheckInUndone, EnteredAgain, EnteredWithoutSeat
from domain.events import Event
from domain.history.codec import decode
from domain.history.store import last_position, open_all
from domain.history.streams import Streams
from domain.person_search import PersonSearch
from domain.privacy.keys import InstallationKeys
from domain.questions import Question
from domain.visitors import (
    HOLDS_PERSON,
    Cancelled,
    Confirmed,
    Erased,
    Lapsed,
    Promoted,
    Visitor,
    VisitorStatus,
)
from projections.message_texts import Kind
from projections.messages import messages_by_id
from projections.outcomes import State
from projections.recipients import KEYS
from projections.visitors_to_forget import planned_for

NOT_INCLUDED = (
    "Accounts: they have a username and no email, so none can be tied to a person.",
    "Registrations that were erased or forgotten before: who they were is unreadable.",
    "Confirmation codes in messages: they are shown as ****.",
    "Deliveries to webhooks before the last 7 days.",
    "What was read through an API key, the feed, a list or a file: not recorded for each person.",
    "Texts that others typed freely, such as the description of an event.",
    "Backups, log files, and what was sent to other systems: ask those who run them.",
)
"""What an export says of itself."""


class ExportedEvent(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    name: str
    event_datetime: datetime
    ends_at: datetime | None
    timezone: str
    questions: tuple[Question, ...]
    """Those of now. Answers to questions that were removed since are kept, too."""
    removed: bool
    """Whether it was deleted, or removed as past."""
    forget_at: datetime | None
    """When its visitors will be forgotten; None: they are kept."""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One registration, from its beginning to its end."""

    began_at: datetime
    """When the person registered or joined the waiting list."""
    person: dict[str, Any] | None
    """As given last: name, email and answers. None after an erasure."""
    promoted_at: datetime | None = None
    """When the person got a seat from the waiting list."""
    confirmed_at: datetime | None = None
    """When the person confirmed the address."""
    ended_at: datetime | None = None
    """None: it did not end."""
    ended: str | None = None
    """`cancelled by visitor`, `organizer`, `correction` or `erasure`; `lapsed`, `erased`. None: it
    did not end."""
    reason: str | None = None


class ExportedCheckIn(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    gate: str | None
    outcome: str
    """`entered`, `entered_again`, `entered_without_seat`, `undone`."""


class ExportedMessage(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    kind: Kind
    """What it is about."""
    state: State
    created_at: datetime
    concluded_at: datetime | None
    """When it was sent or given up."""
    text: str | None
    """None if it cannot be composed."""


class ExportedRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """The person at one event."""

    visitor_id: UUID
    event: ExportedEvent
    status: VisitorStatus
    episodes: list[Episode]
    """One for each time that the person registered, the first one first."""
    check_ins: list[ExportedCheckIn]
    """In the order in which they were received."""
    messages: list[ExportedMessage]


class ExportedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """An item about the person, with the name and the email, that a webhook took."""

    position: int
    type: str
    """Of the item."""
    at: datetime


class ExportedWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that gets names and emails, and so may have got those of the person."""

    id: UUID
    url: str
    deliveries: list[ExportedDelivery]
    """Those of the last 7 days."""


class PersonExport(msgspec.Struct, frozen=True, kw_only=True):
    email: str
    exported_at: datetime
    """When."""
    position: int
    """Of history: the export includes it up to here."""
    registrations: list[ExportedRegistration]
    webhooks: list[ExportedWebhook]
    """Those that get names and emails, of all events or of one where the person registered."""
    history: list[LoggedEvent]
    """All domain events of the registrations and of the messages."""
    not_included: Sequence[str] = NOT_INCLUDED
    """What the export does not have, for people."""

    @property
    def visitor_ids(self) -> tuple[UUID, ...]:
        return tuple(registration.visitor_id for registration in self.registrations)


async def export_person(
    connection: AsyncConnection[Any], keys: InstallationKeys, email: Email
) -> PersonExport:
    """Who reads it must be recorded before it is shown (`domain.audit.disclosures`)."""
    position = await last_position(connection)
    visitors = await PersonSearch(connection, keys, email).more()
    ids = [visitor.id for visitor in visitors]
    messages = await _messages(connection, ids)
    history = await _history(connection, keys, [*ids, *(m.id for _, m in messages)])
    streams = await _streams(connection, keys, ids)
    events = await _events(connection, {visitor.event for visitor in visitors})
    registrations = [
        ExportedRegistration(
            visitor_id=visitor.id,
            event=events[visitor.event],
            status=visitor.status,
            episodes=_episodes(streams[visitor.id]),
            check_ins=_check_ins(streams[visitor.id]),
            messages=[message for id, message in messages if id == visitor.id],
        )
        for visitor in visitors
    ]
    return PersonExport(
        email=str(email),
        exported_at=datetime.now(UTC),
        position=position,
        registrations=sorted(registrations, key=lambda each: each.event.event_datetime),
        webhooks=await _webhooks(connection, visitors, [event.position for event in history]),
        history=history,
    )


async def _history(
    connection: AsyncConnection[Any], keys: InstallationKeys, ids: Collection[UUID]
) -> list[LoggedEvent]:
    cursor = await connection.execute(
        SQL(
            "SELECT {} FROM history_events e WHERE e.originator_id = ANY(%b::uuid[])"
            " ORDER BY e.notification_id"
        ).format(COLUMNS),
        [list(ids)],
        binary=True,
    )
    return await open_personal_data(
        connection, [log_entry(*row) for row in await cursor.fetchall()], keys
    )


async def _streams(
    connection: AsyncConnection[Any], keys: InstallationKeys, ids: Collection[UUID]
) -> Mapping[UUID, list[RecordedEvent]]:
    cursor = await connection.execute(
        """
        SELECT originator_id, originator_version, topic, state, notification_id
        FROM history_events WHERE originator_id = ANY(%b::uuid[]) ORDER BY notification_id
        """,
        [list(ids)],
        binary=True,
    )
    recorded = [decode(*row) for row in await cursor.fetchall()]
    streams: dict[UUID, list[RecordedEvent]] = {id: [] for id in ids}
    for each in await open_all(connection, recorded, keys):
        streams[each.originator_id].append(each)
    return streams


def _episodes(stream: Sequence[RecordedEvent]) -> list[Episode]:
    episodes, visitor = list[Episode](), None
    for recorded in stream:
        event, at = recorded.event, recorded.metadata.timestamp
        was, visitor = visitor, recorded.mutate(visitor)
        if isinstance(visitor, Visitor) and visitor.episode != getattr(was, "episode", 0):
            episodes.append(Episode(began_at=at, person=None))
        if episodes:
            episodes[-1] = msgspec.structs.replace(episodes[-1], **_changes(event, at))
    return episodes


def _changes(event: object, at: datetime) -> dict[str, Any]:
    """Of the episode, by this domain event."""
    match event:
        case Promoted():
            return {"promoted_at": at}
        case Confirmed():
            return {"confirmed_at": at}
        case Cancelled(by=by, reason=reason):
            return {"ended_at": at, "ended": f"cancelled by {by}", "reason": reason or None}
        case Lapsed():
            return {"ended_at": at, "ended": "lapsed"}
        case Erased():
            return {"ended_at": at, "ended": "erased", "person": None}
    if isinstance(event, HOLDS_PERSON) and event.person is not None:
        return {"person": msgspec.to_builtins(event.person)}
    return {}


def _check_ins(stream: Sequence[RecordedEvent]) -> list[ExportedCheckIn]:
    found = list[ExportedCheckIn]()
    for recorded in stream:
        event = recorded.event
        if isinstance(event, CheckInUndone):
            at = recorded.metadata.timestamp
            found.append(ExportedCheckIn(at=at, gate=None, outcome="undone"))
        elif isinstance(event, CheckedIn | EnteredAgain | EnteredWithoutSeat):
            outcome = _OUTCOMES[type(event)]
            found.append(ExportedCheckIn(at=event.at, gate=event.gate, outcome=outcome))
    return found


_OUTCOMES = {
    CheckedIn: "entered",
    EnteredAgain: "entered_again",
    EnteredWithoutSeat: "entered_without_seat",
}


async def _messages(
    connection: AsyncConnection[Any], visitor_ids: Sequence[UUID]
) -> list[tuple[UUID, ExportedMessage]]:
    """With the visitor who got each, the oldest first."""
    cursor = await connection.execute(
        f"""
        SELECT visitor_id, id, kind, state, created_at, concluded_at FROM outbox
        WHERE visitor_id = ANY(%(ids)s)
          AND recipient_key IN ({KEYS} WHERE visitor_id = ANY(%(ids)s))
        ORDER BY created_at, id
        """,  # noqa: S608
        {"ids": list(visitor_ids)},
    )
    rows = await cursor.fetchall()
    composed = await messages_by_id(connection, [row[1] for row in rows])
    return [
        (
            visitor_id,
            ExportedMessage(
                id=id,
                kind=kind,
                state=state,
                created_at=created_at,
                concluded_at=concluded_at,
                text=composed[id].without_code().text() if id in composed else None,
            ),
        )
        for visitor_id, id, kind, state, created_at, concluded_at in rows
    ]


async def _events(
    connection: AsyncConnection[Any], ids: Collection[UUID]
) -> dict[UUID, ExportedEvent]:
    loaded = await Streams().load(connection, ids)
    return {
        event.id: ExportedEvent(
            id=event.id,
            name=event.details.name,
            event_datetime=event.details.event_datetime,
            ends_at=event.details.ends_at,
            timezone=event.details.timezone,
            questions=event.questions,
            removed=not event.exists,
            forget_at=await planned_for(connection, event.id),
        )
        for event in loaded.values()
        if isinstance(event, Event)
    }


async def _webhooks(
    connection: AsyncConnection[Any], visitors: Sequence[Visitor], positions: Sequence[int]
) -> list[ExportedWebhook]:
    events = {visitor.event for visitor in visitors}
    return [
        ExportedWebhook(
            id=webhook.id,
            url=webhook.url,
            deliveries=await _deliveries(connection, webhook, positions),
        )
        for webhook in await list_endpoints(connection)
        if webhook.personal and events and webhook.event_id in {None, *events}
    ]


async def _deliveries(
    connection: AsyncConnection[Any], webhook: Endpoint, positions: Sequence[int]
) -> list[ExportedDelivery]:
    cursor = await connection.execute(
        """
        SELECT position, type, at FROM webhook_attempts
        WHERE webhook_id = %s AND error IS NULL AND position = ANY(%s) ORDER BY id
        """,
        [webhook.id, list(positions)],
    )
    return [
        ExportedDelivery(position=position, type=type, at=at)
        for position, type, at in await cursor.fetchall()
    ]
