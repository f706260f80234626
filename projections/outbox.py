"""The `outbox` table: the messages to visitors, and the outcome of each.

Workers lease rows from it. `due_at` is the time from which a worker may take the row: for a new
row, for the next attempt, or when the present lease expires. Workers settle a row themselves, in
the transaction that appends the outcome to history. The projector applies these outcomes as well,
because a rebuild needs them.

Neither the text nor the email address is in the table: the text is composed when it is needed
(`projections.messages`), the address is read from history (`projections.people`). Its companions
change in the same transactions: `recipients`, `event_versions` and `area_names`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from domain.core.aggregate import Aggregate, RecordedEvent
from domain.events import Event
from domain.notifications import Failed, Notification, Requeued, Sent
from domain.privacy.keys import InstallationKeys
from domain.visitors import Registered, Visitor
from projections import area_names, event_versions, new_messages, recipients
from projections.area_names import NAMES_AREA
from projections.erased_recipients import mark_erased
from projections.fan_out import announcement_of, fan_out
from projections.outcomes import outcome_of, settle
from projections.projector.projection import Bulk, BulkTable, Projection, Rows, events_of
from projections.recipients import Change, first_change

CHANNEL = "outbox"
"""The channel of the NOTIFY for rows that were added, or that became due again."""

TABLE = f"""
CREATE TABLE IF NOT EXISTS outbox (
    id              uuid PRIMARY KEY,
    visitor_id      uuid NOT NULL,
    event_id        uuid NOT NULL,
    episode         int NOT NULL,
    kind            text NOT NULL,
    facts           text NOT NULL, -- JSON of projections.message_texts.Facts
    recipient_key   bigint NOT NULL, -- projections.recipient_keys
    erased          boolean NOT NULL DEFAULT false,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts        int NOT NULL DEFAULT 0,
    held_until      timestamptz, -- projections.new_messages
    due_at          timestamptz NOT NULL,
    lease_token     uuid,
    last_error      text,
    position        bigint NOT NULL, -- of the domain event that caused it
    person_position bigint NOT NULL, -- of the domain event that says who the recipient is
    correlation_id  text NOT NULL,
    created_at      timestamptz NOT NULL,
    concluded_at    timestamptz
);
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (due_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS outbox_held ON outbox (held_until)
    WHERE state = 'waiting' AND held_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox (created_at);
CREATE INDEX IF NOT EXISTS outbox_failed ON outbox (created_at) WHERE state = 'failed';
CREATE INDEX IF NOT EXISTS outbox_by_event ON outbox (event_id, created_at);
CREATE INDEX IF NOT EXISTS outbox_of_recipient ON outbox (recipient_key, position);
{recipients.TABLE}
{event_versions.TABLE}
{area_names.TABLE}
"""

MAX_SEND_DELAY = 5.0
"""Seconds. A worker starts to send a row within this time after leasing it, or releases it."""


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    keys: InstallationKeys,
) -> bool:
    # First the table that a rebuild locks first, else both may wait for each other.
    await connection.execute("LOCK TABLE outbox IN ROW EXCLUSIVE MODE")
    await area_names.apply(connection, domain_events)
    await event_versions.apply(connection, _of(Event, domain_events))
    added, changes = 0, list[Change]()
    for visits, announced in _before_each_announcement(domain_events):
        changed = await recipients.apply(connection, visits, keys)
        added += await new_messages.add(connection, changed)
        changes += changed
        if announced and (announcement := announcement_of(announced)):
            added += await fan_out(connection, announced, announcement)
    settled = await settle(connection, domain_events)
    erased = await mark_erased(connection, changes)
    if added or any(isinstance(e.event, Requeued) for e in domain_events):
        await connection.execute("NOTIFY outbox")
    return added + settled + erased > 0


def _before_each_announcement(
    domain_events: Sequence[RecordedEvent],
) -> Iterator[tuple[list[RecordedEvent], RecordedEvent | None]]:
    """The domain events of visitors, split at each message to all visitors, so that it goes to
    those who are there at that moment; each part with the domain event that causes the message."""
    visits = list[RecordedEvent]()
    for recorded in domain_events:
        if recorded.event.aggregate_class is Visitor:
            visits.append(recorded)
        elif announcement_of(recorded):
            yield visits, recorded
            visits = []
    yield visits, None


def _of(kind: type[Aggregate], domain_events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    return [recorded for recorded in domain_events if recorded.event.aggregate_class is kind]


_CONCLUSIONS = {Sent, Failed}

_AFTER_NEW = (
    ("due_at", "timestamptz"),
    ("state", "text"),
    ("last_error", "text"),
    ("concluded_at", "timestamptz"),
)


def _rows_of(domain_events: Sequence[RecordedEvent], keys: InstallationKeys) -> Rows:
    """The recipient and the message of each first registration, with the first outcome of that
    message if it is among these events."""
    outcomes, left_over = dict[UUID, RecordedEvent](), list[RecordedEvent]()
    registered = list[Change]()
    for recorded in domain_events:
        kind, is_first = type(recorded.event), recorded.originator_version == 1
        if kind in _CONCLUSIONS and is_first:
            outcomes[recorded.originator_id] = recorded
        elif kind is Registered and is_first:
            registered.append(first_change(recorded, keys))
        else:
            left_over.append(recorded)
    rows = list[tuple[object, ...]]()
    for change in registered:
        if (row := new_messages.row_of(change)) is not None:
            concluded = outcomes.pop(row[0], None)
            rows.append(row + (_settled(concluded) if concluded else _waiting(change.recorded)))
    return Rows(
        {"outbox": rows, "recipients": [change.now.row() for change in registered]},
        [*left_over, *outcomes.values()],
    )


def _settled(concluded: RecordedEvent) -> tuple[object, ...]:
    """The values of `_AFTER_NEW`."""
    outcome = outcome_of(concluded)
    return outcome.at, outcome.state, outcome.reason, outcome.at


def _waiting(registered: RecordedEvent) -> tuple[object, ...]:
    return registered.metadata.timestamp, "waiting", None, None


CARRY_OVER = """
UPDATE outbox
SET attempts = previous.attempts, due_at = previous.due_at,
    lease_token = previous.lease_token, last_error = previous.last_error
FROM {previous} AS previous
WHERE outbox.id = previous.id AND outbox.state = 'waiting' AND previous.state = 'waiting';
UPDATE outbox
SET lease_token = previous.lease_token
FROM {previous} AS previous
WHERE outbox.id = previous.id AND outbox.state = 'failed' AND previous.state = 'failed'
  AND previous.lease_token IS NOT NULL
"""
"""Attempts and leases are not in history. A worker that sends during a rebuild must find its lease
in the new table, or the message would be sent twice. An erasure that waits for the lease needs it
there, too."""

OUTBOX = Projection(
    name="outbox",
    companions=("recipients", "event_versions", "area_names"),
    schema_version=10,
    table=TABLE,
    handles=events_of(Notification, Visitor, Event) | NAMES_AREA,
    apply=apply,
    carry_over=CARRY_OVER,
    bulk=Bulk(
        tables=(
            BulkTable("outbox", new_messages.COLUMNS + _AFTER_NEW),
            recipients.COPIED,
        ),
        rows_of=_rows_of,
        complete=new_messages.HOLD_ALL,
    ),
)
