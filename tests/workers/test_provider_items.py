"""Reading the provider's items: what is usable, and the words for what is not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.events import SyncEvent
from domain.syncs import SkippedItem
from workers.provider_items import Usable, read_item

ID = "98e28b03-4c3b-5d69-9f74-538d209d4ad7"
ITEM = {
    "id": ID,
    "name": "  Rubyfuza  ",
    "event_datetime": "2030-02-07T11:00:00+02:00",
    "registration_deadline": "2030-02-06T23:59:59Z",
    "status": "OPEN",
    "area": {"name": "Cape Town"},
    "changed_at": "2029-12-04T23:30:00-01:00",
    "url": "https://rubyfuza.example",
}
STARTS = datetime(2030, 2, 7, 9, tzinfo=UTC)


def read(**changes: Any) -> Usable | SkippedItem:
    return read_item(msgspec.Raw(msgspec.json.encode({**ITEM, **changes})), 7)


def usable(**changes: Any) -> Usable:
    item = read(**changes)
    assert isinstance(item, Usable), item
    return item


def test_an_item_says_what_an_event_is() -> None:
    assert usable() == Usable(
        SyncEvent(
            event_id=UUID(ID),
            name="Rubyfuza",  # type: ignore[arg-type]
            event_datetime=STARTS,
            registration_deadline=datetime(2030, 2, 6, 23, 59, 59, tzinfo=UTC),
            area_name="Cape Town",  # type: ignore[arg-type]
            status="open",
        ),
        changed_on=date(2029, 12, 5),
    )


@pytest.mark.parametrize("deadline", [None, "2030-02-07", "2030-02-08T00:00:00Z"])
def test_a_deadline_is_the_events_time_at_the_latest(deadline: str | None) -> None:
    assert usable(registration_deadline=deadline).command.registration_deadline == STARTS


@pytest.mark.parametrize("area", [None, "", " ", {}, {"name": None}, {"name": ""}])
def test_an_event_may_have_no_area(area: object) -> None:
    assert usable(area=area).command.area_name is None


def test_an_area_may_be_just_a_name() -> None:
    assert usable(area="Łódź").command.area_name == "Łódź"


@pytest.mark.parametrize("changed_at", [None, "yesterday", 5, "2029-13-45"])
def test_when_an_item_changed_may_be_anybodys_guess(changed_at: object) -> None:
    assert usable(changed_at=changed_at).changed_on is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": None}, "name is missing"),
        ({"name": 5}, "name must be a text"),
        ({"name": "x" * 256}, "name must have at most 255 characters, has 256"),
        ({"name": "a\u0000b"}, "name must not contain control characters"),
        ({"event_datetime": "soon"}, "event_datetime must be a time"),
        ({"event_datetime": "2030-02-30T00:00:00Z"}, "event_datetime must be a time"),
        ({"event_datetime": "2030-02-07T09:00:00"}, "event_datetime must end in Z"),
        ({"registration_deadline": "later"}, "registration_deadline must be a time"),
        ({"status": "cancelled"}, "status must be open or closed"),
        ({"status": None}, "status is missing"),
        ({"status": ["open"]}, "status must be open or closed"),
        ({"area": ["Rome"]}, "area must be a text"),
        ({"area": {"name": "x" * 256}}, "area must have at most 255 characters"),
    ],
)
def test_an_unusable_item_is_named_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    item = read(**changes)
    assert isinstance(item, SkippedItem)
    assert item.item == ID
    assert reason in item.reason


def test_every_reason_is_given() -> None:
    item = read(name="", status="?")
    assert isinstance(item, SkippedItem)
    assert item.reason == "name must not be empty; status must be open or closed"


@pytest.mark.parametrize("id", [None, 17, "", "\u0000", {"a": 1}, "ada@example.org"])
def test_an_item_without_an_id_is_named_by_its_place(id: object) -> None:
    item = read(id=id)
    assert isinstance(item, SkippedItem)
    assert item.item == "item 7"


def test_a_wrong_id_is_shown_but_not_at_any_length() -> None:
    item = read(id="not-a-uuid\u0000" * 100)
    assert isinstance(item, SkippedItem)
    assert item.item.startswith("not-a-uuidnot-a-uuid")
    assert len(item.item) == 100


@pytest.mark.parametrize("raw", [b"5", b"null", b'"text"', b"[1]", b"\xff"])
def test_what_is_no_object_is_unusable(raw: bytes) -> None:
    assert isinstance(read_item(msgspec.Raw(raw), 7), SkippedItem)
