"""Areas: the venues of events. Names are unique regardless of case.

Each name has a stream of its own, whose id is derived from the folded name. Two areas that claim a
name at once append to that stream, and optimistic concurrency lets only one of them succeed.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, Expected, stored_as
from domain.core.errors import InvalidFields, NotFound, Refused
from domain.core.unit_of_work import Work, check_version
from domain.core.values import StoredText, Text, wrong_name


class AreaNameTaken(Refused):
    """An area with this name exists already"""


class AreaInUse(Refused):
    """The area has events; move or delete them first"""


class CreateArea(msgspec.Struct, frozen=True, kw_only=True):
    name: Text


class RenameArea(msgspec.Struct, frozen=True, kw_only=True):
    area_id: UUID
    name: StoredText | None = None
    """None: unchanged."""
    expected_version: Expected = None


class DeleteArea(msgspec.Struct, frozen=True, kw_only=True):
    area_id: UUID
    expected_version: Expected = None


class Area(Aggregate, frozen=True, kw_only=True):
    name: str = ""
    event_count: int = 0
    exists: bool = False

    def delete(self) -> Deleted:
        if self.event_count:
            raise AreaInUse
        return Deleted()


class AreaName(Aggregate, frozen=True, kw_only=True):
    """Which area has a name; the id is derived from the name."""

    holder: UUID | None = None

    def claim(self, area_id: UUID) -> NameClaimed:
        if self.holder is not None:
            raise AreaNameTaken
        return NameClaimed(area_id=area_id)


@stored_as("Area.Created", phrase="created the area")
class Created(DomainEvent[Area], frozen=True, kw_only=True):
    name: str

    def apply(self, aggregate: Area) -> Area:
        return msgspec.structs.replace(aggregate, name=self.name, exists=True)


@stored_as("Area.Renamed", phrase="renamed the area")
class Renamed(DomainEvent[Area], frozen=True, kw_only=True):
    name: str

    def apply(self, aggregate: Area) -> Area:
        return msgspec.structs.replace(aggregate, name=self.name)


@stored_as("Area.EventAdded", phrase="added an event")
class EventAdded(DomainEvent[Area], frozen=True, kw_only=True):
    event_id: UUID

    def apply(self, aggregate: Area) -> Area:
        return msgspec.structs.replace(aggregate, event_count=aggregate.event_count + 1)


@stored_as("Area.EventRemoved", phrase="took an event away")
class EventRemoved(DomainEvent[Area], frozen=True, kw_only=True):
    event_id: UUID

    def apply(self, aggregate: Area) -> Area:
        return msgspec.structs.replace(aggregate, event_count=aggregate.event_count - 1)


@stored_as("Area.Deleted", phrase="deleted the area")
class Deleted(DomainEvent[Area], frozen=True, kw_only=True):
    def apply(self, aggregate: Area) -> Area:
        return msgspec.structs.replace(aggregate, exists=False)


@stored_as("AreaName.Claimed", phrase="claimed the name of an area")
class NameClaimed(DomainEvent[AreaName], frozen=True, kw_only=True):
    area_id: UUID

    def apply(self, aggregate: AreaName) -> AreaName:
        return msgspec.structs.replace(aggregate, holder=self.area_id)


@stored_as("AreaName.Released", phrase="released the name of an area")
class NameReleased(DomainEvent[AreaName], frozen=True, kw_only=True):
    def apply(self, aggregate: AreaName) -> AreaName:
        return msgspec.structs.replace(aggregate, holder=None)


def create_area(command: CreateArea, work: Work) -> Area:
    return _create(command.name, work)


def rename_area(command: RenameArea, work: Work) -> Area:
    area = existing_area(command.area_id, work)
    check_version(area, command.expected_version)
    if command.name is None or command.name == area.name:
        return area
    if wrong := wrong_name(command.name, area.name):
        raise InvalidFields(**wrong)
    claimed = _claim(command.name, area, work)
    _release(area, work, but=claimed)
    return work.record(area, Renamed(name=command.name))


def delete_area(command: DeleteArea, work: Work) -> None:
    area = existing_area(command.area_id, work)
    check_version(area, command.expected_version)
    work.record(area, area.delete())
    _release(area, work)


def existing_area(id: UUID, work: Work) -> Area:
    area = work.get(Area, id)
    if not area.exists:
        raise NotFound("area", id)
    return area


def area_named(name: StoredText, work: Work) -> UUID:
    """The id of the area with this name, which is created if there is none."""
    for held in _area_names(name, work):
        if held.holder is not None:
            return held.holder
    return _create(name, work).id


def _create(name: StoredText, work: Work) -> Area:
    area = Area(id=work.new_id())
    _claim(name, area, work)
    return work.record(area, Created(name=name))


def _area_names(name: StoredText, work: Work) -> list[AreaName]:
    """All streams that may hold the name: former ids first; the last one takes new claims."""
    return [work.get(AreaName, id) for id in work.identity.area_names(name)]


def _claim(name: StoredText, area: Area, work: Work) -> UUID:
    """Claim the name for the area; gives the id of its `AreaName`. Raises `AreaNameTaken`."""
    *former, current = _area_names(name, work)
    if any(held.holder not in {None, area.id} for held in former):
        raise AreaNameTaken
    if current.holder != area.id:
        work.record(current, current.claim(area.id))
    return current.id


def _release(area: Area, work: Work, *, but: UUID | None = None) -> None:
    """Release all names of the area except `but`."""
    for name in _area_names(StoredText(area.name), work):
        if name.holder == area.id and name.id != but:
            work.record(name, NameReleased())
