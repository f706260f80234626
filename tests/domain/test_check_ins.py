"""Checking in, repeating it, taking it back: the rules without a database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import entries
from domain.check_ins import (
    AlreadyCheckedIn,
    CheckIn,
    CheckInWasUndone,
    Gate,
    Nonce,
    NoSuchCheckIn,
    RecordScans,
    Scanned,
    TicketInvalid,
    TicketOfAnotherEvent,
    TicketRevoked,
    UndoCheckIn,
)
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Email, FullName
from domain.departures import CancelVisitor, EraseVisitor
from domain.entries import MAX_ENTRIES
from domain.event_cancellation import CancelEvent
from domain.event_editing import DeleteEvent
from domain.events import Created
from domain.privacy.keys import InstallationKeys
from domain.registrations import CorrectVisitor, RegisterVisitor
from domain.tickets import ReissueTicket, Ticket, read_ticket, ticket_of
from domain.visitors import EventCancelled, NotRegistered, Visitor
from tests.domain.fair import FAIR, a_fair
from tests.domain.scenario import IN_A_MONTH, IN_A_WEEK, NOW, Scenario

KEYS = InstallationKeys.generate()
OTHER_FAIR = UUID("3b9f0d3e-0000-4000-8000-000000000000")


def ask(name: str) -> RegisterVisitor:
    email = Email.parse(f"{name}@example.com")
    return RegisterVisitor(event_id=FAIR, full_name=FullName(name.title()), email=email)


def ticket_for(visitor: Visitor) -> Ticket:
    text = ticket_of(KEYS, FAIR, visitor.id, visitor.episode, visitor.ticket_issue)
    ticket = read_ticket(KEYS, text)
    assert ticket is not None
    return ticket


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def scan(visitor: Visitor, nonce: str = "nonce-01", **more: Any) -> Scanned:
    return Scanned(nonce=Nonce(nonce), visitor_id=visitor.id, ticket=ticket_for(visitor), **more)


def by_name(visitor: Visitor, nonce: str = "nonce-01") -> Scanned:
    return Scanned(nonce=Nonce(nonce), visitor_id=visitor.id)


class Door(msgspec.Struct):
    """A fair with one registered visitor."""

    scenario: Scenario
    ada: Visitor

    def enter(self, scanned: Scanned, event_id: UUID = FAIR) -> Any:
        self.scenario.when(CheckIn(event_id=event_id, scanned=scanned))
        return self.scenario.value

    def upload(self, *scanned: Scanned) -> Any:
        self.events = self.scenario.when(RecordScans(event_id=FAIR, scanned=scanned))
        return self.scenario.value

    def undo(self, nonce: str = "nonce-01") -> Any:
        return self.scenario.when(UndoCheckIn(event_id=FAIR, nonce=Nonce(nonce)))

    def now(self, visitor: Visitor | None = None) -> Visitor:
        found = self.scenario.state((visitor or self.ada).id)
        assert isinstance(found, Visitor)
        return found

    events: Any = ()


def a_door() -> Door:
    scenario = a_fair()
    scenario.when(ask("ada"))
    return Door(scenario, scenario.value)


def test_a_visitor_is_checked_in_once() -> None:
    door = a_door()
    entered = door.enter(scan(door.ada, gate=Gate("North")))
    assert (entered.visitor_id, entered.checked_in_at, entered.gate) == (door.ada.id, NOW, "North")
    assert entered.is_new
    assert door.now().checked_in_at == NOW
    with pytest.raises(AlreadyCheckedIn) as refused:
        door.enter(scan(door.ada, "nonce-02"))
    assert refused.value.members == {"checked_in_at": NOW, "gate": "North"}


def test_the_same_nonce_gets_the_same_answer() -> None:
    door = a_door()
    first = door.enter(scan(door.ada, gate=Gate("North")))
    door.scenario.now += timedelta(minutes=1)
    again = door.enter(scan(door.ada, gate=Gate("South")))
    assert not again.is_new
    assert again == msgspec.structs.replace(first, is_new=False)
    assert len(door.now().entries) == 1


def test_the_nonce_of_another_visitor_is_refused() -> None:
    door = a_door()
    door.scenario.when(ask("grace"))
    grace = door.scenario.value
    door.enter(scan(door.ada))
    with pytest.raises(InvalidFields):
        door.enter(scan(grace))
    with pytest.raises(InvalidFields) as wrong:
        door.upload(scan(grace, "nonce-02"), scan(grace))
    assert list(wrong.value.messages) == ["entries.1.nonce"]
    assert door.now(grace).checked_in_at is None


def test_a_scanner_ahead_of_time_enters_nobody_in_the_future() -> None:
    door = a_door()
    door.enter(scan(door.ada, at=NOW + timedelta(hours=1)))
    (entry,) = door.now().entries
    assert (entry.at, entry.received_at) == (NOW, NOW)


def test_who_was_found_by_name_is_checked_in() -> None:
    door = a_door()
    assert door.enter(by_name(door.ada)).visitor_id == door.ada.id


def test_who_is_not_registered_is_refused() -> None:
    door = a_door()
    door.scenario.when(CancelVisitor(visitor_id=door.ada.id))
    for scanned in (scan(door.ada), by_name(door.ada)):
        with pytest.raises(NotRegistered):
            door.enter(scanned)


def test_a_replaced_ticket_is_revoked() -> None:
    door = a_door()
    door.scenario.when(ReissueTicket(visitor_id=door.ada.id))
    with pytest.raises(TicketRevoked):
        door.enter(scan(door.ada))
    assert door.enter(scan(door.now())).is_new


def test_the_ticket_of_an_earlier_episode_is_revoked() -> None:
    door = a_door()
    door.enter(scan(door.ada))
    door.scenario.when(CancelVisitor(visitor_id=door.ada.id))
    door.scenario.when(ask("ada"))
    assert door.now().checked_in_at is None
    with pytest.raises(TicketRevoked):
        door.enter(scan(door.ada, "nonce-02"))
    assert door.enter(scan(door.now(), "nonce-03")).is_new


def test_the_door_of_a_cancelled_event_is_closed() -> None:
    door = a_door()
    first = scan(door.ada)
    door.enter(first)
    door.scenario.when(ask("grace"))
    grace = door.scenario.value
    door.scenario.when(CancelEvent(event_id=FAIR))
    with pytest.raises(EventCancelled):
        door.enter(scan(grace, "nonce-02"))
    assert not door.enter(first).is_new  # it was done before
    assert door.upload(scan(grace, "nonce-02")) == ["entered"]


def test_a_ticket_of_another_event_says_so() -> None:
    door = a_door()
    created = Created(
        name="Other", event_datetime=IN_A_MONTH, registration_deadline=IN_A_WEEK, status="open"
    )
    door.scenario.given(OTHER_FAIR, created)
    with pytest.raises(TicketOfAnotherEvent):
        door.enter(scan(door.ada), OTHER_FAIR)
    looks_right = msgspec.structs.replace(ticket_for(door.ada), event_mark=OTHER_FAIR.bytes[-2:])
    scanned = msgspec.structs.replace(scan(door.ada), ticket=looks_right)
    with pytest.raises(TicketOfAnotherEvent):
        door.enter(scanned, OTHER_FAIR)
    with pytest.raises(NotFound):
        door.enter(by_name(door.ada), OTHER_FAIR)


def test_what_is_no_ticket_is_refused_or_unknown() -> None:
    door = a_door()
    forged = Scanned(nonce=Nonce("nonce-01"), visitor_id=None)
    with pytest.raises(TicketInvalid):
        door.enter(forged)
    nobody = Scanned(nonce=Nonce("nonce-02"), visitor_id=UUID(int=7))
    no_visitor = Scanned(nonce=Nonce("nonce-03"), visitor_id=FAIR)
    assert door.upload(forged, nobody, no_visitor) == ["unknown_ticket"] * 3
    assert door.events == []


def test_the_earliest_offline_scan_is_the_first_entry() -> None:
    door = a_door()
    assert door.upload(scan(door.ada, "late-one", at=minutes_ago(5), gate=Gate("North"))) == [
        "entered"
    ]
    assert door.upload(scan(door.ada, "early-one", at=minutes_ago(9), gate=Gate("South"))) == [
        "entered_again"
    ]
    ada = door.now()
    assert ada.checked_in_at == minutes_ago(9)
    assert [entry.gate for entry in ada.entries] == ["South", "North"]
    assert {entry.received_at for entry in ada.entries} == {NOW}
    assert all(entry.offline for entry in ada.entries)


def test_the_scans_of_one_batch_are_recorded_in_the_order_of_their_times() -> None:
    door = a_door()
    assert door.upload(
        scan(door.ada, "late-one", at=minutes_ago(5)),
        scan(door.ada, "early-one", at=minutes_ago(9)),
    ) == ["entered_again", "entered"]


def test_a_batch_can_be_sent_again() -> None:
    door = a_door()
    door.scenario.when(ask("grace"))
    grace = door.scenario.value
    door.scenario.when(CancelVisitor(visitor_id=grace.id))
    batch = [
        scan(door.ada, "nonce-01", at=minutes_ago(3)),
        scan(door.ada, "nonce-02", at=minutes_ago(2)),
        scan(grace, "nonce-03", at=minutes_ago(1)),
        scan(door.ada, "nonce-01", at=minutes_ago(3)),
    ]
    expected = ["entered", "entered_again", "entered_without_seat", "entered"]
    assert door.upload(*batch) == expected
    assert len(door.events) == 6
    assert door.upload(*batch) == expected
    assert door.events == []
    door.undo("nonce-01")
    assert door.upload(*batch) == expected
    assert door.events == []


def test_a_scan_that_was_answered_and_is_uploaded_too_counts_once() -> None:
    door = a_door()
    door.enter(scan(door.ada))
    assert door.upload(scan(door.ada, at=minutes_ago(1))) == ["entered"]
    assert door.events == []


def test_who_enters_without_a_seat_is_not_checked_in() -> None:
    door = a_door()
    door.scenario.when(ReissueTicket(visitor_id=door.ada.id))
    assert door.upload(scan(door.ada)) == ["entered_without_seat"]
    assert isinstance(door.events[0], entries.EnteredWithoutSeat)
    assert door.now().checked_in_at is None
    assert door.enter(scan(door.now(), "nonce-02")).is_new
    undone, _ = door.undo()
    assert undone.checked_in_at == NOW


def test_undoing_the_only_entry_lets_the_visitor_in_again() -> None:
    door = a_door()
    door.enter(scan(door.ada))
    undone, _ = door.undo()
    assert undone == entries.CheckInUndone(event_id=FAIR, nonce="nonce-01")
    assert door.now().checked_in_at is None
    assert list(door.undo()) == []
    with pytest.raises(CheckInWasUndone):
        door.enter(scan(door.ada))
    assert door.enter(scan(door.ada, "nonce-02")).is_new


def test_undoing_the_first_entry_leaves_the_next_one() -> None:
    door = a_door()
    door.upload(
        scan(door.ada, "nonce-01", at=minutes_ago(9)), scan(door.ada, "nonce-02", at=minutes_ago(5))
    )
    door.undo()
    assert door.now().checked_in_at == minutes_ago(5)
    door.undo("nonce-02")
    assert door.now().checked_in_at is None


def test_an_unknown_nonce_cannot_be_undone() -> None:
    door = a_door()
    with pytest.raises(NoSuchCheckIn):
        door.undo()


def corrected(door: Door, name: str, email: str) -> Visitor:
    correction = CorrectVisitor(
        visitor_id=door.ada.id, full_name=FullName(name), email=Email.parse(email)
    )
    door.scenario.when(correction)
    found: Visitor = door.scenario.value
    return found


def test_a_check_in_survives_a_corrected_name() -> None:
    door = a_door()
    door.enter(scan(door.ada))
    assert corrected(door, "Ada King", "ada@example.com").checked_in_at == NOW


def test_a_corrected_email_takes_the_entries_along() -> None:
    door = a_door()
    first = scan(door.ada, "nonce-01", at=minutes_ago(9))
    door.upload(first, scan(door.ada, "nonce-02", at=minutes_ago(5)))
    king = corrected(door, "Ada", "king@example.com")
    assert king.id != door.ada.id
    assert king.checked_in_at == minutes_ago(9)
    assert [entry.nonce for entry in king.entries] == ["nonce-01", "nonce-02"]
    assert door.now().checked_in_at is None
    with pytest.raises(TicketRevoked):
        door.enter(scan(door.ada, "nonce-03"))
    assert door.upload(first) == ["entered"]
    assert door.events == []
    assert door.enter(first).visitor_id == king.id
    door.undo()
    assert door.now(king).checked_in_at == minutes_ago(5)
    with pytest.raises(AlreadyCheckedIn):
        door.enter(by_name(door.ada, "nonce-04"))


def test_what_happened_stays_after_leaving_and_erasing() -> None:
    door = a_door()
    door.enter(scan(door.ada))
    door.scenario.when(CancelVisitor(visitor_id=door.ada.id))
    assert door.now().checked_in_at == NOW
    door.scenario.when(EraseVisitor(visitor_id=door.ada.id))
    assert (door.now().status, door.now().checked_in_at) == ("erased", NOW)
    assert door.upload(scan(door.ada, "nonce-02")) == ["entered_without_seat"]
    with pytest.raises(NotRegistered):
        door.enter(scan(door.ada, "nonce-03"))
    door.undo()
    assert door.now().checked_in_at is None


def test_scans_at_a_deleted_event_are_recorded_but_its_door_is_closed() -> None:
    door = a_door()
    door.scenario.when(DeleteEvent(event_id=FAIR))
    with pytest.raises(NotFound):
        door.enter(scan(door.ada))
    assert door.upload(scan(door.ada)) == ["entered"]
    with pytest.raises(NotFound):
        door.scenario.when(RecordScans(event_id=UUID(int=9), scanned=[]))


def test_only_the_earliest_entries_of_a_visitor_are_kept_in_mind() -> None:
    door = a_door()
    for number in range(MAX_ENTRIES + 5):
        door.upload(scan(door.ada, f"nonce-{number:03}", at=minutes_ago(number)))
    assert len(door.now().entries) == MAX_ENTRIES
    assert door.now().checked_in_at == minutes_ago(MAX_ENTRIES + 4)
    assert door.upload(scan(door.ada, "nonce-000")) == ["entered"]
    assert door.events == []


@pytest.mark.parametrize("text", ["", "short", "x" * 65, "a space in", "sl/ash-12", 8, "ümlaut-12"])
def test_a_bad_nonce_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must have 8 to 64"):
        Nonce.parse(text)
