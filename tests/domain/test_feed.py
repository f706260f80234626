"""The feed: which domain events are items, and what these say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from psycopg import AsyncConnection

from domain.areas import NameClaimed
from domain.core.aggregate import EVENT_TYPES, DomainEvent, Metadata, RecordedEvent, is_foreign
from domain.core.values import Capacity, Email, FullName, Reason, StoredText
from domain.departures import CancelVisitor, EraseVisitor
from domain.event_editing import ChangeEvent, CleanUpEvent, DeleteEvent
from domain.event_restoration import RestoreEvent
from domain.feed import stretches
from domain.feed.item import ITEM_TYPES, FeedItem
from domain.feed.positions import NotInHistory
from domain.feed.reading import FeedStopped, read_feed
from domain.feed.sources import NO_ITEMS, SOURCES
from domain.history.codec import encode
from domain.history.store import skip_positions
from domain.notifications import ERASED, RecordDelivery
from domain.registrations import CorrectVisitor
from events_face.commands.recovery import POSITION_GAP
from tests.support.installation import HOUR, MORNING, Installation

pytestmark = pytest.mark.anyio


async def everything(installation: Installation, **how: Any) -> list[FeedItem]:
    """Read in pages of two, until the end."""
    items, position = [], 0
    while True:
        page = await read_feed(
            installation.connection, installation.keys, after=position, limit=2, **how
        )
        items += page.items
        if page.position == position:
            return items
        assert page.position > position
        position = page.position


def said(item: FeedItem) -> tuple[str, dict[str, Any]]:
    return item.type, msgspec.to_builtins(item.data)


def test_every_domain_event_is_an_item_or_known_to_be_none() -> None:
    known = {kind for topic, kind in EVENT_TYPES.items() if not is_foreign(topic)}
    missing = sorted(kind.topic for kind in known - SOURCES.keys() - NO_ITEMS)
    assert not missing, f"add these to SOURCES or NO_ITEMS in domain/feed/sources.py: {missing}"
    assert not SOURCES.keys() & NO_ITEMS


def test_every_type_of_item_has_a_source() -> None:
    assert {data.type for data in SOURCES.values()} == ITEM_TYPES.keys()


async def test_items_say_what_happened_as_it_was_then(morning: Installation) -> None:
    hall = await morning.area("Great Hall")
    fair = await morning.event("Fair", area_id=hall)
    at = {"event_datetime": "2030-05-31T09:00:00Z", "registration_deadline": "2030-05-31T09:00:00Z"}
    await morning.give(ChangeEvent(event_id=fair, name=StoredText("Feast"), capacity=Capacity(2)))
    await morning.rename(hall, "Annex")
    await morning.give(ChangeEvent(event_id=fair, area_id=None))
    await morning.give(ChangeEvent(event_id=fair, area_id=hall, status="closed"))
    await morning.at(MORNING + HOUR).give(DeleteEvent(event_id=fair))
    items = await everything(morning)
    created = {"name": "Fair", **at, "area_id": str(hall), "area_name": "Great Hall"}
    assert [said(item) for item in items] == [
        ("event.created", {**created, "status": "open", "from_provider": False}),
        ("event.changed", {"name": "Feast"}),
        ("event.changed", {"capacity": 2}),
        ("event.changed", {"area_id": None, "area_name": None}),
        ("event.changed", {"area_id": str(hall), "area_name": "Annex"}),
        ("event.closed", {}),
        ("event.deleted", {"by": "organizer"}),
    ]
    assert {(item.event_id, item.visitor_id, item.version) for item in items} == {(fair, None, 1)}
    assert [item.occurred_at - MORNING for item in items] == [timedelta()] * 6 + [HOUR]
    assert items[0].position < items[-1].position


async def test_a_restored_event_is_created_again_with_all_its_fields(
    morning: Installation,
) -> None:
    hall = await morning.area("Great Hall")
    fair = await morning.event("Fair", area_id=hall)
    await morning.give(ChangeEvent(event_id=fair, capacity=Capacity(2)))
    await morning.give(DeleteEvent(event_id=fair))
    await morning.give(RestoreEvent(event_id=fair))
    created, *_, restored = await everything(morning)
    assert (restored.type, restored.event_id) == ("event.created", fair)
    assert said(restored)[1] == {**said(created)[1], "restored": True}


async def test_visitors_items_name_the_event_and_people_only_on_demand(
    morning: Installation,
) -> None:
    fair = await morning.event()
    (ada, ben) = await morning.register(fair, "ada@example.com", "ben@example.com")
    await morning.give(
        CorrectVisitor(visitor_id=ben, full_name=FullName("Ben"), email=Email("ben@example.com")),
        CancelVisitor(visitor_id=ben, reason=Reason("Asked to")),
    )
    ada_says = {"full_name": "Ada Lovelace", "email": "ada@example.com", "answers": {}}
    items = (await everything(morning, personal=True))[1:]
    assert [item.visitor_id for item in items] == [ada, ben, ben, ben]
    assert {item.event_id for item in items} == {fair}
    registered = {"status": "registered", "confirm_by": None, "moved_from": None}
    assert said(items[0]) == ("visitor.registered", {**registered, **ada_says})
    assert said(items[2]) == (
        "visitor.changed",
        {"full_name": "Ben", "email": "ben@example.com", "answers": {}},
    )
    assert said(items[3]) == (
        "visitor.cancelled",
        {"by": "organizer", "reason": "Asked to", "moved_to": None},
    )
    nobody = {"full_name": None, "email": None, "answers": None}
    silent = (await everything(morning))[1:]
    assert said(silent[0]) == ("visitor.registered", {**registered, **nobody})
    assert said(silent[2]) == ("visitor.changed", nobody)


async def test_an_erased_visitors_items_stay_without_the_person(morning: Installation) -> None:
    fair = await morning.event()
    (ada,) = await morning.register(fair, "ada@example.com")
    await morning.give(EraseVisitor(visitor_id=ada))
    _, registered, cancelled, erased = await everything(morning, personal=True)
    assert said(registered)[1]["email"] is None
    assert said(cancelled)[1]["by"] == "erasure"
    assert said(erased) == ("visitor.erased", {})
    assert (erased.visitor_id, erased.event_id) == (ada, fair)


async def test_a_damaged_key_hides_only_whom_it_belongs_to(
    morning: Installation, connection: AsyncConnection[Any]
) -> None:
    emails = ["ada@example.com", "ben@example.com", "cleo@example.com"]
    _, ben, _ = await morning.register(await morning.event(), *emails)
    await connection.execute(
        "UPDATE personal_keys SET wrapped = overlay(wrapped PLACING 'xx' FROM 20)"
        " WHERE originator_id = %s",
        [ben],
    )
    page = await read_feed(connection, morning.keys, after=0, limit=9, personal=True)
    assert [said(item)[1]["email"] for item in page.items[1:]] == [emails[0], None, emails[2]]


async def test_a_message_that_must_not_be_sent_any_more_did_not_fail(
    morning: Installation,
) -> None:
    fair = await morning.event()
    (ada,) = await morning.register(fair, "ada@example.com")
    await morning.give(
        RecordDelivery(notification_id=uuid4(), failure="HTTP 400", visitor_id=ada),
        RecordDelivery(notification_id=uuid4(), failure=ERASED),
        RecordDelivery(notification_id=uuid4()),
    )
    *_, registered, failed = await everything(morning)
    assert registered.type == "visitor.registered"
    assert said(failed) == ("notification.failed", {"reason": "HTTP 400"})
    assert (failed.visitor_id, failed.event_id) == (ada, fair)


@pytest.mark.parametrize("read_ahead", [1, 3, 100])
async def test_a_filtered_feed_has_just_the_items_that_match(
    morning: Installation, monkeypatch: pytest.MonkeyPatch, read_ahead: int
) -> None:
    monkeypatch.setattr(stretches, "AT_ONCE", read_ahead)
    fair, gala = await morning.event("Fair"), await morning.event("Fête")
    for number in range(3):
        await morning.register(fair, f"ada{number}@example.com")
        await morning.register(gala, f"ben{number}@example.com")
    await morning.give(CleanUpEvent(event_id=fair, before=MORNING + 1000 * 24 * HOUR))
    of_fair = [item for item in await everything(morning) if item.event_id == fair]
    assert len(of_fair) == 5
    assert await everything(morning, of_events=[fair]) == of_fair
    assert await everything(morning, of_events=[fair], types=["event.deleted"]) == of_fair[-1:]
    assert await everything(morning, types=["event.created", "event.deleted"]) == [
        item for item in await everything(morning) if item.type.startswith("event.")
    ]
    assert await everything(morning, of_events=[]) == []


async def test_a_page_without_items_says_how_far_it_looked(morning: Installation) -> None:
    await morning.area()
    page = await read_feed(morning.connection, morning.keys, after=0, limit=1)
    assert (page.items, page.position) == ([], (await morning.history())[-1].position)


async def test_the_feed_stops_before_an_event_of_a_newer_release(
    morning: Installation, connection: AsyncConnection[Any]
) -> None:
    await morning.event()
    for topic in ("Event.Danced", "other.application:Event"):
        await connection.execute(
            "INSERT INTO history_events (originator_id, originator_version, topic, state)"
            " VALUES (%s, 1, %s, %s)",
            [uuid4(), topic, state_of(NameClaimed(area_id=uuid4()))],
        )
    page = await read_feed(connection, morning.keys, after=0, limit=100)
    assert [item.type for item in page.items] == ["event.created"]
    with pytest.raises(FeedStopped) as stopped:
        await read_feed(connection, morning.keys, after=page.position, limit=100)
    at = stopped.value.members["position"]
    last = (await read_feed(connection, morning.keys, after=at, limit=100)).position
    assert (page.position, last) == (at - 1, at + 1)


def state_of(event: DomainEvent[Any]) -> bytes:
    metadata = Metadata(timestamp=MORNING, actor="", correlation_id="")
    recorded = RecordedEvent(
        originator_id=UUID(int=1), originator_version=1, event=event, metadata=metadata
    )
    return encode(recorded)


async def test_a_position_that_a_restored_backup_lost_is_refused(
    morning: Installation, connection: AsyncConnection[Any]
) -> None:
    await morning.event()
    (end,) = [item.position for item in await everything(morning)]
    for lost in (end + 1, end + 100):
        with pytest.raises(NotInHistory) as refused:
            await read_feed(connection, morning.keys, after=lost, limit=1)
        assert refused.value.members == {"position": end}
    await skip_positions(connection, POSITION_GAP)
    await morning.event()
    with pytest.raises(NotInHistory):
        await read_feed(connection, morning.keys, after=end + 100, limit=1)
    assert len((await read_feed(connection, morning.keys, after=end, limit=9)).items) == 1


async def test_a_position_that_a_refused_append_left_out_is_one_to_go_on_after(
    morning: Installation, connection: AsyncConnection[Any]
) -> None:
    await skip_positions(connection, 100)
    await morning.event()
    assert len((await read_feed(connection, morning.keys, after=50, limit=9)).items) == 1
