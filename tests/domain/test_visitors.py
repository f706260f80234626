"""Registration: its checks in their order, each of them."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain import events
from domain.errors import NotFound
from domain.values import Email, FullName
from domain.visitors import (
    DeadlinePassed,
    DuplicateRegistration,
    EventClosed,
    Person,
    Registered,
    RegisterVisitor,
)
from tests.domain.scenario import CODE, IN_A_WEEK, Scenario
from tests.domain.test_events import FAIR, a_fair


def register(email: str = "ada@example.com", event_id: UUID = FAIR) -> RegisterVisitor:
    return RegisterVisitor(
        event_id=event_id, full_name=FullName("Ada Lovelace"), email=Email.parse(email)
    )


def test_a_visitor_registers_and_gets_a_code() -> None:
    (registered,) = a_fair().when(register())
    assert isinstance(registered, Registered)
    assert registered.code == CODE
    assert registered.person == Person(full_name="Ada Lovelace", email="ada@example.com")


@pytest.mark.parametrize("again", ["ada@example.com", "ADA@Example.COM", "  ada@example.com "])
def test_an_email_registers_once_whatever_its_case_and_surrounding_space(again: str) -> None:
    scenario = a_fair()
    scenario.when(register())
    with pytest.raises(DuplicateRegistration):
        scenario.when(register(again))


def test_the_same_email_may_register_for_another_event() -> None:
    scenario = a_fair().given(UUID(int=2002), *a_fair().streams[FAIR])
    scenario.when(register())
    scenario.when(register(event_id=UUID(int=2002)))


def test_an_unknown_or_deleted_event_is_not_found() -> None:
    with pytest.raises(NotFound):
        Scenario().when(register())
    with pytest.raises(NotFound):
        a_fair().given(FAIR, events.Deleted()).when(register())


def test_closed_comes_before_deadline_and_deadline_before_duplicate() -> None:
    scenario = a_fair()
    scenario.when(register())
    scenario.now = IN_A_WEEK + timedelta(seconds=1)
    with pytest.raises(DeadlinePassed):
        scenario.when(register())
    scenario.given(FAIR, events.Closed())
    with pytest.raises(EventClosed):
        scenario.when(register())


def test_the_deadline_itself_still_counts() -> None:
    scenario = a_fair()
    scenario.now = IN_A_WEEK
    scenario.when(register())


def test_a_reopened_event_takes_registrations_again() -> None:
    a_fair().given(FAIR, events.Closed(), events.Opened()).when(register())
