"""Every command of the table, given to `execute`: history and rows are correct afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

import pytest

from domain.accounts import (
    ChangePassword,
    DisableAccount,
    EnableAccount,
    GrantRole,
    InviteAccount,
    MakePasswordLink,
    PasswordHash,
    RegisterAccount,
    RevokeRole,
)
from domain.announcements import AnnounceChange, RemindOf
from domain.api_keys import CreateKey, RevokeKey, RollKey
from domain.application import APPLICATION
from domain.areas import CreateArea, DeleteArea, RenameArea
from domain.audit.disclosures import RecordDisclosure, RecordPersonExport
from domain.check_ins import CheckIn, Nonce, RecordScans, Scanned, UndoCheckIn
from domain.core.values import Email, FullName, Text, Username
from domain.departures import (
    CancelVisitor,
    ConfirmVisitor,
    EraseVisitor,
    LapseVisitor,
    LeaveEvent,
    ResendMessage,
)
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent, CleanUpEvent, CreateEvent, DeleteEvent
from domain.event_restoration import RestoreEvent
from domain.events import Reminder, TimeAndPlace
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect, last_position, read_events
from domain.notifications import QueueAgain, RecordDelivery
from domain.privacy.keys import InstallationKeys
from domain.provider_items import FollowProvider, SyncEvent
from domain.question_editing import ChangeQuestions
from domain.questions import Question
from domain.registrations import AddVisitor, AddVisitors, CorrectVisitor, NewPerson, RegisterVisitor
from domain.retention import ForgetVisitors, RecordRetention
from domain.syncs import Counts, RecordFailedSync, RecordSync
from domain.tickets import ReissueTicket
from domain.waiting_list import PromoteVisitor, PromoteWaiting
from domain.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    DeleteWebhook,
    DisableWebhook,
    RollWebhookSecret,
    WebhookUrl,
)
from tests.domain.command_world import (
    ENTERED,
    MOVED_TO,
    NOW,
    Rows,
    World,
    a_synced_event,
    rows_of,
    world_of,
)
from tests.support.installation import ORIGIN, an_event, visitor

pytestmark = pytest.mark.anyio


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


def _invites(rows: Rows, world: World) -> None:
    _registers(rows, world)
    rows.credentials[world.ids.account(Username("Grace"))]["password_hash"] = ""


def _changes_password(rows: Rows, world: World) -> None:
    rows.credentials[world.root] |= {"password_hash": "another hash", "password_version": 3}
    rows.sessions.remove(world.root)


def _disables(rows: Rows, world: World) -> None:
    rows.credentials[world.root]["disabled"] = True
    rows.sessions.remove(world.root)


def _third(world: World) -> RegisterVisitor:
    return visitor(world.fair, 3)


def _registers_third(rows: Rows, world: World) -> None:
    rows.personal_keys.add((world.ids.visitor(world.fair, _third(world).email), 1))
    rows.seats[world.fair][0] += 1


def _late(world: World) -> AddVisitor:
    added = visitor(world.full, 9)
    return AddVisitor(
        event_id=added.event_id,
        full_name=added.full_name,
        email=added.email,
        join_waiting_list=True,
    )


def _joins_late(rows: Rows, world: World) -> None:
    id = world.ids.visitor(world.full, _late(world).email)
    rows.personal_keys.add((id, 1))
    rows.seats[world.full][1] += 1
    rows.queues[world.full].append(id)


def _two_late(world: World) -> AddVisitors:
    people = [visitor(world.full, number) for number in (9, 10, 9)]
    return AddVisitors(
        event_id=world.full,
        people=[NewPerson(person.full_name, person.email) for person in people],
        join_waiting_list=True,
    )


def _join_late(rows: Rows, world: World) -> None:
    for person in _two_late(world).people[:2]:
        id = world.ids.visitor(world.full, person.email)
        rows.personal_keys.add((id, 1))
        rows.seats[world.full][1] += 1
        rows.queues[world.full].append(id)


def _passes_seat_on(rows: Rows, world: World) -> None:
    rows.seats[world.full][1] -= 1
    rows.queues[world.full].remove(world.first)


def _promotes_second(rows: Rows, world: World) -> None:
    rows.seats[world.full][0] += 1
    rows.seats[world.full][1] -= 1
    rows.queues[world.full].remove(world.second)


def _promotes_who_waits(rows: Rows, world: World) -> None:
    rows.seats[world.unsettled] = [1, 0]
    del rows.queues[world.unsettled]


CORRECT = Email("grace@example.com")


def _takes_first_place(rows: Rows, world: World) -> None:
    id = world.ids.visitor(world.full, CORRECT)
    rows.personal_keys.add((id, 1))
    rows.queues[world.full][0] = id


def _lapses(rows: Rows, world: World) -> None:
    rows.seats[world.fair][0] -= 1


def _erases(rows: Rows, world: World) -> None:
    rows.personal_keys.remove((world.ada, 1))
    rows.seats[world.fair][0] -= 1


def _forgets(rows: Rows, world: World) -> None:
    rows.personal_keys.remove((world.late, 1))
    rows.seats[world.synced][0] -= 1


ANOTHER_URL = WebhookUrl("https://example.org/")


def _creates_webhook(rows: Rows, world: World) -> None:
    rows.webhooks.append(rows.webhooks[0] | {"url": ANOTHER_URL})


def _of_ada(world: World) -> Scanned:
    return Scanned(nonce=Nonce("scan-of-ada"), visitor_id=world.ada)


def _of_second(world: World) -> Scanned:
    return Scanned(nonce=Nonce("scan-of-second"), visitor_id=world.second)


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
    CreateEvent: Given(lambda _: an_event(), ["Event.Created"]),
    ChangeEvent: Given(lambda w: ChangeEvent(event_id=w.fair, status="closed"), ["Event.Closed"]),
    DeleteEvent: Given(
        lambda w: DeleteEvent(event_id=w.fair), ["Event.Deleted", "Area.EventRemoved"]
    ),
    ChangeQuestions: Given(
        lambda w: ChangeQuestions(
            event_id=w.fair, questions=(Question(id="age", type="number", label="Age?"),)
        ),
        ["Event.QuestionsChanged"],
    ),
    CancelEvent: Given(lambda w: CancelEvent(event_id=w.fair), ["Event.Cancelled"]),
    RestoreEvent: Given(
        lambda w: RestoreEvent(event_id=w.removed), ["Event.Restored", "Area.EventAdded"]
    ),
    ReinstateEvent: Given(lambda w: ReinstateEvent(event_id=w.cancelled), ["Event.Reinstated"]),
    AnnounceChange: Given(
        lambda w: AnnounceChange(event_id=w.moved, now=TimeAndPlace(MOVED_TO)),
        ["Event.ChangeAnnounced"],
    ),
    RemindOf: Given(
        lambda w: RemindOf(event_id=w.moved, reminder=Reminder("P1D", MOVED_TO)),
        ["Event.ReminderDue"],
    ),
    CleanUpEvent: Given(lambda w: CleanUpEvent(event_id=w.synced, before=NOW), ["Event.CleanedUp"]),
    SyncEvent: Given(lambda _: a_synced_event(uuid4()), ["Event.Created"]),
    FollowProvider: Given(
        lambda w: FollowProvider(event_id=w.synced, field="name"), ["Event.Renamed"]
    ),
    RecordSync: Given(
        lambda _: RecordSync(started_at=NOW, full=True, counts=Counts(new=1)), ["Sync.Completed"]
    ),
    RecordFailedSync: Given(
        lambda _: RecordFailedSync(started_at=NOW, full=True, reason="HTTP 500"), ["Sync.Failed"]
    ),
    RegisterVisitor: Given(_third, ["Visitor.Registered"], _registers_third),
    AddVisitors: Given(_two_late, ["Visitor.Waitlisted", "Visitor.Waitlisted"], _join_late),
    AddVisitor: Given(_late, ["Visitor.Waitlisted"], _joins_late),
    CancelVisitor: Given(
        lambda w: CancelVisitor(visitor_id=w.seated),
        ["Visitor.Cancelled", "Visitor.Promoted"],
        _passes_seat_on,
    ),
    LeaveEvent: Given(
        lambda w: LeaveEvent(visitor_id=w.seated, episode=1),
        ["Visitor.Cancelled", "Visitor.Promoted"],
        _passes_seat_on,
    ),
    ConfirmVisitor: Given(
        lambda w: ConfirmVisitor(visitor_id=w.unconfirmed, episode=1), ["Visitor.Confirmed"]
    ),
    LapseVisitor: Given(
        lambda w: LapseVisitor(visitor_id=w.unconfirmed), ["Visitor.Lapsed"], _lapses
    ),
    CorrectVisitor: Given(
        lambda w: CorrectVisitor(visitor_id=w.first, full_name=FullName("Grace"), email=CORRECT),
        ["Visitor.Waitlisted", "Visitor.Cancelled"],
        _takes_first_place,
    ),
    ResendMessage: Given(lambda w: ResendMessage(visitor_id=w.first), ["Visitor.MessageResent"]),
    ReissueTicket: Given(lambda w: ReissueTicket(visitor_id=w.ada), ["Visitor.TicketReissued"]),
    PromoteVisitor: Given(
        lambda w: PromoteVisitor(visitor_id=w.second, over_capacity=True),
        ["Visitor.Promoted"],
        _promotes_second,
    ),
    PromoteWaiting: Given(
        lambda w: PromoteWaiting(event_id=w.unsettled), ["Visitor.Promoted"], _promotes_who_waits
    ),
    EraseVisitor: Given(
        lambda w: EraseVisitor(visitor_id=w.ada),
        ["Notification.Failed", "Visitor.Cancelled", "Visitor.Erased"],
        _erases,
    ),
    ForgetVisitors: Given(
        lambda w: ForgetVisitors(event_id=w.synced, visitor_ids=[w.late], days=1),
        ["Visitor.Erased", "Event.VisitorsForgotten"],
        _forgets,
    ),
    RecordRetention: Given(lambda _: RecordRetention(days=365), ["Retention.SettingChanged"]),
    CheckIn: Given(
        lambda w: CheckIn(event_id=w.fair, scanned=_of_ada(w)),
        ["Visitor.CheckedIn", "Scan.Recorded"],
    ),
    RecordScans: Given(
        lambda w: RecordScans(event_id=w.full, scanned=[_of_second(w)]),
        ["Visitor.EnteredWithoutSeat", "Scan.Recorded"],
    ),
    UndoCheckIn: Given(
        lambda w: UndoCheckIn(event_id=w.fair, nonce=ENTERED),
        ["Visitor.CheckInUndone", "Scan.Undone"],
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
    InviteAccount: Given(
        lambda _: InviteAccount(username=Username("Grace"), roles=("auditor",)),
        ["Account.Invited", "Account.RoleGranted"],
        _invites,
    ),
    MakePasswordLink: Given(
        lambda w: MakePasswordLink(account_id=w.root), ["Account.PasswordLinkMade"]
    ),
    EnableAccount: Given(
        lambda w: EnableAccount(account_id=w.disabled),
        ["Account.Enabled"],
        lambda rows, w: rows.credentials[w.disabled].update(disabled=False, password_version=3),
    ),
    DisableAccount: Given(
        lambda w: DisableAccount(account_id=w.root), ["Account.Disabled"], _disables
    ),
    CreateKey: Given(
        lambda w: CreateKey(
            name=Text("Ticket shop"),
            scopes=("feed", "events:read"),
            event_ids=(w.fair,),
            secret_hash=b"a hash",
        ),
        ["ApiKey.Created"],
        lambda rows, w: rows.key_secrets.update({b"a hash": ["Ticket shop", False]}),
    ),
    RollKey: Given(
        lambda w: RollKey(key_id=w.key, grace=timedelta(hours=1), secret_hash=b"another hash"),
        ["ApiKey.Rolled"],
        lambda rows, w: rows.key_secrets.update(
            {b"its hash": ["Door", True], b"another hash": ["Door", False]}
        ),
    ),
    RevokeKey: Given(
        lambda w: RevokeKey(key_id=w.key),
        ["ApiKey.Revoked"],
        lambda rows, _: rows.key_secrets.clear(),
    ),
    CreateWebhook: Given(
        lambda _: CreateWebhook(url=ANOTHER_URL, sealed_secret=b"a secret"),
        ["Webhook.Created"],
        _creates_webhook,
    ),
    ChangeWebhook: Given(
        lambda w: ChangeWebhook(webhook_id=w.webhook, url=ANOTHER_URL, enabled=False),
        ["Webhook.Changed", "Webhook.Disabled"],
        lambda rows, w: rows.webhooks[0].update(
            version=3, url="https://example.org/", enabled=False
        ),
    ),
    DisableWebhook: Given(
        lambda w: DisableWebhook(webhook_id=w.webhook, reason="it is gone"),
        ["Webhook.Disabled"],
        lambda rows, w: rows.webhooks[0].update(
            version=2, enabled=False, disabled_because="it is gone"
        ),
    ),
    RollWebhookSecret: Given(
        lambda w: RollWebhookSecret(webhook_id=w.webhook, sealed_secret=b"another"),
        ["Webhook.SecretRolled"],
        lambda rows, w: rows.webhooks[0].update(
            version=2, secret=b"another", former_secret=b"a secret"
        ),
    ),
    DeleteWebhook: Given(
        lambda w: DeleteWebhook(webhook_id=w.webhook),
        ["Webhook.Deleted"],
        lambda rows, w: rows.webhooks.clear(),
    ),
    RecordPersonExport: Given(
        lambda w: RecordPersonExport(visitor_ids=(w.ada,)), ["Disclosure.PersonExported"]
    ),
    RecordDisclosure: Given(
        lambda _: RecordDisclosure(criteria={}, first_position=1, last_position=1, count=1),
        ["Disclosure.PersonalDataRead"],
    ),
}
"""A new command belongs here."""


@pytest.mark.parametrize("command_type", APPLICATION.commands, ids=lambda kind: kind.__name__)
async def test_a_command_given_to_execute_has_all_its_effects(
    database_url: str, keys: InstallationKeys, command_type: type
) -> None:
    given = COMMANDS[command_type]
    async with (
        await connect(database_url) as connection,
        Writer(database_url, Decider(keys, APPLICATION)) as writer,
    ):
        world = await world_of(writer, connection, keys)
        command = given.command(world)
        assert type(command) is command_type
        before, expected = await last_position(connection), await rows_of(connection)
        given.change(expected, world)

        done = await writer.execute(command, ORIGIN)

        recorded = await read_events(connection, after=before, limit=100)
        assert [e.event.topic for e in recorded] == given.topics
        assert done.position == recorded[-1].position
        assert await rows_of(connection) == expected
