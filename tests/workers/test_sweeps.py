"""What becomes due by time alone is done by a sweep, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.announcements import ChangeAnnounced, ReminderDue
from domain.application import APPLICATION
from domain.core.durations import Duration, LongDuration
from domain.core.values import Capacity
from domain.departures import CancelVisitor
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent
from domain.history.batch import CommandRequest
from domain.history.decider import Decider
from domain.history.leadership import take_lead
from domain.history.store import connect
from domain.registrations import RegisterVisitor
from domain.visitors import Lapsed, Promoted
from domain.waiting_list import MOST_AT_ONCE
from projections.event_versions import GATHERING_TIME, MAX_CHANGE_AGE
from tests.support.installation import (
    IN_A_MONTH,
    ORIGIN,
    Installation,
    a_registration,
    an_event,
)
from tests.workers.outboxes import history_of
from workers.upkeep.sweeps import Swept, sweep

pytestmark = pytest.mark.anyio

A_WEEK_BEFORE = IN_A_MONTH - timedelta(days=7)

LATER = IN_A_MONTH + timedelta(hours=1)


async def event_with(installation: Installation, **fields: Any) -> UUID:
    (view,) = await installation.give(msgspec.structs.replace(an_event(), **fields))
    id: UUID = view.event.id
    return id


def waiting(event: UUID, count: int) -> list[RegisterVisitor]:
    """So many people join the waiting list."""
    people = [a_registration(event, f"ada{number}@example.org") for number in range(count)]
    return [msgspec.structs.replace(person, join_waiting_list=True) for person in people]


async def swept(installation: Installation, at: datetime) -> Swept:
    await installation.project()
    return await sweep(installation.database_url, installation.keys, at)


async def test_a_visitor_who_does_not_confirm_in_time_loses_the_seat(
    installation: Installation,
) -> None:
    event = await event_with(installation, confirm_within=LongDuration("P1D"))
    await installation.at(A_WEEK_BEFORE).give(a_registration(event, "late@example.org"))
    deadline = A_WEEK_BEFORE + timedelta(days=1)
    assert await swept(installation, deadline - timedelta(seconds=1)) == Swept()
    assert await swept(installation, deadline) == Swept(lapsed=1)
    assert await swept(installation, deadline) == Swept()
    (lapsed,) = await history_of(installation, Lapsed)
    assert lapsed.metadata.actor == "system:scheduler"


async def test_no_registration_of_a_cancelled_event_lapses(installation: Installation) -> None:
    event = await event_with(installation, confirm_within=LongDuration("P1D"))
    await installation.at(A_WEEK_BEFORE).give(a_registration(event, "late@example.org"))
    await installation.give(CancelEvent(event_id=event))
    assert await swept(installation, IN_A_MONTH - timedelta(days=1)) == Swept()


async def test_after_a_reinstatement_visitors_have_the_whole_time_to_confirm_once_more(
    installation: Installation,
) -> None:
    event = await event_with(installation, confirm_within=LongDuration("P1D"))
    await installation.at(A_WEEK_BEFORE).give(a_registration(event, "late@example.org"))
    await installation.give(CancelEvent(event_id=event))
    reinstated = A_WEEK_BEFORE + timedelta(days=2)
    await installation.at(reinstated).give(ReinstateEvent(event_id=event))
    deadline = reinstated + timedelta(days=1)
    assert await swept(installation, deadline - timedelta(seconds=1)) == Swept()
    assert await swept(installation, deadline) == Swept(lapsed=1)


async def test_a_seat_that_is_still_free_is_given_to_a_waiting_visitor(
    installation: Installation,
) -> None:
    event = await event_with(installation, capacity=Capacity(1), waiting_list="automatic")
    (seated,) = await installation.register(event, "seated@example.org")
    joining = msgspec.structs.replace(
        a_registration(event, "waiting@example.org"), join_waiting_list=True
    )
    (waiting,) = await installation.give(joining)
    assert await swept(installation, A_WEEK_BEFORE) == Swept()
    without_policies = msgspec.structs.replace(APPLICATION, policies=[])
    (outcome,) = await Decider(installation.keys, without_policies).execute(
        installation.connection, [CommandRequest(CancelVisitor(visitor_id=seated), ORIGIN)]
    )
    outcome.or_raise()

    assert await swept(installation, A_WEEK_BEFORE) == Swept(promoted=1)
    assert await swept(installation, A_WEEK_BEFORE) == Swept()
    (promoted,) = await history_of(installation, Promoted)
    assert (promoted.originator_id, promoted.metadata.actor) == (waiting.id, "system:promoter")


async def test_a_change_is_announced_five_minutes_after_the_last_edit(
    installation: Installation,
) -> None:
    event = await event_with(installation)
    hall = await installation.area("Great Hall")
    first, last = A_WEEK_BEFORE, A_WEEK_BEFORE + timedelta(minutes=4)
    await installation.at(first).give(ChangeEvent(event_id=event, event_datetime=LATER))
    await installation.at(last).give(ChangeEvent(event_id=event, area_id=hall))
    assert await swept(installation, first + GATHERING_TIME) == Swept()
    assert await swept(installation, last + GATHERING_TIME) == Swept(changes=1)
    assert await swept(installation, last + GATHERING_TIME) == Swept()
    (announced,) = await history_of(installation, ChangeAnnounced)
    assert announced.event == ChangeAnnounced(
        event_datetime=LATER, area_id=hall, area="Great Hall", only_if_news=True
    )


async def test_a_change_that_was_undone_is_not_announced(installation: Installation) -> None:
    event = await event_with(installation)
    for time in (LATER, IN_A_MONTH):
        await installation.at(A_WEEK_BEFORE).give(ChangeEvent(event_id=event, event_datetime=time))
    assert await swept(installation, A_WEEK_BEFORE + GATHERING_TIME) == Swept()


@pytest.mark.parametrize(("late", "expected"), [(0, Swept(changes=1)), (1, Swept())])
async def test_after_an_outage_changes_of_the_last_day_are_announced(
    installation: Installation, late: int, expected: Swept
) -> None:
    event = await event_with(installation)
    await installation.at(A_WEEK_BEFORE).give(ChangeEvent(event_id=event, event_datetime=LATER))
    now = A_WEEK_BEFORE + MAX_CHANGE_AGE + timedelta(seconds=late)
    assert await swept(installation, now) == expected


async def test_reminders_are_given_when_they_are_due(installation: Installation) -> None:
    await event_with(installation, reminders=(Duration("P1D"), Duration("PT2H")))
    day_before = IN_A_MONTH - timedelta(days=1)
    assert await swept(installation, day_before - timedelta(seconds=1)) == Swept()
    assert await swept(installation, day_before) == Swept(reminders=1)
    assert await swept(installation, day_before) == Swept()
    assert await swept(installation, IN_A_MONTH - timedelta(hours=2)) == Swept(reminders=1)
    reminders = [e.event for e in await history_of(installation, ReminderDue)]
    assert [(e.offset, e.event_datetime) for e in reminders if isinstance(e, ReminderDue)] == [
        ("P1D", IN_A_MONTH),
        ("PT2H", IN_A_MONTH),
    ]


async def test_a_reminder_that_is_too_late_does_not_hold_up_the_next(
    installation: Installation,
) -> None:
    await event_with(installation, reminders=(Duration("P1D"), Duration("PT2H")))
    assert await swept(installation, IN_A_MONTH - timedelta(hours=3)) == Swept()
    assert await swept(installation, IN_A_MONTH - timedelta(hours=2)) == Swept(reminders=1)


async def test_one_worker_sweeps_at_a_time(installation: Installation) -> None:
    await event_with(installation, reminders=(Duration("P1D"),))
    day_before = IN_A_MONTH - timedelta(days=1)
    async with await connect(installation.database_url) as other:
        assert await take_lead(other, "sweeps")
        assert await swept(installation, day_before) == Swept()
    assert await swept(installation, day_before) == Swept(reminders=1)


async def test_all_free_seats_are_passed_on_in_one_sweep(installation: Installation) -> None:
    event = await event_with(installation, capacity=Capacity(0), waiting_list="automatic")
    waiting = [
        msgspec.structs.replace(
            a_registration(event, f"ada{n}@example.org"), join_waiting_list=True
        )
        for n in range(250)
    ]
    await installation.at(A_WEEK_BEFORE).give(*waiting)
    change = ChangeEvent(event_id=event, capacity=Capacity(240))
    await installation.at(A_WEEK_BEFORE).give(change)
    assert await swept(installation, A_WEEK_BEFORE) == Swept(promoted=240 - MOST_AT_ONCE)


async def test_stored_answers_are_deleted_when_they_have_expired(
    installation: Installation,
) -> None:
    await installation.connection.execute(
        """
        INSERT INTO idempotency_keys (key, fingerprint, answer, position, expires_at)
        SELECT convert_to(n::text, 'UTF8'), '', '', 0, now() + (n * interval '1 hour')
        FROM generate_series(-2, 1) AS n
        """
    )
    assert await swept(installation, A_WEEK_BEFORE) == Swept(answers=3)
    assert len(await installation.rows("idempotency_keys")) == 1


async def test_a_read_table_of_another_release_stops_only_what_reads_it(
    installation: Installation,
) -> None:
    event = await event_with(installation, capacity=Capacity(0), waiting_list="automatic")
    waiting = [
        msgspec.structs.replace(
            a_registration(event, f"ada{n}@example.org"), join_waiting_list=True
        )
        for n in range(MOST_AT_ONCE + 1)
    ]
    await installation.at(A_WEEK_BEFORE).give(*waiting)
    await installation.at(A_WEEK_BEFORE).give(ChangeEvent(event_id=event, capacity=None))
    await installation.project()
    await installation.connection.execute("DROP TABLE recipients")
    found = await sweep(installation.database_url, installation.keys, A_WEEK_BEFORE)
    assert found == Swept(promoted=1)
