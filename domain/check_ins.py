"""Checking visitors in: at the door with a ticket or by name, afterwards what was scanned without a
network, and taking it back.

While the network is there, a check-in can be refused. What was scanned without it has happened: it
is recorded, whatever the visitor's status is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, Self
from uuid import UUID

import msgspec

from domain.core.commands import Touches
from domain.core.errors import DomainError, InvalidFields, NotFound, Refused
from domain.core.ids import Identity
from domain.core.unit_of_work import Missing, Work
from domain.core.values import Invalid, Line
from domain.entries import (
    CheckInUndone,
    EnteredWithoutSeat,
    Outcome,
    Scan,
    ScanRecorded,
    ScanUndone,
    present_visitor,
    record_entry,
)
from domain.events import Event, existing_event
from domain.tickets import Ticket
from domain.visitors import Entry, EventCancelled, NotRegistered, Visitor, existing_visitor

MAX_ENTRIES_AT_ONCE = 500


class TicketInvalid(DomainError):
    """This is no ticket of ours"""

    status = 404
    slug = "ticket-invalid"  # of its subclass too


class TicketOfAnotherEvent(TicketInvalid):
    """This is a ticket for another event"""


class TicketRevoked(Refused):
    """This ticket is not valid any more: a newer one was issued, or its registration is over"""


class AlreadyCheckedIn(Refused):
    """The visitor is checked in already

    The members `checked_in_at` and `gate` say when and where."""

    def __init__(self, checked_in_at: datetime, gate: str | None = None) -> None:
        super().__init__(checked_in_at, gate)
        self.members = {"checked_in_at": checked_in_at, "gate": gate}


class CheckInWasUndone(Refused):
    """This check-in was undone; scan again, with a new nonce"""


class NoSuchCheckIn(DomainError):
    """No check-in at this event has this nonce"""

    status = 404
    slug = "not-found"


class Nonce(str):
    """Identifies a scan: 8 to 64 letters, digits, `-`, `.`, `_` or `~`. Random ones never meet."""

    __slots__ = ()
    pattern: ClassVar[str] = "^[A-Za-z0-9._~-]{8,64}$"

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str) or not re.fullmatch(cls.pattern, raw):
            raise Invalid("must have 8 to 64 letters, digits, dots, tildes, hyphens or underscores")
        return cls(raw)


class Gate(Line):
    """Where somebody entered."""

    __slots__ = ()
    max_length = 64


class ScannedText(str):
    """What was scanned: a ticket, or whatever else may be in a QR code."""

    __slots__ = ()
    max_length: ClassVar[int] = 8_000
    """No QR code holds more."""

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str):
            raise Invalid("must be a text")
        if len(raw) > cls.max_length:
            raise Invalid(f"must have at most {cls.max_length} characters, has {len(raw)}")
        return cls(raw)


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """One scan. Without a visitor it was no ticket of this installation."""

    nonce: Nonce
    visitor_id: UUID | None
    ticket: Ticket | None = None
    """None if the visitor was found by name."""
    at: datetime | None = None
    """By the scanner's clock; None: now."""
    gate: Gate | None = None

    def entry(self, received_at: datetime, *, offline: bool) -> Entry:
        return Entry(
            nonce=str(self.nonce),
            at=min(self.at or received_at, received_at),
            received_at=received_at,
            gate=None if self.gate is None else str(self.gate),
            offline=offline,
        )


class CheckIn(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    scanned: Scanned


class RecordScans(msgspec.Struct, frozen=True, kw_only=True):
    """Records what was scanned without a network."""

    event_id: UUID
    scanned: Sequence[Scanned]


class UndoCheckIn(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    nonce: Nonce


class CheckedInVisitor(msgspec.Struct, frozen=True):
    visitor_id: UUID
    checked_in_at: datetime
    gate: str | None
    is_new: bool
    """False if it was done before, under the same nonce."""


BatchOutcome = Literal["entered", "entered_again", "entered_without_seat", "unknown_ticket"]


def check_in(command: CheckIn, work: Work) -> CheckedInVisitor:
    event, scanned = existing_event(command.event_id, work), command.scanned
    visitor, scan = _visitor(event.id, scanned, work), _scan(event.id, scanned.nonce, work)
    holder = present_visitor(visitor, work)
    if scan.visitor_id is not None:
        if _holder_of(scan.visitor_id, work).id != holder.id:
            raise InvalidFields(nonce=_NONCE_OF_ANOTHER)
        for entry in holder.entries:
            if entry.nonce == scanned.nonce:
                return CheckedInVisitor(holder.id, entry.at, entry.gate, is_new=False)
        if scan.undone:
            raise CheckInWasUndone
    if event.cancelled is not None:
        raise EventCancelled
    if scanned.ticket and not _is_current(scanned.ticket, visitor):
        raise TicketRevoked
    if visitor.status != "registered":
        raise NotRegistered
    if visitor.entries:
        raise AlreadyCheckedIn(visitor.entries[0].at, visitor.entries[0].gate)
    entry = scanned.entry(work.now, offline=False)
    outcome = record_entry(visitor, entry, work)
    work.record(scan, ScanRecorded(visitor_id=visitor.id, outcome=outcome))
    return CheckedInVisitor(visitor.id, entry.at, entry.gate, is_new=True)


def record_scans(command: RecordScans, work: Work) -> list[BatchOutcome]:
    """The outcome of each scan. Those of one visitor are recorded in the order of their times."""
    event = work.get(Event, command.event_id)
    if not event.version:
        raise NotFound("event", command.event_id)
    outcomes, wrong, missing = dict[int, BatchOutcome](), dict[str, str](), Missing()
    in_time = sorted(enumerate(command.scanned), key=lambda item: item[1].at or work.now)
    for place, scanned in in_time:
        with missing.collected():
            try:
                outcomes[place] = _recorded(event.id, scanned, work)
            except InvalidFields:
                wrong[f"entries.{place}.nonce"] = _NONCE_OF_ANOTHER
    missing.require_nothing()
    if wrong:
        raise InvalidFields(**wrong)
    return [outcomes[place] for place in range(len(command.scanned))]


def undo_check_in(command: UndoCheckIn, work: Work) -> None:
    """Nothing changes if it was undone before."""
    scan = _scan(command.event_id, command.nonce, work)
    if scan.visitor_id is None:
        raise NoSuchCheckIn
    if scan.undone:
        return
    visitor = _holder_of(scan.visitor_id, work)
    left = [entry.at for entry in visitor.entries if entry.nonce != command.nonce]
    undone = CheckInUndone(
        event_id=visitor.event, nonce=command.nonce, checked_in_at=min(left, default=None)
    )
    work.record(visitor, undone)
    work.record(scan, ScanUndone())


def touches_of(event_id: UUID, scanned: Sequence[Scanned], ids: Identity) -> Touches:
    visitors = [each.visitor_id for each in scanned if each.visitor_id]
    return Touches([event_id, *visitors], [ids.scan(event_id, each.nonce) for each in scanned])


_NONCE_OF_ANOTHER = "was used for another visitor; each scan needs a random one of its own"


def _recorded(event_id: UUID, scanned: Scanned, work: Work) -> BatchOutcome:
    try:
        visitor = _visitor(event_id, scanned, work)
    except (NotFound, TicketInvalid):
        return "unknown_ticket"
    scan = _scan(event_id, scanned.nonce, work)
    if scan.visitor_id is not None and scan.outcome is not None:
        if _holder_of(scan.visitor_id, work).id != present_visitor(visitor, work).id:
            raise InvalidFields(nonce=_NONCE_OF_ANOTHER)
        return scan.outcome
    entry = scanned.entry(work.now, offline=True)
    is_valid = scanned.ticket is None or _is_current(scanned.ticket, visitor)
    outcome: Outcome
    if visitor.status == "registered" and is_valid:
        outcome = record_entry(visitor, entry, work)
    else:
        outcome = "entered_without_seat"
        fields: dict[str, Any] = msgspec.structs.asdict(entry)
        work.record(visitor, EnteredWithoutSeat(event_id=event_id, **fields))
    work.record(scan, ScanRecorded(visitor_id=visitor.id, outcome=outcome))
    return outcome


def _visitor(event_id: UUID, scanned: Scanned, work: Work) -> Visitor:
    """Raises `TicketInvalid`, `NotFound`."""
    if scanned.visitor_id is None or (scanned.ticket and not scanned.ticket.may_be_of(event_id)):
        raise TicketInvalid if scanned.visitor_id is None else TicketOfAnotherEvent
    visitor = existing_visitor(scanned.visitor_id, work)
    if scanned.ticket is None:
        visitor = present_visitor(visitor, work)
    if visitor.event_id != event_id:
        raise TicketOfAnotherEvent if scanned.ticket else NotFound("visitor", visitor.id)
    return visitor


def _scan(event_id: UUID, nonce: Nonce, work: Work) -> Scan:
    return work.get(Scan, work.identity.scan(event_id, nonce))


def _holder_of(visitor_id: UUID, work: Work) -> Visitor:
    return present_visitor(work.get(Visitor, visitor_id), work)


def _is_current(ticket: Ticket, visitor: Visitor) -> bool:
    return ticket.is_current(visitor) and visitor.moved_to is None
