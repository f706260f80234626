"""What is there before each command of `tests/domain/test_every_command.py`, and the rows that are
written with an append."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import AsyncConnection

from domain.accounts import DisableAccount
from domain.api_keys import CreateKey
from domain.application import APPLICATION
from domain.areas import CreateArea
from domain.check_ins import CheckIn, Nonce, Scanned
from domain.core.durations import Duration, LongDuration
from domain.core.ids import Identity
from domain.core.values import Capacity, Email, FullName, Text
from domain.departures import (
    CancelVisitor,
)
from domain.event_cancellation import CancelEvent
from domain.event_editing import ChangeEvent, DeleteEvent
from domain.history.batch import CommandRequest
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import read_events
from domain.notifications import RecordDelivery
from domain.privacy.keys import InstallationKeys
from domain.provider_items import SyncEvent
from domain.registrations import AddVisitor
from domain.webhooks import (
    CreateWebhook,
    WebhookUrl,
)
from tests.support.installation import ORIGIN, an_account, an_event, visitor

NOW = datetime.now(UTC)

MOVED_TO = NOW + timedelta(hours=23)

A_LATE_EMAIL = Email("late@example.com")

ENTERED = Nonce("has-entered")

A_URL = WebhookUrl("https://example.com/")


class Rows(msgspec.Struct):
    """Of the tables that are written with the append."""

    credentials: dict[UUID, dict[str, Any]]
    sessions: set[UUID]
    """Accounts that are signed in."""
    personal_keys: set[tuple[UUID, int]]
    seats: dict[UUID, list[int]]
    """Taken and waiting, by event."""
    queues: dict[UUID, list[UUID]]
    """Who waits, by event."""
    key_secrets: dict[bytes, list[Any]]
    """By hash, the name of the API key, and whether it works for a time only."""
    webhooks: list[dict[str, Any]]
    """By URL."""


class World(msgspec.Struct, kw_only=True):
    """What is there before the command."""

    ids: Identity
    hall: UUID
    empty_area: UUID
    fair: UUID
    synced: UUID
    """An event of the provider, renamed here, that took place yesterday."""
    late: UUID
    """The visitor of that event, without a message."""
    cancelled: UUID
    """An event."""
    removed: UUID
    """An event that was in the hall."""
    moved: UUID
    """An event whose visitors do not know yet that it begins at `MOVED_TO`, with a reminder due."""
    ada: UUID
    """A visitor of the fair, like the one after her, who was checked in as `ENTERED`."""
    ada_notification: UUID
    full: UUID
    """An event with one seat, which `seated` has; `first` and `second` wait."""
    seated: UUID
    first: UUID
    second: UUID
    unsettled: UUID
    """An event with a free seat and with a visitor who waits for it."""
    unconfirmed: UUID
    """A visitor who was to confirm the address by now."""
    failed_notification: UUID
    root: UUID
    """An admin who is signed in, like the other one."""
    other_admin: UUID
    disabled: UUID
    """A disabled account."""
    key: UUID
    webhook: UUID


async def world_of(
    writer: Writer, connection: AsyncConnection[Any], keys: InstallationKeys
) -> World:
    async def do(command: object) -> Any:
        return (await writer.execute(command, ORIGIN)).value

    hall = (await do(CreateArea(name=Text("Hall")))).id
    fair = (await do(msgspec.structs.replace(an_event(), area_id=hall))).event.id
    synced = uuid4()
    await do(a_synced_event(synced))
    await do(ChangeEvent(event_id=synced, name=Text("Renamed here")))
    ada, entered = [(await do(visitor(fair, number))).id for number in (1, 2)]
    await do(CheckIn(event_id=fair, scanned=Scanned(nonce=ENTERED, visitor_id=entered)))
    sent, failed = [
        e.event.notification_id
        for e in await read_events(connection, after=0, limit=100)
        if hasattr(e.event, "notification_id")
    ]
    await do(RecordDelivery(notification_id=failed, failure="mailbox full"))
    admins = [(await do(an_account(name, "admin"))).id for name in ("root", "other")]
    for admin in admins:
        await connection.execute(
            """
            INSERT INTO sessions (id, account_id, refresh_hash, expires_at)
            VALUES (%s, %s, 'x', now() + interval '1 day')
            """,
            [uuid4(), admin],
        )
    disabled = (await do(an_account("disabled"))).id
    await do(DisableAccount(account_id=disabled))
    cancelled = (await do(an_event())).event.id
    await do(CancelEvent(event_id=cancelled))
    removed = (await do(msgspec.structs.replace(an_event(), area_id=hall))).event.id
    await do(DeleteEvent(event_id=removed))
    moved = (await do(an_event())).event.id
    reminders = (Duration("P1D"),)
    await do(
        ChangeEvent(
            event_id=moved,
            event_datetime=MOVED_TO,
            registration_deadline=MOVED_TO,
            reminders=reminders,
        )
    )
    full, line = await _full_event(do)
    unsettled, (seated, _) = await _full_event(do, waiting=1)
    without_policies = msgspec.structs.replace(APPLICATION, policies=[])
    await Decider(keys, without_policies).execute_one(
        connection, CancelVisitor(visitor_id=seated), ORIGIN
    )
    late = await do(
        AddVisitor(event_id=synced, full_name=FullName("Ada"), email=A_LATE_EMAIL, notify=False)
    )
    return World(
        ids=Identity(keys.identity),
        hall=hall,
        empty_area=(await do(CreateArea(name=Text("Empty")))).id,
        fair=fair,
        synced=synced,
        late=late.id,
        cancelled=cancelled,
        removed=removed,
        moved=moved,
        ada=ada,
        ada_notification=sent,
        failed_notification=failed,
        full=full,
        seated=line[0],
        first=line[1],
        second=line[2],
        unsettled=unsettled,
        unconfirmed=await _unconfirmed(do, connection, keys, fair),
        root=admins[0],
        other_admin=admins[1],
        disabled=disabled,
        key=(await do(CreateKey(name=Text("Door"), scopes=("feed",), secret_hash=b"its hash"))).id,
        webhook=(await do(CreateWebhook(url=A_URL, sealed_secret=b"a secret"))).id,
    )


async def _full_event(
    do: Callable[[object], Awaitable[Any]], waiting: int = 2
) -> tuple[UUID, list[UUID]]:
    """An event with one seat; who has it and who waits."""
    small = msgspec.structs.replace(an_event(), capacity=Capacity(1), waiting_list="automatic")
    event_id = (await do(small)).event.id
    asked = [visitor(event_id, number) for number in range(1 + waiting)]
    return event_id, [
        (await do(msgspec.structs.replace(each, join_waiting_list=True))).id for each in asked
    ]


async def _unconfirmed(
    do: Callable[[object], Awaitable[Any]],
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    event_id: UUID,
) -> UUID:
    """Registered an hour ago, when addresses were to be confirmed within a minute."""
    await do(ChangeEvent(event_id=event_id, confirm_within=LongDuration("PT1M")))
    request = CommandRequest(visitor(event_id, 8), ORIGIN, NOW - timedelta(hours=1))
    (registered,) = await Decider(keys, APPLICATION).execute(connection, [request])
    await do(ChangeEvent(event_id=event_id, confirm_within=None))
    id: UUID = registered.or_raise().value.id
    return id


def a_synced_event(id: UUID) -> SyncEvent:
    """Past, so that it can be cleaned up."""
    yesterday = NOW - timedelta(days=1)
    return SyncEvent(
        event_id=id,
        name=Text("Synced"),
        event_datetime=yesterday,
        registration_deadline=yesterday,
        area_name=None,
        status="open",
    )


async def rows_of(connection: AsyncConnection[Any]) -> Rows:
    cursor = await connection.execute("SELECT account_id, to_jsonb(c) FROM credentials c")
    credentials = {id: row for id, row in await cursor.fetchall() if row.pop("account_id")}
    cursor = await connection.execute("SELECT account_id FROM sessions")
    sessions = {id for (id,) in await cursor.fetchall()}
    cursor = await connection.execute("SELECT originator_id, originator_version FROM personal_keys")
    personal_keys = set(await cursor.fetchall())
    cursor = await connection.execute("SELECT event_id, taken, waiting FROM event_seats")
    seats = {id: counters for id, *counters in await cursor.fetchall()}
    cursor = await connection.execute(
        "SELECT event_id, array_agg(visitor_id ORDER BY position) FROM event_queue GROUP BY 1"
    )
    queues = dict(await cursor.fetchall())
    cursor = await connection.execute(
        "SELECT hash, name, works_until IS NOT NULL"
        " FROM api_key_secrets s JOIN api_keys k ON k.id = s.key_id"
    )
    key_secrets = {hashed: found for hashed, *found in await cursor.fetchall()}
    cursor = await connection.execute(
        """
        SELECT version, url, enabled, disabled_because, secret, former_secret
        FROM webhooks ORDER BY url
        """
    )
    names = [column.name for column in cursor.description or ()]
    webhooks = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
    return Rows(credentials, sessions, personal_keys, seats, queues, key_secrets, webhooks)
