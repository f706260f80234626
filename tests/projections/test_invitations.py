"""What a message changes in its recipient's calendar."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from domain.announcements import AnnounceChange
from domain.core.durations import LongDuration
from domain.core.values import Capacity, Text
from domain.departures import CancelVisitor, ConfirmVisitor
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent
from domain.events import TimeAndPlace
from domain.registrations import RegisterVisitor
from projections.messages import Message, messages_by_id
from projections.outbox import OUTBOX
from projections.rebuild.rebuild import rebuild_tables
from tests.support.installation import IN_A_MONTH, Installation, a_registration, an_event

pytestmark = pytest.mark.anyio

LATER = IN_A_MONTH + timedelta(days=1)


async def messages_to(installation: Installation, visitor: UUID) -> list[Message]:
    await installation.project()
    rows = [r for r in await installation.rows("outbox") if r["visitor_id"] == str(visitor)]
    ids = [UUID(row["id"]) for row in sorted(rows, key=lambda row: row["position"])]
    found = await messages_by_id(installation.connection, ids)
    return [found[id] for id in ids]


async def a_life(installation: Installation) -> tuple[UUID, UUID]:
    """An event that changes in all ways, and a visitor who leaves at its end."""
    area = await installation.area("Here")
    ends = IN_A_MONTH + timedelta(hours=8)
    (view,) = await installation.give(
        msgspec.structs.replace(an_event(), ends_at=ends, area_id=area)
    )
    event: UUID = view.event.id
    (visitor,) = await installation.register(event, "ada@example.org")
    await installation.rename(area, "There")
    await installation.give(
        ChangeEvent(event_id=event, event_datetime=LATER, ends_at=None, name=Text("Moved")),
        AnnounceChange(event_id=event, now=TimeAndPlace(LATER, area)),
        CancelEvent(event_id=event),
        ReinstateEvent(event_id=event),
        CancelVisitor(visitor_id=visitor),
    )
    return event, visitor


async def test_each_message_says_what_calendars_are_to_have_from_then_on(
    installation: Installation,
) -> None:
    event, visitor = await a_life(installation)
    messages = await messages_to(installation, visitor)
    assert [(m.kind, m.calendar_method, m.entry.sequence) for m in messages] == [
        ("registered", "REQUEST", 0),
        ("changed", "REQUEST", 1),
        ("event_cancelled", "CANCEL", 2),
        ("event_reinstated", "REQUEST", 3),
        ("cancelled", "CANCEL", 3),
    ]
    first, changed, *_ = [message.entry for message in messages]
    assert {message.entry.id for message in messages} == {event}
    assert (first.begins, first.ends, first.location) == (
        IN_A_MONTH,
        IN_A_MONTH + timedelta(hours=8),
        "Here",
    )
    assert (changed.begins, changed.ends, changed.location) == (LATER, None, "There")
    assert (first.name, changed.name) == ("Fair", "Moved")


async def test_a_message_says_the_same_whenever_it_is_composed(installation: Installation) -> None:
    event, visitor = await a_life(installation)
    before = [message.entry for message in await messages_to(installation, visitor)]
    await installation.give(ChangeEvent(event_id=event, event_datetime=IN_A_MONTH, area_id=None))
    after = [message.entry for message in await messages_to(installation, visitor)]
    await rebuild_tables(installation.database_url, installation.keys, [OUTBOX])
    rebuilt = [message.entry for message in await messages_to(installation, visitor)]
    assert before == after == rebuilt


async def test_who_only_waits_has_nothing_in_the_calendar(installation: Installation) -> None:
    """It would look like a seat."""
    (view,) = await installation.give(
        msgspec.structs.replace(an_event(), capacity=Capacity(1), waiting_list="automatic")
    )
    event = view.event.id
    await installation.register(event, "first@example.org")
    joining: RegisterVisitor = msgspec.structs.replace(
        a_registration(event, "second@example.org"), join_waiting_list=True
    )
    (joined,) = await installation.give(joining)
    await installation.give(
        CancelEvent(event_id=event),
        ReinstateEvent(event_id=event),
        CancelVisitor(visitor_id=joined.id),
    )
    messages = await messages_to(installation, joined.id)
    assert [(message.kind, message.calendar_method) for message in messages] == [
        ("waiting", None),
        ("event_cancelled", None),
        ("event_reinstated", None),
        ("cancelled", None),
    ]


async def test_who_has_not_confirmed_has_nothing_in_the_calendar(
    installation: Installation,
) -> None:
    (view,) = await installation.give(
        msgspec.structs.replace(an_event(), confirm_within=LongDuration("P2D"))
    )
    event = view.event.id
    (confirming, leaving) = await installation.register(event, "a@example.org", "b@example.org")
    await installation.give(
        ChangeEvent(event_id=event, event_datetime=LATER),
        AnnounceChange(event_id=event, now=TimeAndPlace(LATER)),
        CancelEvent(event_id=event),
        ReinstateEvent(event_id=event),
        CancelVisitor(visitor_id=leaving),
        ConfirmVisitor(visitor_id=confirming, episode=1),
    )
    assert {m.calendar_method for m in await messages_to(installation, leaving)} == {None}
    *unconfirmed, confirmed = await messages_to(installation, confirming)
    assert {message.calendar_method for message in unconfirmed} == {None}
    assert (confirmed.kind, confirmed.calendar_method) == ("registered", "REQUEST")
