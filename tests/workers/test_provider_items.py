"""Reading the provider's items: usable ones, and the reasons for skipping the others."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from domain.core.values import StoredText
from domain.provider_items import SyncEvent
from domain.syncs import SkippedItem
from workers.provider.items import MAX_ITEM_SIZE, UsableItem, pack, read_item, unpack

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
BERLIN = ZoneInfo("Europe/Berlin")
STARTS = datetime(2030, 2, 7, 9, tzinfo=UTC)


def of(raw: bytes) -> UsableItem | SkippedItem:
    return read_item(msgspec.Raw(raw), 7)


def read(**changes: Any) -> UsableItem | SkippedItem:
    return of(json.dumps({**ITEM, **changes}).encode())


def usable(**changes: Any) -> UsableItem:
    item = read(**changes)
    assert isinstance(item, UsableItem), item
    return item


def test_an_item_has_the_fields_of_an_event() -> None:
    assert usable() == UsableItem(
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
def test_an_unusable_time_of_change_is_ignored(changed_at: object) -> None:
    assert usable(changed_at=changed_at).changed_on is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": None}, "name is missing"),
        ({"name": 5}, "name must be a text"),
        ({"name": "x" * 256}, "name must have at most 255 characters, has 256"),
        ({"name": "a\u0000b"}, "name must not contain control characters"),
        ({"name": "a\ud83d"}, "name must not contain control characters"),
        ({"event_datetime": "soon"}, "event_datetime must be a time"),
        ({"event_datetime": "2030-02-30T00:00:00Z"}, "event_datetime is not a date"),
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


def test_a_wrong_id_is_shown_shortened() -> None:
    item = read(id="not-a-uuid\u0000" * 100)
    assert isinstance(item, SkippedItem)
    assert item.item.startswith("not-a-uuidnot-a-uuid")
    assert len(item.item) == 100


@pytest.mark.parametrize("raw", [b"5", b"null", b'"text"', b"[1]", b"\xff"])
def test_an_item_that_is_not_an_object_is_unusable(raw: bytes) -> None:
    assert isinstance(read_item(msgspec.Raw(raw), 7), SkippedItem)


@pytest.mark.parametrize("value", [b'"\\ud83d"', b'"\xff"', b"[" * 900 + b"]" * 900, b"1e999"])
def test_the_content_of_unused_members_does_not_matter(value: bytes) -> None:
    item = msgspec.json.encode(ITEM)
    assert isinstance(of(item[:-1] + b', "more": ' + value + b"}"), UsableItem)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"name": "\xff"}', "is not a JSON object"),
        (b'{"name": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "is nested too deeply"),
        (b'{"more": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "is nested too deeply"),
        (b'{"name": "' + b"x" * MAX_ITEM_SIZE + b'"}', "is larger than 1 MiB"),
    ],
)
def test_no_item_is_so_bad_that_it_cannot_be_skipped(raw: bytes, reason: str) -> None:
    item = of(raw)
    assert isinstance(item, SkippedItem)
    assert item.reason == reason


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2030-02-07T09:00:00", "2030-02-07T08:00:00Z"),
        ("2030-07-07 09:00:00.5", "2030-07-07T07:00:00.5Z"),
        ("2030-02-07T09:00:00Z", "2030-02-07T09:00:00Z"),
        ("2030-02-07T09:00:00+05:00", "2030-02-07T04:00:00Z"),
        ("2030-02-07", "2030-02-07T00:00:00Z"),
        ("2030-03-31T02:30:00", "2030-03-31T01:30:00Z"),  # in the hour that is left out
        ("2030-10-27T02:30:00", "2030-10-27T00:30:00Z"),  # in the hour that comes twice
    ],
)
def test_a_time_without_an_offset_is_in_the_providers_time_zone(local: str, utc: str) -> None:
    item = read_item(msgspec.Raw(msgspec.json.encode({**ITEM, "event_datetime": local})), 1, BERLIN)
    assert isinstance(item, UsableItem)
    assert item.command.event_datetime == msgspec.convert(utc, datetime)


@pytest.mark.parametrize("zone", [BERLIN, UTC])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
def test_a_time_at_the_end_of_the_calendar_is_used_or_skipped(time: str, zone: tzinfo) -> None:
    read_item(msgspec.Raw(msgspec.json.encode({**ITEM, "event_datetime": time})), 1, zone)


def test_an_item_that_is_packed_reads_as_it_was() -> None:
    command = usable().command
    again = unpack(pack(command))
    assert again == command
    assert type(again.name) is type(again.area_name) is StoredText


@pytest.mark.parametrize("id", ["Ada Lovelace", "+49 30 1234", "Ærø", "a b"])
def test_text_that_may_be_a_name_is_not_shown_as_an_id(id: str) -> None:
    item = read(id=id)
    assert isinstance(item, SkippedItem)
    assert item.item == "item 7"
