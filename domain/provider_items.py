"""Items of the provider: an event takes the fields that follow it (`domain.following`)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from domain.areas import Area, AreaName, area_named
from domain.core.aggregate import Expected
from domain.core.errors import NotFound
from domain.core.unit_of_work import Work, check_version
from domain.core.values import StoredText
from domain.details import Status
from domain.event_editing import move_between_areas, settle
from domain.events import Created, Event, TakenFromProvider, existing_event
from domain.following import Field, Said


class SyncEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One valid item: the event as the provider describes it."""

    event_id: UUID
    name: StoredText
    event_datetime: datetime
    registration_deadline: datetime
    area_name: StoredText | None
    status: Status


class FollowProvider(msgspec.Struct, frozen=True, kw_only=True):
    """Makes a field that was changed here follow the provider again."""

    event_id: UUID
    field: Field
    expected_version: Expected = None


class SyncOutcome(msgspec.Struct, frozen=True):
    """The effect of an item."""

    result: Literal["new", "updated", "unchanged"]
    kept: tuple[Field, ...] = ()
    """The fields that are not as the provider says, because they were changed here."""
    is_deleted: bool = False
    """Whether an organizer deleted the event: it stays deleted."""


def sync_event(command: SyncEvent, work: Work) -> SyncOutcome:
    """Takes each field that the provider changed since its last item, except fields that were
    changed here."""
    event = work.get(Event, command.event_id)
    if not event.exists:
        if event.version and not event.may_return(command.event_datetime):
            return SyncOutcome("unchanged", is_deleted=not event.cleaned_up)
        area_id = area_named(command.area_name, work) if command.area_name else None
        created = Created(
            name=command.name,
            event_datetime=command.event_datetime,
            registration_deadline=command.registration_deadline,
            area_id=area_id,
            status=command.status,
            from_provider=True,
            provider_area=command.area_name,
        )
        move_between_areas(work.record(event, created), None, work)
        return SyncOutcome("new")
    before = event.said
    said = _said_by(command, before, work)
    if said == before:
        return SyncOutcome("unchanged", said.kept_in(event.details))
    taken = said.differing_from(before).difference(before.kept_in(event.details))
    if "area" in taken:
        said = _with_its_area(said, work)
    event = work.record(event, TakenFromProvider.of(said))
    settled = settle(event, said.taken_into(event.details, taken), work)
    return SyncOutcome(
        "unchanged" if settled is event else "updated", said.kept_in(settled.details)
    )


def follow_provider(command: FollowProvider, work: Work) -> Event:
    event = existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    if not event.said.is_known:
        raise NotFound("event from the provider", command.event_id)
    said = _with_its_area(event.said, work) if command.field == "area" else event.said
    if said != event.said:
        event = work.record(event, TakenFromProvider.of(said))
    return settle(event, said.taken_into(event.details, [command.field]), work)


def _said_by(command: SyncEvent, before: Said, work: Work) -> Said:
    """The item's values. An unchanged area name refers to the same area as before, even if the area
    was renamed here."""
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
    """The values with an existing area, which is created if needed."""
    if said.area_name is None or (said.area_id and work.get(Area, said.area_id).exists):
        return said
    return msgspec.structs.replace(said, area_id=area_named(StoredText(said.area_name), work))
