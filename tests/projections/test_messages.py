"""Which message each domain event of a visitor causes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.core.durations import LongDuration
from domain.core.errors import NotFound
from domain.core.values import Capacity, Email, FullName, Reason, Text
from domain.departures import (
    CancelVisitor,
    ConfirmVisitor,
    EraseVisitor,
    LapseVisitor,
    LeaveEvent,
    ResendMessage,
)
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent, DeleteEvent
from domain.registrations import AddVisitor, CorrectVisitor, RegisterVisitor
from projections.messages import LATE, messages_by_id
from tests.support.installation import IN_A_MONTH, Installation, a_registration, an_event

pytestmark = pytest.mark.anyio


async def full_event(installation: Installation, **fields: Any) -> UUID:
    """One seat, which is taken, and a waiting list."""
    event = await event_with(installation, capacity=Capacity(1), waiting_list="automatic", **fields)
    await installation.register(event, "first@example.org")
    return event


async def event_with(installation: Installation, **fields: Any) -> UUID:
    (view,) = await installation.give(msgspec.structs.replace(an_event(), **fields))
    id: UUID = view.event.id
    return id


def joining(event: UUID, email: str) -> RegisterVisitor:
    return msgspec.structs.replace(a_registration(event, email), join_waiting_list=True)


async def kinds(installation: Installation, visitor: UUID) -> list[str]:
    """Of the visitor's messages, in their order."""
    await installation.project()
    rows = [r for r in await installation.rows("outbox") if r["visitor_id"] == str(visitor)]
    return [row["kind"] for row in sorted(rows, key=lambda row: row["position"])]


async def last_text(installation: Installation, visitor: UUID) -> str:
    await installation.project()
    rows = [r for r in await installation.rows("outbox") if r["visitor_id"] == str(visitor)]
    id = UUID(max(rows, key=lambda row: row["position"])["id"])
    return (await messages_by_id(installation.connection, [id]))[id].text()


async def test_a_waiting_visitor_gets_a_message_with_the_place_and_later_one_about_the_seat(
    installation: Installation,
) -> None:
    event = await full_event(installation)
    second, third = await installation.give(
        joining(event, "second@example.org"), joining(event, "third@example.org")
    )
    await installation.project()
    (fourth,) = await installation.give(joining(event, "fourth@example.org"))
    for place, joined in enumerate((second, third, fourth), 1):
        assert f"You are number {place} in line." in await last_text(installation, joined.id)

    for visitor in await registered(event, installation):
        await installation.give(LeaveEvent(visitor_id=visitor, episode=1))
    assert await kinds(installation, second.id) == ["waiting", "promoted"]
    assert "Your confirmation code is" in await last_text(installation, second.id)
    assert await kinds(installation, third.id) == ["waiting"]


async def registered(event: UUID, installation: Installation) -> list[UUID]:
    await installation.project()
    return [
        UUID(row["visitor_id"])
        for row in await installation.rows("recipients")
        if row["event_id"] == str(event) and row["status"] == "registered"
    ]


async def test_an_address_that_must_be_confirmed_gets_two_messages(
    installation: Installation,
) -> None:
    event = await event_with(installation, confirm_within=LongDuration("PT1H"))
    (visitor,) = await installation.register(event, "ada@example.org")
    assert await kinds(installation, visitor) == ["confirm"]
    assert "Please confirm your email address by" in await last_text(installation, visitor)

    await installation.give(ConfirmVisitor(visitor_id=visitor, episode=1))
    assert await kinds(installation, visitor) == ["confirm", "registered"]


async def test_a_cancellation_sends_its_reason_unless_notify_is_false(
    installation: Installation,
) -> None:
    event = await installation.event()
    notified, silent = await installation.register(event, "ada@example.org", "bob@example.org")
    await installation.give(
        CancelVisitor(visitor_id=notified, reason=Reason("You asked for it.")),
        CancelVisitor(visitor_id=silent, notify=False),
    )
    assert await kinds(installation, notified) == ["registered", "cancelled"]
    assert "Reason: You asked for it." in await last_text(installation, notified)
    assert await kinds(installation, silent) == ["registered"]


async def test_a_visitor_added_without_notice_is_a_recipient_without_a_message(
    installation: Installation,
) -> None:
    event = await installation.event()
    (visitor,) = await installation.give(
        AddVisitor(
            event_id=event,
            full_name=FullName("Ada Lovelace"),
            email=Email("ada@example.org"),
            notify=False,
        )
    )
    assert await kinds(installation, visitor.id) == []
    (recipient,) = await installation.rows("recipients")
    assert (recipient["status"], recipient["episode"]) == ("registered", 1)


async def test_a_resent_message_is_that_of_the_present_status(
    installation: Installation,
) -> None:
    event = await full_event(installation, confirm_within=LongDuration("PT1H"))
    (unconfirmed,) = [
        UUID(row["visitor_id"]) for row in await rows_after_projecting(installation, "recipients")
    ]
    (waiting,) = await installation.give(joining(event, "second@example.org"))
    await installation.give(
        ResendMessage(visitor_id=unconfirmed), ResendMessage(visitor_id=waiting.id)
    )
    assert await kinds(installation, unconfirmed) == ["confirm", "confirm"]
    assert await kinds(installation, waiting.id) == ["waiting", "waiting"]
    await installation.give(
        ConfirmVisitor(visitor_id=unconfirmed, episode=1), ResendMessage(visitor_id=unconfirmed)
    )
    assert (await kinds(installation, unconfirmed))[2:] == ["registered", "registered"]


async def rows_after_projecting(installation: Installation, table: str) -> list[dict[str, Any]]:
    await installation.project()
    return await installation.rows(table)


async def test_after_a_correction_only_the_new_address_gets_the_message(
    installation: Installation,
) -> None:
    event = await installation.event()
    (typo,) = await installation.register(event, "ada@exmaple.org")
    (corrected,) = await installation.give(
        CorrectVisitor(
            visitor_id=typo, full_name=FullName("Ada Lovelace"), email=Email("ada@example.org")
        )
    )
    assert await kinds(installation, typo) == ["registered"]
    assert await kinds(installation, corrected.id) == ["registered"]


async def test_a_text_shows_the_event_as_it_was_when_the_message_was_caused(
    installation: Installation,
) -> None:
    event = await installation.event("Old Name")
    (before,) = await installation.register(event, "ada@example.org")
    await installation.give(
        ChangeEvent(event_id=event, name=Text("New Name"), event_datetime=IN_A_MONTH + timedelta(1))
    )
    (after,) = await installation.register(event, "bob@example.org")
    assert "Old Name" in await last_text(installation, before)
    assert "New Name" in await last_text(installation, after)


async def test_a_message_about_a_cancelled_event_says_so(installation: Installation) -> None:
    event = await full_event(installation)
    (first,) = await registered(event, installation)
    (second,) = await installation.give(joining(event, "second@example.org"))
    await installation.give(CancelEvent(event_id=event))
    await installation.give(
        CorrectVisitor(
            visitor_id=first, full_name=FullName("Ada Lovelace"), email=Email("ada@example.org")
        ),
        ResendMessage(visitor_id=second.id),
    )
    (corrected,) = await registered(event, installation)
    for visitor in corrected, second.id:
        assert "This event is cancelled." in await last_text(installation, visitor)

    await installation.give(ReinstateEvent(event_id=event), ResendMessage(visitor_id=corrected))
    assert "cancelled" not in await last_text(installation, corrected)


async def test_there_is_no_message_about_a_removed_event(installation: Installation) -> None:
    event = await installation.event()
    (typo,) = await installation.register(event, "ada@exmaple.org")
    await installation.give(DeleteEvent(event_id=event))
    (corrected,) = await installation.give(
        CorrectVisitor(
            visitor_id=typo, full_name=FullName("Ada Lovelace"), email=Email("ada@example.org")
        )
    )
    assert await kinds(installation, corrected.id) == []
    with pytest.raises(NotFound):
        await installation.give(ResendMessage(visitor_id=corrected.id))


async def test_only_the_message_about_leaving_is_sent_to_a_visitor_who_has_left(
    installation: Installation,
) -> None:
    event = await installation.event()
    (visitor,) = await installation.register(event, "ada@example.org")
    await installation.give(CancelVisitor(visitor_id=visitor))
    await installation.register(event, "ada@example.org")
    await installation.project()
    assert await obsolete(installation, visitor) == ["the recipient has left", None, None]


async def test_a_late_message_is_obsolete_when_a_newer_one_has_replaced_it(
    installation: Installation,
) -> None:
    event = await full_event(installation)
    (first,) = await registered(event, installation)
    (second,) = await installation.give(joining(event, "second@example.org"))
    await installation.give(LeaveEvent(visitor_id=first, episode=1))
    await installation.give(CancelEvent(event_id=event))
    await installation.give(ReinstateEvent(event_id=event))
    assert await kinds(installation, second.id) == [
        "waiting",
        "promoted",
        "event_cancelled",
        "event_reinstated",
    ]
    assert await obsolete(installation, second.id) == [None] * 4

    await installation.connection.execute("UPDATE outbox SET created_at = created_at - %s", [LATE])
    replaced = "a newer message has replaced it"
    assert await obsolete(installation, second.id) == [replaced, None, replaced, None]

    await installation.connection.execute(
        "UPDATE outbox SET state = 'failed' WHERE kind = 'event_reinstated'"
    )
    assert await obsolete(installation, second.id) == [replaced, None, None, None]


async def obsolete(installation: Installation, visitor: UUID) -> list[str | None]:
    """Why the visitor's messages must not be sent, in their order."""
    rows = [r for r in await installation.rows("outbox") if r["visitor_id"] == str(visitor)]
    ids = [UUID(row["id"]) for row in sorted(rows, key=lambda row: row["position"])]
    messages = await messages_by_id(installation.connection, ids)
    return [messages[id].obsolete for id in ids]


@pytest.mark.parametrize("way", ["lapsed", "erased"])
async def test_lapsed_and_erased_visitors_are_not_recipients(
    installation: Installation, way: str
) -> None:
    event = await event_with(installation, confirm_within=LongDuration("PT1M"))
    (visitor,) = await installation.register(event, "ada@example.org")
    if way == "lapsed":
        await installation.at(IN_A_MONTH - timedelta(1)).give(LapseVisitor(visitor_id=visitor))
    else:
        await installation.give(EraseVisitor(visitor_id=visitor))
    (row,) = await rows_after_projecting(installation, "recipients")
    assert row["status"] == way
