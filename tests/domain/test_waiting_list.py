"""Seats, the waiting list, leaving and coming back: the rules without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from domain import events, visitors
from domain.core.durations import LongDuration
from domain.core.values import Capacity, Email, FullName
from domain.departures import (
    CancelVisitor,
    ConfirmVisitor,
    EraseVisitor,
    LapseVisitor,
    LeaveEvent,
    ResendMessage,
)
from domain.details import WaitingList
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent
from domain.registrations import AddVisitor, AddVisitors, CorrectVisitor, NewPerson, RegisterVisitor
from domain.visitors import (
    AlreadyWaiting,
    CancellationClosed,
    DuplicateRegistration,
    EventCancelled,
    EventFull,
    LinkExpired,
    NotRegistered,
    NotWaiting,
    Registered,
    Visitor,
    Waitlisted,
)
from domain.waiting_list import PromoteVisitor, PromoteWaiting
from tests.domain.fair import FAIR, a_fair
from tests.domain.scenario import IN_A_MONTH, Scenario


def a_small_fair(capacity: int | None = 1, waiting_list: WaitingList = "automatic") -> Scenario:
    return a_fair().given(
        FAIR,
        events.CapacityChanged(capacity=capacity),
        events.WaitingListChanged(waiting_list=waiting_list),
    )


def ask(name: str, *, wait: bool = True) -> RegisterVisitor:
    return RegisterVisitor(
        event_id=FAIR,
        full_name=FullName(name.title()),
        email=Email.parse(f"{name}@example.com"),
        join_waiting_list=wait,
    )


def register(scenario: Scenario, *names: str) -> Sequence[Visitor]:
    """Each, as they are afterwards."""
    found = list[Visitor]()
    for name in names:
        scenario.when(ask(name))
        found.append(scenario.value)
    return found


def register_at_once(scenario: Scenario, name: str) -> Visitor:
    scenario.when(ask(name, wait=False))
    registered: Visitor = scenario.value
    return registered


def now(scenario: Scenario, visitor: Visitor) -> str:
    state = scenario.state(visitor.id)
    assert isinstance(state, Visitor)
    return state.status


def kinds(happened: Sequence[Any]) -> list[str]:
    return [type(event).__name__ for event in happened]


def test_the_last_seat_is_given_once() -> None:
    scenario = a_small_fair()
    ada, grace = register(scenario, "ada", "grace")
    assert (ada.status, grace.status) == ("registered", "waiting")


def test_a_visitor_joins_the_waiting_list_only_on_request() -> None:
    scenario = a_small_fair()
    register(scenario, "ada")
    with pytest.raises(EventFull) as refused:
        scenario.when(ask("grace", wait=False))
    assert refused.value.members == {"waiting_list": True}


def test_without_a_waiting_list_a_full_event_is_full() -> None:
    scenario = a_small_fair(waiting_list="off")
    register(scenario, "ada")
    with pytest.raises(EventFull) as refused:
        scenario.when(ask("grace"))
    assert refused.value.members == {"waiting_list": False}


def test_no_person_registers_or_waits_twice() -> None:
    scenario = a_small_fair()
    register(scenario, "ada", "grace")
    with pytest.raises(DuplicateRegistration):
        scenario.when(ask("ada"))
    with pytest.raises(AlreadyWaiting):
        scenario.when(ask("grace"))


def test_the_seat_of_a_visitor_who_leaves_goes_to_the_first_in_line() -> None:
    scenario = a_small_fair()
    ada, grace, _joan = register(scenario, "ada", "grace", "joan")
    happened = scenario.when(LeaveEvent(visitor_id=ada.id, episode=1))
    assert kinds(happened) == ["Cancelled", "Promoted"]
    assert now(scenario, grace) == "registered"
    assert scenario.seats(FAIR).waiting == 1


@pytest.mark.parametrize(
    "command",
    [
        lambda visitor: CancelVisitor(visitor_id=visitor.id),
        lambda visitor: EraseVisitor(visitor_id=visitor.id),
    ],
    ids=["cancelled by an organizer", "erased"],
)
def test_everything_that_frees_a_seat_passes_it_on(command: Any) -> None:
    scenario = a_small_fair()
    ada, grace = register(scenario, "ada", "grace")
    scenario.when(command(ada))
    assert now(scenario, grace) == "registered"


@pytest.mark.parametrize(
    "change", [{"capacity": Capacity(3)}, {"capacity": None}], ids=["more seats", "no limit"]
)
def test_a_greater_capacity_promotes_at_once(change: dict[str, Any]) -> None:
    scenario = a_small_fair()
    _, grace, joan = register(scenario, "ada", "grace", "joan")
    scenario.when(ChangeEvent(event_id=FAIR, **change))
    assert [now(scenario, grace), now(scenario, joan)] == ["registered", "registered"]


def test_a_newcomer_never_overtakes() -> None:
    scenario = a_small_fair(waiting_list="manual")
    ada, grace = register(scenario, "ada", "grace")
    scenario.when(CancelVisitor(visitor_id=ada.id))
    (joan,) = register(scenario, "joan")
    assert [now(scenario, grace), joan.status] == ["waiting", "waiting"]


def test_a_newcomer_does_not_overtake_when_the_capacity_is_removed() -> None:
    scenario = a_small_fair(waiting_list="manual")
    _, grace = register(scenario, "ada", "grace")
    scenario.when(ChangeEvent(event_id=FAIR, capacity=None))
    with pytest.raises(EventFull):
        register_at_once(scenario, "joan")
    scenario.when(PromoteVisitor(visitor_id=grace.id))
    assert register_at_once(scenario, "joan").status == "registered"


def test_an_organizer_promotes_any_visitor_of_a_manual_list() -> None:
    scenario = a_small_fair(waiting_list="manual")
    ada, grace, joan = register(scenario, "ada", "grace", "joan")
    with pytest.raises(EventFull):
        scenario.when(PromoteVisitor(visitor_id=joan.id))
    scenario.when(CancelVisitor(visitor_id=ada.id))
    scenario.when(PromoteVisitor(visitor_id=joan.id))
    assert [now(scenario, grace), now(scenario, joan)] == ["waiting", "registered"]
    scenario.when(PromoteVisitor(visitor_id=grace.id, over_capacity=True))
    assert scenario.seats(FAIR).taken == 2
    with pytest.raises(NotWaiting):
        scenario.when(PromoteVisitor(visitor_id=grace.id))


def test_a_lower_capacity_removes_no_visitor_and_passes_no_seat_on() -> None:
    scenario = a_small_fair(2)
    ada, grace, joan = register(scenario, "ada", "grace", "joan")
    scenario.when(ChangeEvent(event_id=FAIR, capacity=Capacity(1)))
    scenario.when(CancelVisitor(visitor_id=ada.id))
    assert now(scenario, joan) == "waiting"
    scenario.when(CancelVisitor(visitor_id=grace.id))
    assert now(scenario, joan) == "registered"


def test_a_closed_event_promotes_no_visitor_until_it_opens() -> None:
    scenario = a_small_fair()
    ada, grace = register(scenario, "ada", "grace")
    scenario.when(ChangeEvent(event_id=FAIR, status="closed"))
    scenario.when(CancelVisitor(visitor_id=ada.id))
    assert now(scenario, grace) == "waiting"
    scenario.when(ChangeEvent(event_id=FAIR, status="open"))
    assert now(scenario, grace) == "registered"


def test_a_cancelled_event_refuses_registrations_until_it_is_reinstated() -> None:
    scenario = a_small_fair()
    ada, grace = register(scenario, "ada", "grace")
    scenario.when(CancelEvent(event_id=FAIR))
    with pytest.raises(EventCancelled):
        scenario.when(ask("joan"))
    scenario.when(CancelVisitor(visitor_id=ada.id))
    assert now(scenario, grace) == "waiting"
    assert kinds(scenario.when(CancelEvent(event_id=FAIR))) == []
    assert kinds(scenario.when(ReinstateEvent(event_id=FAIR))) == ["Reinstated", "Promoted"]


def test_an_event_that_has_begun_promotes_no_visitor() -> None:
    scenario = a_small_fair()
    ada, grace = register(scenario, "ada", "grace")
    scenario.now = IN_A_MONTH
    scenario.when(CancelVisitor(visitor_id=ada.id))
    assert now(scenario, grace) == "waiting"


def test_many_free_seats_are_given_in_several_transactions() -> None:
    scenario = a_small_fair(0)
    register(scenario, *(f"ada{number}" for number in range(130)))
    scenario.when(ChangeEvent(event_id=FAIR, capacity=Capacity(120)))
    assert scenario.seats(FAIR).taken == 100
    scenario.when(PromoteWaiting(event_id=FAIR))
    assert (scenario.value, scenario.seats(FAIR).taken) == (20, 120)


def test_a_visitor_who_comes_back_is_at_the_end_of_the_line() -> None:
    scenario = a_small_fair()
    ada, grace, joan = register(scenario, "ada", "grace", "joan")
    scenario.when(LeaveEvent(visitor_id=grace.id, episode=1))
    (again,) = register(scenario, "grace")
    assert (again.id, again.episode, again.status) == (grace.id, 2, "waiting")
    assert scenario.seats(FAIR).line == (joan.id, grace.id)
    with pytest.raises(LinkExpired):
        scenario.when(LeaveEvent(visitor_id=grace.id, episode=1))
    assert ada.status == "registered"


def test_visitors_cancel_until_the_time_the_organizer_set() -> None:
    scenario = a_small_fair().given(
        FAIR, events.CancelUntilChanged(cancel_until=IN_A_MONTH - timedelta(days=1))
    )
    (ada,) = register(scenario, "ada")
    scenario.now = IN_A_MONTH - timedelta(hours=23)
    with pytest.raises(CancellationClosed):
        scenario.when(LeaveEvent(visitor_id=ada.id, episode=1))
    scenario.when(CancelVisitor(visitor_id=ada.id))  # an organizer may


def test_cancelling_again_changes_nothing() -> None:
    scenario = a_small_fair()
    (ada,) = register(scenario, "ada")
    scenario.when(CancelVisitor(visitor_id=ada.id))
    assert kinds(scenario.when(CancelVisitor(visitor_id=ada.id))) == []


def test_a_visitor_who_does_not_confirm_in_time_loses_the_seat() -> None:
    scenario = a_small_fair().given(
        FAIR, events.ConfirmWithinChanged(confirm_within=LongDuration("PT1H"))
    )
    ada, grace = register(scenario, "ada", "grace")
    assert ada.status == "unconfirmed"
    scenario.when(LapseVisitor(visitor_id=ada.id))
    assert now(scenario, ada) == "unconfirmed"
    scenario.now += timedelta(hours=1)
    assert kinds(scenario.when(LapseVisitor(visitor_id=ada.id))) == ["Lapsed", "Promoted"]
    assert now(scenario, grace) == "unconfirmed"
    scenario.when(ConfirmVisitor(visitor_id=grace.id, episode=1))
    scenario.now += timedelta(hours=2)
    assert kinds(scenario.when(LapseVisitor(visitor_id=grace.id))) == []
    assert now(scenario, grace) == "registered"


def test_a_visitor_who_confirmed_while_waiting_need_not_confirm_again() -> None:
    scenario = a_small_fair().given(
        FAIR, events.ConfirmWithinChanged(confirm_within=LongDuration("PT1H"))
    )
    ada, grace = register(scenario, "ada", "grace")
    scenario.when(ConfirmVisitor(visitor_id=grace.id, episode=1))
    assert now(scenario, grace) == "waiting"
    scenario.when(CancelVisitor(visitor_id=ada.id))
    assert now(scenario, grace) == "registered"


def test_a_corrected_email_keeps_the_seat() -> None:
    scenario = a_small_fair()
    ada, grace = register(scenario, "adda", "grace")
    correct = CorrectVisitor(
        visitor_id=ada.id, full_name=FullName("Ada"), email=Email.parse("ada@example.com")
    )
    assert kinds(scenario.when(correct)) == ["Registered", "Cancelled"]
    moved = scenario.value
    assert (moved.status, now(scenario, ada)) == ("registered", "cancelled")
    assert moved.id != ada.id
    assert now(scenario, grace) == "waiting"


def test_a_corrected_email_keeps_the_place_in_line() -> None:
    scenario = a_small_fair()
    _, grace, joan = register(scenario, "ada", "grase", "joan")
    scenario.when(
        CorrectVisitor(
            visitor_id=grace.id, full_name=FullName("Grace"), email=Email.parse("grace@example.com")
        )
    )
    assert scenario.seats(FAIR).line == (scenario.value.id, joan.id)


def test_a_corrected_name_keeps_everything_else() -> None:
    scenario = a_small_fair()
    (ada,) = register(scenario, "ada")
    (corrected,) = scenario.when(
        CorrectVisitor(
            visitor_id=ada.id, full_name=FullName("Ada King"), email=Email.parse("ada@example.com")
        )
    )
    assert isinstance(corrected, visitors.Corrected)
    assert corrected.person == visitors.Person(full_name="Ada King", email="ada@example.com")


def test_a_resent_message_has_a_new_id() -> None:
    scenario = a_small_fair()
    ada, grace = register(scenario, "ada", "grace")
    for visitor in (ada, grace):
        (resent,) = scenario.when(ResendMessage(visitor_id=visitor.id))
        assert isinstance(resent, visitors.MessageResent)
        assert resent.notification_id != visitor.notification_id
    scenario.when(CancelVisitor(visitor_id=ada.id))
    with pytest.raises(NotRegistered):
        scenario.when(ResendMessage(visitor_id=ada.id))


def test_people_who_are_added_together_get_seats_and_places_in_their_order() -> None:
    names = ["ada", "grace", "ada", "joan"]
    people = [NewPerson(FullName(name), Email(f"{name}@example.com")) for name in names]
    added = a_small_fair().when(AddVisitors(event_id=FAIR, people=people, join_waiting_list=True))
    people_of = [
        (type(event), event.person and event.person.full_name)
        for event in added
        if isinstance(event, Registered | Waitlisted)
    ]
    assert people_of == [(Registered, "ada"), (Waitlisted, "grace"), (Waitlisted, "joan")]


def test_an_organizer_can_add_a_visitor_at_any_time_and_over_the_capacity() -> None:
    scenario = a_small_fair().given(FAIR, events.Closed())
    scenario.now = IN_A_MONTH - timedelta(days=1)
    add = AddVisitor(event_id=FAIR, full_name=FullName("Ada"), email=Email("ada@example.com"))
    scenario.when(add)
    other = AddVisitor(event_id=FAIR, full_name=FullName("Grace"), email=Email("grace@example.com"))
    with pytest.raises(EventFull):
        scenario.when(other)
    scenario.when(
        AddVisitor(
            event_id=FAIR,
            full_name=FullName("Grace"),
            email=Email("grace@example.com"),
            over_capacity=True,
        )
    )
    assert scenario.seats(FAIR).taken == 2
