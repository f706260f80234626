"""Erasing the person of a registration."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain import events, notifications
from domain.core.values import Email, FullName
from domain.departures import EraseVisitor
from domain.notifications import ERASED, Requeued, Sent
from domain.registrations import AddVisitor, RegisterVisitor
from domain.visitors import Cancelled, DuplicateRegistration, Erased, Registered
from tests.domain.scenario import IN_A_MONTH, Scenario, identity

FAIR = UUID(int=1001)
ADA = Email("ada@example.org")
VISITOR = identity.visitor(FAIR, ADA)
REGISTER = RegisterVisitor(event_id=FAIR, full_name=FullName("Ada Lovelace"), email=ADA)
ERASE = EraseVisitor(visitor_id=VISITOR)


def registered() -> tuple[Scenario, UUID]:
    """A world in which Ada has registered, and the id of her notification."""
    fair = events.Created(
        name="Fair", event_datetime=IN_A_MONTH, registration_deadline=IN_A_MONTH, status="open"
    )
    scenario = Scenario().given(FAIR, fair)
    return scenario, _notification(scenario.when(REGISTER))


def _notification(recorded: Any) -> UUID:
    (event,) = recorded
    assert isinstance(event, Registered)
    return event.notification_id


def test_a_waiting_notification_to_an_erased_person_is_abandoned() -> None:
    scenario, notification = registered()
    assert scenario.when(ERASE) == [
        notifications.Failed(reason=ERASED),
        Cancelled(event_id=FAIR, by="erasure"),
        Erased(notification_id=notification),
    ]
    assert scenario.value == "erased before notified"


def test_a_message_that_was_never_to_be_sent_is_not_abandoned() -> None:
    scenario, _ = registered()
    bob = Email("bob@example.org")
    scenario.when(
        AddVisitor(event_id=FAIR, full_name=FullName("Bob Stone"), email=bob, notify=False)
    )
    erased = scenario.when(EraseVisitor(visitor_id=identity.visitor(FAIR, bob)))
    assert [type(event) for event in erased] == [Cancelled, Erased]
    assert scenario.value == "erased"


def test_a_notification_that_was_queued_again_is_abandoned_too() -> None:
    scenario, notification = registered()
    scenario.given(notification, notifications.Failed(reason="HTTP 422"), Requeued())
    assert notifications.Failed(reason=ERASED) in scenario.when(ERASE)


@pytest.mark.parametrize("outcome", [Sent(), notifications.Failed(reason="HTTP 422")])
def test_the_outcome_of_a_notification_is_not_changed(outcome: Any) -> None:
    scenario, notification = registered()
    scenario.given(notification, outcome)
    assert scenario.when(ERASE) == [
        Cancelled(event_id=FAIR, by="erasure"),
        Erased(notification_id=notification),
    ]
    assert scenario.value == "erased"


def test_no_person_is_erased_twice() -> None:
    scenario, _ = registered()
    scenario.when(ERASE)
    assert scenario.when(ERASE) == []
    assert scenario.value == "not registered"


def test_nothing_is_recorded_if_the_person_was_not_registered() -> None:
    assert Scenario().when(ERASE) == []


def test_an_erased_person_may_register_again_and_gets_a_new_notification() -> None:
    scenario, first = registered()
    with pytest.raises(DuplicateRegistration):
        scenario.when(REGISTER)
    scenario.when(ERASE)
    second = _notification(scenario.when(REGISTER))
    assert second != first
    assert Erased(notification_id=second) in scenario.when(ERASE)
