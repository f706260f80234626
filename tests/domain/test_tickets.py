"""Tickets: their text, and issuing a new one."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import NotFound
from domain.core.ids import new_id
from domain.core.values import Email, FullName
from domain.departures import CancelVisitor
from domain.event_editing import DeleteEvent
from domain.links import manage_token, read_manage_token
from domain.privacy.keys import InstallationKeys
from domain.registrations import RegisterVisitor
from domain.tickets import (
    TICKET_LENGTH,
    ReissueTicket,
    Ticket,
    TicketReissued,
    read_ticket,
    ticket_hash,
    ticket_of,
)
from domain.visitors import NotRegistered, Visitor
from tests.domain.fair import FAIR, a_fair
from tests.domain.scenario import Scenario

KEYS = InstallationKeys.generate()
COUNTS = st.integers(0, 2**24)

ASK = RegisterVisitor(event_id=FAIR, full_name=FullName("Ada"), email=Email("ada@example.com"))


def read(ticket: str) -> Ticket:
    found = read_ticket(KEYS, ticket)
    assert found is not None
    return found


def of(visitor: Visitor) -> Ticket:
    return read(ticket_of(KEYS, FAIR, visitor.id, visitor.episode, visitor.ticket_issue))


@given(st.uuids(), st.uuids(), COUNTS, COUNTS)
def test_a_ticket_names_the_visitor_and_the_counts(
    event_id: UUID, visitor_id: UUID, episode: int, issue: int
) -> None:
    ticket = ticket_of(KEYS, event_id, visitor_id, episode, issue)
    found = read(ticket)
    assert found.visitor_id == visitor_id
    assert found.may_be_of(event_id)
    assert found.is_current(Visitor(id=visitor_id, episode=episode, ticket_issue=issue))
    assert len(ticket) == TICKET_LENGTH
    assert ticket.isalnum()
    assert ticket == ticket.upper()


def test_case_and_space_around_a_ticket_do_not_matter() -> None:
    ticket = ticket_of(KEYS, FAIR, new_id(), 1, 0)
    assert read(f" {ticket.lower()}\r\n") == read(ticket)
    assert ticket_hash(f" {ticket.lower()}\r\n") == ticket_hash(ticket)
    assert len(ticket_hash(ticket)) == 32


def test_a_ticket_tells_other_events() -> None:
    ticket = read(ticket_of(KEYS, FAIR, new_id(), 1, 0))
    assert not any(ticket.may_be_of(UUID(int=number)) for number in range(100))


def test_a_ticket_is_no_link_and_a_link_is_no_ticket() -> None:
    id = new_id()
    assert read_manage_token(KEYS, ticket_of(KEYS, FAIR, id, 1, 0)) is None
    assert read_ticket(KEYS, manage_token(KEYS, id, 1)) is None


def test_a_ticket_of_another_installation_is_not_read() -> None:
    assert read_ticket(InstallationKeys.generate(), ticket_of(KEYS, FAIR, new_id(), 1, 0)) is None


@pytest.mark.parametrize("at", range(TICKET_LENGTH))
def test_a_changed_character_makes_a_ticket_false(at: int) -> None:
    ticket = ticket_of(KEYS, FAIR, uuid4(), 7, 1)
    other = "A" if ticket[at] != "A" else "B"
    assert read_ticket(KEYS, ticket[:at] + other + ticket[at + 1 :]) is None


@given(st.text(max_size=100) | st.text(min_size=TICKET_LENGTH, max_size=TICKET_LENGTH))
def test_other_text_is_no_ticket(text: str) -> None:
    assert read_ticket(KEYS, text) is None


def a_registered_visitor() -> tuple[Scenario, Visitor]:
    scenario = a_fair()
    scenario.when(ASK)
    return scenario, scenario.value


def test_a_new_ticket_replaces_the_former_one() -> None:
    scenario, ada = a_registered_visitor()
    (reissued,) = scenario.when(ReissueTicket(visitor_id=ada.id))
    assert isinstance(reissued, TicketReissued)
    now = scenario.value
    assert not of(ada).is_current(now)
    assert of(now).is_current(now)


def test_a_ticket_ends_with_its_episode() -> None:
    scenario, ada = a_registered_visitor()
    scenario.when(ReissueTicket(visitor_id=ada.id))
    former = of(scenario.value)
    scenario.when(CancelVisitor(visitor_id=ada.id))
    with pytest.raises(NotRegistered):
        scenario.when(ReissueTicket(visitor_id=ada.id))
    scenario.when(ASK)
    assert scenario.value.ticket_issue == 0
    assert not former.is_current(scenario.value)
    assert not of(ada).is_current(scenario.value)


def test_an_event_that_was_deleted_has_no_new_tickets() -> None:
    scenario, ada = a_registered_visitor()
    scenario.when(DeleteEvent(event_id=FAIR))
    with pytest.raises(NotFound):
        scenario.when(ReissueTicket(visitor_id=ada.id))
