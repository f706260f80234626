"""Messages to all visitors of an event: one each, also after interruptions."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any, get_args
from uuid import UUID

import msgspec
import psycopg
import pytest

from domain.announcements import AnnounceChange, ChangeAnnounced, RemindOf
from domain.core.durations import Duration, LongDuration
from domain.core.values import Capacity, Email, FullName, Reason
from domain.departures import CancelVisitor, ConfirmVisitor
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent
from domain.events import Reminder, TimeAndPlace
from domain.notifications import RecordDelivery
from domain.registrations import AddVisitor
from projections.fan_out import fan_out
from projections.message_texts import Kind
from projections.messages import messages_by_id
from projections.outbox import OUTBOX
from projections.projector import tail
from projections.rebuild.rebuild import rebuild_tables
from tests.support.installation import IN_A_MONTH, Installation, a_registration, an_event

pytestmark = pytest.mark.anyio

DAY_BEFORE = IN_A_MONTH - timedelta(days=1)

LATER = IN_A_MONTH + timedelta(hours=1)


async def an_event_with_everybody(installation: Installation) -> tuple[UUID, dict[str, UUID]]:
    """One who is registered, one who waits, one who left, and their ids."""
    (view,) = await installation.give(
        msgspec.structs.replace(
            an_event(),
            capacity=Capacity(1),
            waiting_list="automatic",
            reminders=(Duration("P1D"),),
        )
    )
    event: UUID = view.event.id
    (left,) = await installation.register(event, "left@example.org")
    await installation.give(CancelVisitor(visitor_id=left, notify=False))
    (seated,) = await installation.register(event, "seated@example.org")
    waiting = await join(installation, event, "waiting@example.org")
    return event, {"left": left, "seated": seated, "waiting": waiting}


async def join(installation: Installation, event: UUID, email: str) -> UUID:
    joining = msgspec.structs.replace(a_registration(event, email), join_waiting_list=True)
    (visitor,) = await installation.give(joining)
    id: UUID = visitor.id
    return id


async def recipients_of(installation: Installation, kind: Kind) -> set[str]:
    """The visitors with a message of this kind, after projecting; each has one."""
    await installation.project()
    found = [r["visitor_id"] for r in await installation.rows("outbox") if r["kind"] == kind]
    assert len(found) == len(set(found))
    return set(found)


def ids(people: dict[str, UUID], *names: str) -> set[str]:
    return {str(people[name]) for name in names}


@pytest.mark.parametrize("batch_size", [1, 2_000])
async def test_visitors_with_a_seat_or_in_line_get_messages_of_cancellation_and_reinstatement(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    monkeypatch.setattr(tail, "BATCH_SIZE", batch_size)
    event, people = await an_event_with_everybody(installation)
    await installation.give(CancelEvent(event_id=event, reason=Reason("A storm is coming.")))
    await installation.give(ReinstateEvent(event_id=event))
    later = await join(installation, event, "later@example.org")
    await installation.give(CancelVisitor(visitor_id=people["seated"], notify=False))

    everybody = ids(people, "seated", "waiting")
    assert await recipients_of(installation, "event_cancelled") == everybody
    assert await recipients_of(installation, "event_reinstated") == everybody
    assert str(later) not in everybody
    text = await text_of_first(installation, "event_cancelled")
    assert "Reason: A storm is coming." in text


async def test_a_reinstatement_says_to_each_visitor_what_is_kept(
    installation: Installation,
) -> None:
    event, people = await an_event_with_everybody(installation)
    last = await join(installation, event, "last@example.org")
    for command in (
        ChangeEvent(
            event_id=event, capacity=Capacity(2), confirm_within=LongDuration.parse("PT1H")
        ),
        CancelEvent(event_id=event),
        ReinstateEvent(event_id=event),
    ):
        await installation.give(command)
    await installation.project()
    rows = {
        UUID(row["id"]): UUID(row["visitor_id"])
        for row in await installation.rows("outbox")
        if row["kind"] == "event_reinstated"
    }
    messages = await messages_by_id(installation.connection, list(rows))
    texts = {visitor: messages[id].text() for id, visitor in rows.items()}
    assert "You need not register again." in texts[people["seated"]]
    assert "Your seat is still reserved for you." in texts[people["waiting"]], "got a free seat"
    assert "You keep your place on the waiting list." in texts[last]


async def text_of_first(installation: Installation, kind: Kind) -> str:
    rows = [UUID(r["id"]) for r in await installation.rows("outbox") if r["kind"] == kind]
    return (await messages_by_id(installation.connection, rows))[rows[0]].text()


async def test_a_second_cancellation_sends_messages_again(installation: Installation) -> None:
    event, people = await an_event_with_everybody(installation)
    for _ in range(2):
        await installation.give(CancelEvent(event_id=event))
        await installation.give(ReinstateEvent(event_id=event))
    await installation.project()
    rows = [r for r in await installation.rows("outbox") if r["kind"] == "event_cancelled"]
    twice = dict.fromkeys(ids(people, "seated", "waiting"), 2)
    assert Counter(row["visitor_id"] for row in rows) == twice


async def test_the_message_of_a_change_gives_the_new_time_and_place(
    installation: Installation,
) -> None:
    event, people = await an_event_with_everybody(installation)
    hall = await installation.area("Great Hall")
    await installation.give(
        ChangeEvent(event_id=event, event_datetime=LATER, area_id=hall),
        AnnounceChange(event_id=event, now=TimeAndPlace(LATER, hall)),
    )
    assert await recipients_of(installation, "changed") == ids(people, "seated", "waiting")
    text = await text_of_first(installation, "changed")
    assert f"{LATER:%H:%M} (UTC)\nGreat Hall" in text


async def test_a_change_is_no_news_to_whose_last_message_gave_the_new_time(
    installation: Installation,
) -> None:
    event, people = await an_event_with_everybody(installation)
    await installation.give(ChangeEvent(event_id=event, event_datetime=LATER, capacity=Capacity(2)))
    people["newcomer"] = await join(installation, event, "newcomer@example.org")
    (quiet,) = await installation.give(
        AddVisitor(
            event_id=event,
            full_name=FullName("Quiet Guest"),
            email=Email("quiet@example.org"),
            over_capacity=True,
            notify=False,
        )
    )
    people["quiet"] = quiet.id
    await installation.give(AnnounceChange(event_id=event, now=TimeAndPlace(LATER)))
    # who waited got the seat after the change, and a message that gives the new time
    uninformed = ids(people, "seated", "quiet")
    assert await recipients_of(installation, "changed") == uninformed

    before = await installation.rows("outbox")
    await rebuild_tables(installation.database_url, installation.keys, [OUTBOX])
    assert await installation.rows("outbox") == before


async def test_who_registered_between_two_changes_gets_the_last_one(
    installation: Installation,
) -> None:
    event, people = await an_event_with_everybody(installation)
    hall = await installation.area("Great Hall")
    await installation.give(ChangeEvent(event_id=event, event_datetime=LATER))
    people["between"] = await join(installation, event, "between@example.org")
    await installation.give(
        ChangeEvent(event_id=event, area_id=hall),
        AnnounceChange(event_id=event, now=TimeAndPlace(LATER, hall)),
    )
    everybody = ids(people, "seated", "waiting", "between")
    assert await recipients_of(installation, "changed") == everybody


async def test_an_announcement_of_an_earlier_release_went_to_everybody(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, people = await an_event_with_everybody(installation)
    await installation.give(ChangeEvent(event_id=event, event_datetime=LATER))
    people["newcomer"] = await join(installation, event, "newcomer@example.org")

    def former(**fields: Any) -> ChangeAnnounced:
        return ChangeAnnounced(**{**fields, "only_if_news": False})

    monkeypatch.setattr("domain.announcements.ChangeAnnounced", former)
    await installation.give(AnnounceChange(event_id=event, now=TimeAndPlace(LATER)))
    monkeypatch.undo()
    everybody = ids(people, "seated", "waiting", "newcomer")
    assert await recipients_of(installation, "changed") == everybody


async def remind(installation: Installation, event: UUID) -> None:
    reminder = Reminder("P1D", IN_A_MONTH)
    await installation.at(DAY_BEFORE).give(RemindOf(event_id=event, reminder=reminder))


async def test_only_visitors_with_a_seat_get_a_reminder(installation: Installation) -> None:
    event, people = await an_event_with_everybody(installation)
    await remind(installation, event)
    await remind(installation, event)
    assert await recipients_of(installation, "reminder") == ids(people, "seated")


@pytest.mark.parametrize("change", ["cancelled", "moved"])
async def test_a_reminder_that_still_waits_is_obsolete_after_a_change(
    installation: Installation, change: str
) -> None:
    event, _ = await an_event_with_everybody(installation)
    await remind(installation, event)
    if change == "cancelled":
        await installation.give(CancelEvent(event_id=event))
    else:
        await installation.give(ChangeEvent(event_id=event, event_datetime=LATER))
    await installation.project()
    (row,) = [r for r in await installation.rows("outbox") if r["kind"] == "reminder"]
    (message,) = (await messages_by_id(installation.connection, [UUID(row["id"])])).values()
    assert message.obsolete == "the event was cancelled or moved"


async def test_a_projector_killed_during_fan_out_adds_each_message_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, people = await an_event_with_everybody(installation)
    await installation.project()
    await installation.give(CancelEvent(event_id=event))

    async def dies(*_: Any) -> int:
        await fan_out(*_)
        raise psycopg.OperationalError("the projector dies")

    with monkeypatch.context() as dying:
        dying.setattr("projections.outbox.fan_out", dies)
        with pytest.raises(psycopg.OperationalError):
            await installation.tail.step()
    assert [r for r in await installation.rows("outbox") if r["kind"] == "event_cancelled"] == []
    assert await recipients_of(installation, "event_cancelled") == ids(people, "seated", "waiting")


async def test_a_rebuild_with_every_kind_in_history_gives_the_same_rows_and_sends_nothing_again(
    installation: Installation,
) -> None:
    event, people = await an_event_with_everybody(installation)
    second = await join(installation, event, "second@example.org")
    await remind(installation, event)
    for command in (
        ChangeEvent(event_id=event, event_datetime=LATER, capacity=Capacity(2)),
        AnnounceChange(event_id=event, now=TimeAndPlace(LATER)),
        CancelEvent(event_id=event),
        ReinstateEvent(event_id=event),
        ChangeEvent(event_id=event, confirm_within=LongDuration("PT1H")),
        CancelVisitor(visitor_id=people["seated"]),
        ConfirmVisitor(visitor_id=second, episode=1),
    ):
        await installation.give(command)
    await installation.project()
    before = await installation.rows("outbox")
    assert {row["kind"] for row in before} == set(get_args(Kind))
    await installation.give(*(RecordDelivery(notification_id=UUID(r["id"])) for r in before))
    await installation.project()
    tables = {table: await installation.rows(table) for table in OUTBOX.tables}
    assert {row["state"] for row in tables["outbox"]} == {"sent"}

    await rebuild_tables(installation.database_url, installation.keys, [OUTBOX])
    assert {table: await installation.rows(table) for table in OUTBOX.tables} == tables
