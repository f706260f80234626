"""An event that was stored by an earlier version of its class reads as the present one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.areas import Area
from domain.core.aggregate import DomainEvent, Metadata, RecordedEvent, stored_as
from domain.history.codec import decode, encode, open_personal

ID = UUID("6f8a4a5e-0000-4000-8000-000000000001")
AT = datetime(2030, 5, 1, 9, tzinfo=UTC)
KEY = b"a key that only tests would use "


class PaintedAtFirst(DomainEvent[Area], frozen=True, kw_only=True):
    """Version 1: one colour, by name, and when in seconds."""

    colour: str
    at: float
    painter: str | None = None


class PaintedLater(DomainEvent[Area], frozen=True, kw_only=True):
    """Version 2: several colours."""

    colours: tuple[str, ...]
    at: float
    painter: str | None = None


class Painted(DomainEvent[Area], frozen=True, kw_only=True):
    """Version 3: a time, and a new field."""

    colours: tuple[str, ...]
    at: datetime
    coats: int
    painter: str | None = None

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (_to_several_colours, _to_a_time)


def _to_several_colours(data: dict[str, Any]) -> dict[str, Any]:
    return {"colours": [data.pop("colour")], **data}


def _to_a_time(data: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(data["at"], UTC).isoformat()
    return data | {"at": at, "coats": 1}


VERSIONS = {
    1: PaintedAtFirst(colour="red", at=AT.timestamp(), painter="Ada"),
    2: PaintedLater(colours=("red",), at=AT.timestamp(), painter="Ada"),
    3: Painted(colours=("red",), at=AT, coats=1, painter="Ada"),
}


def stored_by(version: int) -> bytes:
    """The event as the release with that version of the class stored it."""
    event = VERSIONS[version]
    type(event).topic = "Area.Painted"
    type(event).schema_version = type(event).written_as = version
    type(event).personal_field = "painter"
    metadata = Metadata(timestamp=AT, actor="anonymous", correlation_id="c-1")
    recorded = RecordedEvent(originator_id=ID, originator_version=2, event=event, metadata=metadata)
    return encode(recorded, KEY)


@pytest.mark.usefixtures("invented_events")
@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_is_upcast_to_the_present_one(version: int) -> None:
    state = stored_by(version)
    stored_as("Area.Painted", phrase="painted the area", version=3, personal="painter")(Painted)
    read = open_personal(decode(ID, 2, "Area.Painted", state), KEY)
    assert read.event == VERSIONS[3]
    assert msgspec.json.decode(state).get("schema_version", 1) == version


class PaintedBySomebody(PaintedLater, frozen=True, kw_only=True):
    """Version 3 of another story: a field that may be left alone."""

    by: str | None = None

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (_to_several_colours, lambda data: data)


@pytest.mark.usefixtures("invented_events")
def test_a_release_can_read_a_version_before_it_writes_it() -> None:
    stored_as(
        "Area.Painted", phrase="painted the area", version=3, written_as=2, personal="painter"
    )(PaintedBySomebody)
    event = PaintedBySomebody(colours=("red",), at=AT.timestamp(), painter="Ada")
    metadata = Metadata(timestamp=AT, actor="anonymous", correlation_id="c-1")
    recorded = RecordedEvent(originator_id=ID, originator_version=2, event=event, metadata=metadata)
    state = encode(recorded, KEY)
    assert open_personal(decode(ID, 2, "Area.Painted", state), KEY).event == event
    older, here = msgspec.json.decode(state), msgspec.json.decode(stored_by(2))
    assert (older["data"], older["schema_version"]) == (here["data"], 2)
