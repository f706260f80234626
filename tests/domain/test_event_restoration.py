"""Restoring a removed event: the rules without a database."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from domain import areas, events
from domain.areas import DeleteArea
from domain.core.durations import LongDuration
from domain.core.errors import NotFound
from domain.core.values import Capacity, Email, FullName, Text
from domain.departures import CancelVisitor
from domain.event_editing import ChangeEvent, CleanUpEvent, CreateEvent, DeleteEvent
from domain.event_restoration import RestoreEvent
from domain.events import Event, Restored
from domain.registrations import RegisterVisitor
from domain.visitors import Promoted, Visitor
from tests.domain.fair import FAIR, a_fair
from tests.domain.scenario import IN_A_MONTH, NOW, Scenario

HALL = uuid4()

RESTORE = RestoreEvent(event_id=FAIR)


def fair(scenario: Scenario) -> Event:
    state = scenario.state(FAIR)
    assert isinstance(state, Event)
    return state


def register(scenario: Scenario, name: str) -> Visitor:
    scenario.when(
        RegisterVisitor(
            event_id=FAIR,
            full_name=FullName(name),
            email=Email.parse(f"{name}@example.com"),
            join_waiting_list=True,
        )
    )
    visitor: Visitor = scenario.value
    return visitor


def test_a_deleted_event_comes_back_as_it_was_with_a_later_sequence_for_calendars() -> None:
    scenario = a_fair()
    scenario.when(ChangeEvent(event_id=FAIR, capacity=Capacity(3), timezone="Europe/Berlin"))  # type: ignore[arg-type]
    was = fair(scenario)
    scenario.when(DeleteEvent(event_id=FAIR))
    assert [type(e) for e in scenario.when(RESTORE)] == [Restored]
    now = fair(scenario)
    assert (now.exists, now.details, now.said, now.announced) == (
        True,
        was.details,
        was.said,
        was.announced,
    )
    assert now.sequence == was.sequence + 2, "the removal and the restoration"


def test_restoring_what_exists_changes_nothing_and_what_never_was_is_not_found() -> None:
    scenario = a_fair()
    assert scenario.when(RESTORE) == []
    with pytest.raises(NotFound):
        scenario.when(RestoreEvent(event_id=uuid4()))
    scenario.when(DeleteEvent(event_id=FAIR))
    assert len(scenario.when(RESTORE)) == 1
    assert scenario.when(RESTORE) == []


def test_the_event_counts_in_its_area_again_and_has_none_if_that_was_deleted() -> None:
    scenario = Scenario().given(HALL, areas.Created(name="Hall"))
    scenario.when(
        CreateEvent(
            name=Text("Fair"),
            event_datetime=IN_A_MONTH,
            registration_deadline=IN_A_MONTH,
            area_id=HALL,
        )
    )
    id = scenario.value.event.id
    scenario.when(DeleteEvent(event_id=id))
    restored, added = scenario.when(RestoreEvent(event_id=id))
    assert isinstance(restored, Restored)
    assert (restored.area_id, added) == (HALL, areas.EventAdded(event_id=id))
    scenario.when(DeleteEvent(event_id=id))
    scenario.when(DeleteArea(area_id=HALL))
    (restored,) = scenario.when(RestoreEvent(event_id=id))
    assert isinstance(restored, Restored)
    assert restored.area_id is None


def test_a_seat_that_became_free_in_the_meantime_goes_to_the_first_in_line() -> None:
    scenario = a_fair().given(
        FAIR,
        events.CapacityChanged(capacity=1),
        events.WaitingListChanged(waiting_list="automatic"),
    )
    ada, grace = register(scenario, "ada"), register(scenario, "grace")
    scenario.when(DeleteEvent(event_id=FAIR))
    scenario.when(CancelVisitor(visitor_id=ada.id, notify=False))
    assert [type(e) for e in scenario.when(RESTORE)] == [Restored, Promoted]
    promoted = scenario.state(grace.id)
    assert isinstance(promoted, Visitor)
    assert promoted.status == "registered"


def test_visitors_have_the_whole_time_to_confirm_again() -> None:
    scenario = a_fair()
    scenario.when(ChangeEvent(event_id=FAIR, confirm_within=LongDuration("P2D")))
    scenario.when(DeleteEvent(event_id=FAIR))
    scenario.now = NOW + timedelta(days=1)
    scenario.when(RESTORE)
    assert fair(scenario).lapses_from == NOW + timedelta(days=3)


def test_the_cleanup_leaves_a_past_event_that_somebody_restored() -> None:
    scenario = a_fair()
    late = CleanUpEvent(event_id=FAIR, before=IN_A_MONTH + timedelta(days=1))
    scenario.now = IN_A_MONTH + timedelta(days=8)
    assert scenario.when(late) == [events.CleanedUp()]
    scenario.when(RESTORE)
    assert scenario.when(late) == []
    assert fair(scenario).exists


def test_the_cleanup_removes_an_event_that_was_restored_before_it_took_place() -> None:
    scenario = a_fair()
    scenario.when(DeleteEvent(event_id=FAIR))
    scenario.when(RESTORE)
    late = CleanUpEvent(event_id=FAIR, before=IN_A_MONTH + timedelta(days=1))
    assert scenario.when(late) == [events.CleanedUp()]
