"""Every command of the table, given to `execute`: history and rows are then as the command says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import pytest
from psycopg import AsyncConnection

from domain.accounts import (
    ChangePassword,
    DisableAccount,
    GrantRole,
    PasswordHash,
    RegisterAccount,
    RevokeRole,
)
from domain.application import APPLICATION
from domain.areas import CreateArea, DeleteArea, RenameArea
from domain.audit.disclosures import RecordDisclosure
from domain.core.ids import Identity
from domain.core.values import Text, Username
from domain.departures import EraseVisitor
from domain.events import ChangeEvent, CleanUpEvent, CreateEvent, DeleteEvent
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect, last_position, read_events
from domain.notifications import QueueAgain, RecordDelivery
from domain.privacy.keys import InstallationKeys
from domain.provider_items import FollowProvider, SyncEvent
from domain.registrations import RegisterVisitor
from domain.syncs import Counts, RecordFailedSync, RecordSync
from tests.domain.writing import ORIGIN, a_fair, visitor
from tests.support.installation import an_account

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


class Rows(msgspec.Struct):
    """Of the tables that are written with the append."""

    credentials: dict[UUID, dict[str, Any]]
    sessions: set[UUID]
    """Accounts that are signed in."""
    personal_keys: set[tuple[UUID, int]]


class World(msgspec.Struct, kw_only=True):
    """What is there before the command."""

    ids: Identity
    hall: UUID
    empty_area: UUID
    fair: UUID
    synced: UUID
    """An event of the provider, renamed here."""
    ada: UUID
    """A visitor of the fair, like the one after her."""
    ada_notification: UUID
    failed_notification: UUID
    root: UUID
    """An admin who is signed in, like the other one."""
    other_admin: UUID


def nothing(rows: Rows, world: World) -> None:
    """These rows stay as they are."""


class Given(NamedTuple):
    command: Callable[[World], object]
    topics: list[str]
    """Of the domain events that it leads to."""
    change: Callable[[Rows, World], object] = nothing
    """What it changes in the rows."""


def _registers(rows: Rows, world: World) -> None:
    account = world.ids.account(Username("Grace"))
    rows.credentials[account] = {
        "username": "Grace",
        "password_hash": "a hash",
        "password_version": 2,
        "roles": ["auditor"],
        "disabled": False,
    }


def _changes_password(rows: Rows, world: World) -> None:
    rows.credentials[world.root] |= {"password_hash": "another hash", "password_version": 3}
    rows.sessions.remove(world.root)


def _disables(rows: Rows, world: World) -> None:
    rows.credentials[world.root]["disabled"] = True
    rows.sessions.remove(world.root)


COMMANDS: dict[type, Given] = {
    CreateArea: Given(
        lambda _: CreateArea(name=Text("Annex")), ["AreaName.Claimed", "Area.Created"]
    ),
    RenameArea: Given(
        lambda w: RenameArea(area_id=w.hall, name=Text("Annex")),
        ["AreaName.Claimed", "AreaName.Released", "Area.Renamed"],
    ),
    DeleteArea: Given(
        lambda w: DeleteArea(area_id=w.empty_area), ["Area.Deleted", "AreaName.Released"]
    ),
    CreateEvent: Given(lambda _: a_fair(), ["Event.Created"]),
    ChangeEvent: Given(lambda w: ChangeEvent(event_id=w.fair, status="closed"), ["Event.Closed"]),
    DeleteEvent: Given(
        lambda w: DeleteEvent(event_id=w.fair), ["Event.Deleted", "Area.EventRemoved"]
    ),
    CleanUpEvent: Given(lambda w: CleanUpEvent(event_id=w.synced, before=NOW), ["Event.CleanedUp"]),
    SyncEvent: Given(lambda _: _synced(uuid4()), ["Event.Created"]),
    FollowProvider: Given(
        lambda w: FollowProvider(event_id=w.synced, field="name"), ["Event.Renamed"]
    ),
    RecordSync: Given(
        lambda _: RecordSync(started_at=NOW, full=True, counts=Counts(new=1)), ["Sync.Completed"]
    ),
    RecordFailedSync: Given(
        lambda _: RecordFailedSync(started_at=NOW, full=True, reason="HTTP 500"), ["Sync.Failed"]
    ),
    RegisterVisitor: Given(
        lambda w: visitor(w.fair, 3),
        ["Visitor.Registered"],
        lambda rows, w: rows.personal_keys.add(
            (w.ids.visitor(w.fair, visitor(w.fair, 3).email), 1)
        ),
    ),
    EraseVisitor: Given(
        lambda w: EraseVisitor(visitor_id=w.ada),
        ["Notification.Failed", "Visitor.Erased"],
        lambda rows, w: rows.personal_keys.remove((w.ada, 1)),
    ),
    RecordDelivery: Given(
        lambda w: RecordDelivery(notification_id=w.ada_notification), ["Notification.Sent"]
    ),
    QueueAgain: Given(
        lambda w: QueueAgain(notification_id=w.failed_notification), ["Notification.Requeued"]
    ),
    RegisterAccount: Given(
        lambda _: RegisterAccount(
            username=Username("Grace"), password_hash=PasswordHash("a hash"), roles=("auditor",)
        ),
        ["Account.Registered", "Account.RoleGranted"],
        _registers,
    ),
    GrantRole: Given(
        lambda w: GrantRole(account_id=w.root, role="organizer"),
        ["Account.RoleGranted"],
        lambda rows, w: rows.credentials[w.root].update(roles=["organizer", "admin"]),
    ),
    RevokeRole: Given(
        lambda w: RevokeRole(account_id=w.root, role="admin"),
        ["Account.RoleRevoked"],
        lambda rows, w: rows.credentials[w.root].update(roles=[]),
    ),
    ChangePassword: Given(
        lambda w: ChangePassword(account_id=w.root, password_hash=PasswordHash("another hash")),
        ["Account.PasswordChanged"],
        _changes_password,
    ),
    DisableAccount: Given(
        lambda w: DisableAccount(account_id=w.root), ["Account.Disabled"], _disables
    ),
    RecordDisclosure: Given(
        lambda _: RecordDisclosure(criteria={}, first_position=1, last_position=1, count=1),
        ["Disclosure.PersonalDataRead"],
    ),
}
"""A new command belongs here."""


@pytest.mark.parametrize("command_type", APPLICATION.commands, ids=lambda kind: kind.__name__)
async def test_a_command_given_to_execute_does_all_that_it_says(
    database_url: str, keys: InstallationKeys, command_type: type
) -> None:
    given = COMMANDS[command_type]
    async with (
        await connect(database_url) as connection,
        Writer(database_url, Decider(keys, APPLICATION)) as writer,
    ):
        world = await _world(writer, connection, keys)
        command = given.command(world)
        assert type(command) is command_type
        before, expected = await last_position(connection), await _rows(connection)
        given.change(expected, world)

        done = await writer.execute(command, ORIGIN)

        recorded = await read_events(connection, after=before, limit=100)
        assert [e.event.topic for e in recorded] == given.topics
        assert done.position == recorded[-1].position
        assert await _rows(connection) == expected


async def _world(writer: Writer, connection: AsyncConnection[Any], keys: InstallationKeys) -> World:
    async def do(command: object) -> Any:
        return (await writer.execute(command, ORIGIN)).value

    hall = (await do(CreateArea(name=Text("Hall")))).id
    fair = (await do(msgspec.structs.replace(a_fair(), area_id=hall))).event.id
    synced = uuid4()
    await do(_synced(synced))
    await do(ChangeEvent(event_id=synced, name=Text("Renamed here")))
    ada, _ = [await do(visitor(fair, number)) for number in (1, 2)]
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
    return World(
        ids=Identity(keys.identity),
        hall=hall,
        empty_area=(await do(CreateArea(name=Text("Empty")))).id,
        fair=fair,
        synced=synced,
        ada=ada,
        ada_notification=sent,
        failed_notification=failed,
        root=admins[0],
        other_admin=admins[1],
    )


def _synced(id: UUID) -> SyncEvent:
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


async def _rows(connection: AsyncConnection[Any]) -> Rows:
    cursor = await connection.execute("SELECT account_id, to_jsonb(c) FROM credentials c")
    credentials = {id: row for id, row in await cursor.fetchall() if row.pop("account_id")}
    cursor = await connection.execute("SELECT account_id FROM sessions")
    sessions = {id for (id,) in await cursor.fetchall()}
    cursor = await connection.execute("SELECT originator_id, originator_version FROM personal_keys")
    return Rows(credentials, sessions, set(await cursor.fetchall()))
