"""The index of the system: which command is handled by what. Handlers load, decide, record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from domain import areas, events, syncs
from domain.accounts import (
    Account,
    ChangePassword,
    DisableAccount,
    GrantRole,
    LastAdmin,
    PasswordChanged,
    RegisterAccount,
    RevokeRole,
)
from domain.areas import Area, AreaName, AreaNameTaken, CreateArea, DeleteArea, RenameArea
from domain.audit.disclosures import Disclosure, PersonalDataRead, RecordDisclosure
from domain.core.commands import Application, CommandType, Handler, Touches
from domain.core.errors import InvalidFields, NotFound
from domain.core.ids import Identity
from domain.core.unit_of_work import Work, check_version
from domain.core.values import Email, Text
from domain.events import (
    ChangeEvent,
    CleanUpEvent,
    CreateEvent,
    DeleteEvent,
    Event,
    EventView,
    FollowProvider,
    SyncEvent,
    SyncOutcome,
)
from domain.following import Details, Said
from domain.notifications import Notification, QueueAgain, RecordDelivery
from domain.people import KnownPeople
from domain.syncs import RecordFailedSync, RecordSync, Sync
from domain.visitors import EraseVisitor, ErasureOutcome, Person, RegisterVisitor, Visitor


def create_area(command: CreateArea, work: Work) -> Area:
    area = Area(id=work.new_id())
    _claim(command.name, area, work)
    return work.record(area, areas.Created(name=command.name))


def rename_area(command: RenameArea, work: Work) -> Area:
    area = _existing_area(command.area_id, work)
    check_version(area, command.expected_version)
    if command.name is None or command.name == area.name:
        return area
    claimed = _claim(command.name, area, work)
    _release(area, work, but=claimed)
    return work.record(area, areas.Renamed(name=command.name))


def delete_area(command: DeleteArea, work: Work) -> None:
    area = _existing_area(command.area_id, work)
    check_version(area, command.expected_version)
    work.record(area, area.delete())
    _release(area, work)


def create_event(command: CreateEvent, work: Work) -> EventView:
    wrong = _unknown_area(command.area_id, work)
    starts, ends = _right_times(
        command.event_datetime, command.registration_deadline, work.now, wrong
    )
    event = Event(id=work.new_id())
    details = Details(
        name=command.name,
        event_datetime=starts,
        registration_deadline=ends,
        area_id=command.area_id,
        status=command.status,
    )
    return _view(_settle(event, details, work), work)


def change_event(command: ChangeEvent, work: Work) -> EventView:
    event = _existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    was = event.details
    changes: dict[str, Any] = {
        field: value
        for field in Details.__struct_fields__
        if (value := getattr(command, field)) is not UNSET
    }
    area_id = changes.get("area_id", was.area_id)
    wrong = _unknown_area(area_id, work) if area_id != was.area_id else {}
    changes["event_datetime"], changes["registration_deadline"] = _right_times(
        changes.get("event_datetime", was.event_datetime),
        changes.get("registration_deadline", was.registration_deadline),
        work.now,
        wrong,
        was,
    )
    details = msgspec.structs.replace(was, **changes)
    return _view(_settle(event, details, work), work)


def delete_event(command: DeleteEvent, work: Work) -> None:
    event = _existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    _remove(event, events.Deleted(), work)


def sync_event(command: SyncEvent, work: Work) -> SyncOutcome:
    """Takes what the provider has changed since it was last taken, field by field, but for what
    was changed here."""
    event = work.get(Event, command.event_id)
    if not event.exists:
        if event.version and not event.may_return(command.event_datetime):
            return SyncOutcome("unchanged")
        area_id = _area_named(command.area_name, work) if command.area_name else None
        created = events.Created(
            name=command.name,
            event_datetime=command.event_datetime,
            registration_deadline=command.registration_deadline,
            area_id=area_id,
            status=command.status,
            from_provider=True,
            provider_area=command.area_name,
        )
        _move(work.record(event, created), None, work)
        return SyncOutcome("new")
    before = event.said
    said = _said_by(command, before, work)
    if said == before:
        return SyncOutcome("unchanged", said.kept_in(event.details))
    taken = said.differing_from(before).difference(before.kept_in(event.details))
    if "area" in taken:
        said = _with_its_area(said, work)
    event = work.record(event, events.TakenFromProvider.of(said))
    settled = _settle(event, said.taken_into(event.details, taken), work)
    return SyncOutcome(
        "unchanged" if settled is event else "updated", said.kept_in(settled.details)
    )


def follow_provider(command: FollowProvider, work: Work) -> EventView:
    event = _existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    if not event.said.is_known:
        raise NotFound("event from the provider", command.event_id)
    said = _with_its_area(event.said, work) if command.field == "area" else event.said
    if said != event.said:
        event = work.record(event, events.TakenFromProvider.of(said))
    return _view(_settle(event, said.taken_into(event.details, [command.field]), work), work)


def clean_up_event(command: CleanUpEvent, work: Work) -> bool:
    event = work.get(Event, command.event_id)
    if not event.exists or event.details.event_datetime >= command.before:
        return False
    _remove(event, events.CleanedUp(), work)
    return True


def register_visitor(command: RegisterVisitor, work: Work) -> UUID:
    event = work.get(Event, command.event_id)
    visitor = _visitor(command.event_id, command.email, work)
    registered = visitor.register(
        event,
        Person(full_name=command.full_name, email=command.email),
        now=work.now,
        code=work.new_code(),
        notification_id=work.new_id(),
    )
    work.record(visitor, registered)
    return visitor.id


def erase_visitor(command: EraseVisitor, work: Work) -> ErasureOutcome:
    visitor = work.get(Visitor, command.visitor_id)
    if visitor.notification_id is None:
        return "nobody"
    if command.notification_id not in {None, visitor.notification_id}:
        return "nobody"
    notification = work.get(Notification, visitor.notification_id)
    abandoned = notification.abandon()
    work.record(notification, *abandoned)
    work.record(visitor, *visitor.erase())
    return "erased before notified" if abandoned else "erased"


def record_delivery(command: RecordDelivery, work: Work) -> None:
    notification = work.get(Notification, command.notification_id)
    work.record(notification, *notification.conclude(command.failure))


def queue_again(command: QueueAgain, work: Work) -> bool:
    notification = work.get(Notification, command.notification_id)
    requeued = notification.queue_again()
    work.record(notification, *requeued)
    return bool(requeued)


def record_sync(command: RecordSync, work: Work) -> None:
    completed = syncs.Completed(**msgspec.structs.asdict(command))
    work.record(Sync(id=work.new_id()), completed)


def record_failed_sync(command: RecordFailedSync, work: Work) -> None:
    failed = syncs.Failed(**msgspec.structs.asdict(command))
    work.record(Sync(id=work.new_id()), failed)


def record_disclosure(command: RecordDisclosure, work: Work) -> None:
    read = PersonalDataRead(**msgspec.structs.asdict(command))
    work.record(Disclosure(id=work.new_id()), read)


def register_account(command: RegisterAccount, work: Work) -> Account:
    accounts = [work.get(Account, id) for id in work.identity.accounts(command.username)]
    account = next((a for a in accounts if a.exists), accounts[-1])
    return work.record(account, *account.register(command))


def grant_role(command: GrantRole, work: Work) -> Account:
    account = _existing_account(command.account_id, work)
    return work.record(account, *account.grant(command.role))


def revoke_role(command: RevokeRole, work: Work) -> Account:
    account = _existing_account(command.account_id, work)
    if command.role == "admin" and not command.force:
        _keep_an_admin(account, command.other_admins, work)
    return work.record(account, *account.revoke(command.role))


def change_password(command: ChangePassword, work: Work) -> Account:
    return work.record(_existing_account(command.account_id, work), PasswordChanged())


def disable_account(command: DisableAccount, work: Work) -> Account:
    account = _existing_account(command.account_id, work)
    _keep_an_admin(account, command.other_admins, work)
    return work.record(account, *account.disable())


HANDLERS: dict[type[Any], Handler] = {
    CreateArea: create_area,
    RenameArea: rename_area,
    DeleteArea: delete_area,
    CreateEvent: create_event,
    ChangeEvent: change_event,
    DeleteEvent: delete_event,
    SyncEvent: sync_event,
    FollowProvider: follow_provider,
    CleanUpEvent: clean_up_event,
    RegisterVisitor: register_visitor,
    EraseVisitor: erase_visitor,
    RecordDelivery: record_delivery,
    QueueAgain: queue_again,
    RecordSync: record_sync,
    RecordFailedSync: record_failed_sync,
    RecordDisclosure: record_disclosure,
    RegisterAccount: register_account,
    GrantRole: grant_role,
    RevokeRole: revoke_role,
    ChangePassword: change_password,
    DisableAccount: disable_account,
}


TOUCHES: dict[type[Any], Callable[[Any, Identity], Touches]] = {
    CreateArea: lambda command, identity: Touches(begun=[identity.area_name(command.name)]),
    RenameArea: lambda command, identity: Touches(
        [command.area_id], [identity.area_name(command.name)] if command.name else []
    ),
    DeleteArea: lambda command, _: Touches([command.area_id]),
    CreateEvent: lambda command, _: Touches([command.area_id] if command.area_id else []),
    ChangeEvent: lambda command, _: Touches([command.event_id]),
    DeleteEvent: lambda command, _: Touches([command.event_id]),
    SyncEvent: lambda command, identity: Touches(
        [
            command.event_id,
            *([identity.area_name(command.area_name)] if command.area_name else []),
        ]
    ),
    FollowProvider: lambda command, _: Touches([command.event_id]),
    CleanUpEvent: lambda command, _: Touches([command.event_id]),
    RegisterVisitor: lambda command, identity: Touches(
        [command.event_id], [identity.visitor(command.event_id, command.email)]
    ),
    EraseVisitor: lambda command, _: Touches([command.visitor_id]),
    RecordDelivery: lambda command, _: Touches(begun=[command.notification_id]),
    QueueAgain: lambda command, _: Touches([command.notification_id]),
    RecordSync: lambda command, _: Touches(),
    RecordFailedSync: lambda command, _: Touches(),
    RecordDisclosure: lambda command, _: Touches(),
    RegisterAccount: lambda command, identity: Touches(begun=[identity.account(command.username)]),
    GrantRole: lambda command, _: Touches([command.account_id]),
    RevokeRole: lambda command, _: Touches([command.account_id, *command.other_admins]),
    ChangePassword: lambda command, _: Touches([command.account_id]),
    DisableAccount: lambda command, _: Touches([command.account_id, *command.other_admins]),
}


APPLICATION = Application(
    commands={
        command: CommandType(handler, TOUCHES[command]) for command, handler in HANDLERS.items()
    },
    people=KnownPeople,
)


def _existing_area(id: UUID, work: Work) -> Area:
    area = work.get(Area, id)
    if not area.exists:
        raise NotFound("area", id)
    return area


def _existing_account(id: UUID, work: Work) -> Account:
    account = work.get(Account, id)
    if not account.exists:
        raise NotFound("account", id)
    return account


def _keep_an_admin(leaving: Account, others: Iterable[UUID], work: Work) -> None:
    """Raises `LastAdmin` if none of the others is an admin. The decision rests on the stream of the
    one who is: of two admins who give up each other at once, the second is refused."""
    if leaving.is_admin and not any(
        other != leaving.id and work.get(Account, other).is_admin for other in others
    ):
        raise LastAdmin


def _existing_event(id: UUID, work: Work) -> Event:
    event = work.get(Event, id)
    if not event.exists:
        raise NotFound("event", id)
    return event


def _unknown_area(id: UUID | None, work: Work) -> dict[str, str]:
    """What is wrong with an area id, by field; empty when it names an area, or is None."""
    if id is not None:
        try:
            _existing_area(id, work)
        except NotFound as error:
            return {"area_id": str(error)}
    return {}


def _right_times(
    starts: datetime,
    deadline: datetime | date,
    now: datetime,
    wrong: dict[str, str],
    was: Details | None = None,
) -> tuple[datetime, datetime]:
    """As `check_times`. Raises `InvalidFields` with what is wrong here or was before."""
    try:
        times = events.check_times(starts, deadline, now, was)
    except InvalidFields as error:
        raise InvalidFields(**wrong, **error.messages) from None
    if wrong:
        raise InvalidFields(**wrong)
    return times


def _area_named(name: Text, work: Work) -> UUID:
    for held in _area_names(name, work):
        if held.holder is not None:
            return held.holder
    return create_area(CreateArea(name=name), work).id


def _area_names(name: Text, work: Work) -> list[AreaName]:
    """All that may hold the name; it is claimed by the last one."""
    return [work.get(AreaName, id) for id in work.identity.area_names(name)]


def _claim(name: Text, area: Area, work: Work) -> UUID:
    """The id of the `AreaName` by which the area has it now. Raises `AreaNameTaken`."""
    *former, current = _area_names(name, work)
    if any(held.holder not in {None, area.id} for held in former):
        raise AreaNameTaken
    if current.holder != area.id:
        work.record(current, current.claim(area.id))
    return current.id


def _release(area: Area, work: Work, *, but: UUID | None = None) -> None:
    for name in _area_names(Text(area.name), work):
        if name.holder == area.id and name.id != but:
            work.record(name, areas.NameReleased())


def _visitor(event_id: UUID, email: Email, work: Work) -> Visitor:
    """This person at the event, or who they will be there."""
    first = work.get(Visitor, work.identity.visitor(event_id, email))
    if not first.version:
        return first
    other_id = work.identity.other_visitor(event_id, email)
    if first.registered and work.person(first) in {other_id, None}:
        return first
    other = work.get(Visitor, other_id)
    return other if first.registered or other.registered else first


def _said_by(command: SyncEvent, before: Said, work: Work) -> Said:
    """The area that was meant before is meant still, whatever it is called here by now."""
    name = command.area_name
    if before.is_known and name == before.area_name:
        area_id = before.area_id
    else:
        area_id = work.get(AreaName, work.identity.area_name(name)).holder if name else None
    return Said(
        name=command.name,
        event_datetime=command.event_datetime,
        registration_deadline=command.registration_deadline,
        area_name=name,
        area_id=area_id,
        status=command.status,
    )


def _with_its_area(said: Said, work: Work) -> Said:
    """The area that is meant exists."""
    if said.area_name is None or (said.area_id and work.get(Area, said.area_id).exists):
        return said
    return msgspec.structs.replace(said, area_id=_area_named(Text(said.area_name), work))


def _settle(event: Event, details: Details, work: Work) -> Event:
    """Bring the event to `details`, creating it if need be, and keep the areas' counts right."""
    was = event.details.area_id if event.exists else None
    if event.exists:
        settled = work.record(event, *event.change_to(details))
    else:
        settled = work.record(event, event.create(details))
    _move(settled, was, work)
    return settled


def _move(event: Event, was: UUID | None, work: Work) -> None:
    """Keep the counts right of the area where the event was and of the one where it is."""
    if event.details.area_id != was:
        _leave_area(event, was, work)
        if event.details.area_id is not None:
            area = work.get(Area, event.details.area_id)
            work.record(area, areas.EventAdded(event_id=event.id))


def _view(event: Event, work: Work) -> EventView:
    area_id = event.details.area_id
    return EventView(event=event, area=work.get(Area, area_id).name if area_id else None)


def _remove(event: Event, removal: events.Deleted | events.CleanedUp, work: Work) -> None:
    work.record(event, removal)
    _leave_area(event, event.details.area_id, work)


def _leave_area(event: Event, area_id: UUID | None, work: Work) -> None:
    if area_id is not None:
        area = work.get(Area, area_id)
        work.record(area, areas.EventRemoved(event_id=event.id))
