"""Changes are announced once, reminders are given in time: the rules without a database."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain import areas, events
from domain.announcements import AnnounceChange, ChangeAnnounced, ReminderDue, RemindOf
from domain.core.aggregate import DomainEvent
from domain.event_cancellation import Cancelled
from domain.events import Event, Reminder, TimeAndPlace
from tests.domain.fair import FAIR, a_fair
from tests.domain.scenario import IN_A_MONTH, IN_A_WEEK, NOW, Scenario

HALL = UUID(int=3000)

LATER = IN_A_MONTH + timedelta(hours=2)

MOVED = TimeAndPlace(LATER, HALL)

DAY_BEFORE = Reminder("P1D", IN_A_MONTH)


def rescheduled() -> events.Rescheduled:
    return events.Rescheduled(event_datetime=LATER, registration_deadline=IN_A_WEEK)


def a_moved_fair() -> Scenario:
    return (
        a_fair()
        .given(HALL, areas.Created(name="Great Hall"))
        .given(FAIR, rescheduled(), events.Relocated(area_id=HALL))
    )


def announce(now: TimeAndPlace = MOVED) -> AnnounceChange:
    return AnnounceChange(event_id=FAIR, now=now)


def test_a_new_time_and_place_are_announced_once() -> None:
    fair = a_moved_fair()
    assert fair.when(announce()) == [
        ChangeAnnounced(event_datetime=LATER, area_id=HALL, area="Great Hall", only_if_news=True)
    ]
    assert fair.when(announce()) == []
    assert fair.value is False


def test_an_unchanged_event_is_not_announced() -> None:
    original = TimeAndPlace(IN_A_MONTH)
    fair = a_moved_fair().given(
        FAIR,
        events.Rescheduled(event_datetime=IN_A_MONTH, registration_deadline=IN_A_WEEK),
        events.Relocated(area_id=None),
    )
    assert fair.when(announce(original)) == []


def test_an_outdated_change_is_not_announced() -> None:
    assert a_moved_fair().when(announce(TimeAndPlace(LATER))) == []


@pytest.mark.parametrize("event", [Cancelled(at=NOW), events.Deleted(), events.CleanedUp()])
def test_changes_of_cancelled_and_removed_events_are_not_announced(
    event: DomainEvent[Event],
) -> None:
    assert a_moved_fair().given(FAIR, event).when(announce()) == []


def test_a_change_is_not_announced_after_the_event_has_begun() -> None:
    fair = a_moved_fair()
    fair.now = LATER
    assert fair.when(announce()) == []


def a_fair_with_reminders(days_before: float) -> Scenario:
    """The time is so many days before it."""
    fair = a_fair().given(FAIR, events.RemindersChanged(reminders=("P1D", "PT2H")))
    fair.now = IN_A_MONTH - timedelta(days=days_before)
    return fair


def remind(reminder: Reminder = DAY_BEFORE) -> RemindOf:
    return RemindOf(event_id=FAIR, reminder=reminder)


@pytest.mark.parametrize("days_before", [1, 0.75, 0.5])
def test_a_reminder_is_given_once(days_before: float) -> None:
    fair = a_fair_with_reminders(days_before)
    assert fair.when(remind()) == [ReminderDue(offset="P1D", event_datetime=IN_A_MONTH)]
    assert fair.when(remind()) == []


@pytest.mark.parametrize("days_before", [1.01, 0.49, 0, -1])
def test_a_reminder_is_given_neither_early_nor_when_half_of_its_time_is_over(
    days_before: float,
) -> None:
    assert a_fair_with_reminders(days_before).when(remind()) == []


def test_of_reminders_that_are_due_at_once_only_the_last_is_given() -> None:
    fair = a_fair().given(FAIR, events.RemindersChanged(reminders=("PT2H", "PT90M", "PT1H")))
    fair.now = IN_A_MONTH - timedelta(minutes=85)
    assert fair.when(remind(Reminder("PT2H", IN_A_MONTH))) == []
    assert fair.when(remind(Reminder("PT90M", IN_A_MONTH)))
    assert fair.when(remind(Reminder("PT2H", IN_A_MONTH))) == []
    fair.now = IN_A_MONTH - timedelta(minutes=60)
    assert fair.when(remind(Reminder("PT1H", IN_A_MONTH)))


def test_a_closed_event_has_reminders() -> None:
    assert a_fair_with_reminders(1).given(FAIR, events.Closed()).when(remind())


@pytest.mark.parametrize(
    "event",
    [
        Cancelled(at=NOW),
        events.Deleted(),
        rescheduled(),
        events.RemindersChanged(reminders=("PT2H",)),
    ],
    ids=lambda event: type(event).__name__,
)
def test_a_reminder_that_does_not_apply_any_more_is_not_given(
    event: DomainEvent[Event],
) -> None:
    assert a_fair_with_reminders(1).given(FAIR, event).when(remind()) == []


def test_a_moved_event_is_reminded_of_again() -> None:
    fair = a_fair_with_reminders(1)
    fair.when(remind())
    fair.given(FAIR, rescheduled())
    fair.now += timedelta(hours=2)
    assert fair.when(remind(Reminder("P1D", LATER))) == [
        ReminderDue(offset="P1D", event_datetime=LATER)
    ]
