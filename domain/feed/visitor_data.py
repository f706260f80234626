"""Data of the items about a visitor. Names, emails and answers are None without permission to read
personal data, and when the person was erased."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from domain.answers import Answers
from domain.feed.item import ItemData, item_type
from domain.visitors import CancelledBy, Confirmed, Corrected, Promoted, Registered, Waitlisted

Seated = Literal["registered", "unconfirmed"]


def _seated(event: Registered | Promoted) -> Seated:
    return "unconfirmed" if event.confirm_by else "registered"


def _person(
    event: Registered | Waitlisted | Corrected,
) -> tuple[str, str, Answers] | tuple[None, None, None]:
    person = event.person
    return (person.full_name, person.email, person.answers) if person else (None, None, None)


@item_type("visitor.registered", "A visitor got a seat by registering")
class VisitorRegisteredData(ItemData, frozen=True, kw_only=True):
    status: Seated
    """`unconfirmed`: the seat lapses unless the address is confirmed until `confirm_by`."""
    confirm_by: datetime | None = None
    full_name: str | None = None
    email: str | None = None
    answers: Answers | None = None
    moved_from: UUID | None = None
    """The visitor with the former email, whose seat this one takes over."""

    @classmethod
    def of(cls, event: Registered) -> Self:
        full_name, email, answers = _person(event)
        return cls(
            status=_seated(event),
            confirm_by=event.confirm_by,
            full_name=full_name,
            email=email,
            answers=answers,
            moved_from=event.moved_from,
        )


@item_type("visitor.waiting", "A visitor joined the waiting list")
class VisitorWaitingData(ItemData, frozen=True, kw_only=True):
    full_name: str | None = None
    email: str | None = None
    answers: Answers | None = None
    moved_from: UUID | None = None
    """The visitor with the former email, whose place in line this one takes over."""

    @classmethod
    def of(cls, event: Waitlisted) -> Self:
        full_name, email, answers = _person(event)
        return cls(full_name=full_name, email=email, answers=answers, moved_from=event.moved_from)


@item_type("visitor.promoted", "A waiting visitor got a seat")
class VisitorPromotedData(ItemData, frozen=True, kw_only=True):
    status: Seated
    confirm_by: datetime | None = None

    @classmethod
    def of(cls, event: Promoted) -> Self:
        return cls(status=_seated(event), confirm_by=event.confirm_by)


@item_type("visitor.confirmed", "A visitor confirmed the address")
class VisitorConfirmedData(ItemData, frozen=True, kw_only=True):
    status: Literal["registered", "waiting"]
    """A waiting visitor who confirms goes on waiting."""

    @classmethod
    def of(cls, event: Confirmed) -> Self:
        return cls(status="registered" if event.code else "waiting")


@item_type("visitor.cancelled", "A registration or a place in line was given up")
class VisitorCancelledData(ItemData, frozen=True, kw_only=True):
    by: CancelledBy
    """`correction`: the visitor goes on as `moved_to`, with another email."""
    reason: str = ""
    moved_to: UUID | None = None


@item_type("visitor.lapsed", "An unconfirmed registration ended, since its time was over")
class VisitorLapsedData(ItemData, frozen=True, kw_only=True):
    pass


@item_type("visitor.changed", "A visitor's name or answers were corrected")
class VisitorChangedData(ItemData, frozen=True, kw_only=True):
    full_name: str | None = None
    email: str | None = None
    answers: Answers | None = None

    @classmethod
    def of(cls, event: Corrected) -> Self:
        full_name, email, answers = _person(event)
        return cls(full_name=full_name, email=email, answers=answers)


@item_type("visitor.erased", "A person was erased: forget the name, the email and the answers, too")
class VisitorErasedData(ItemData, frozen=True, kw_only=True):
    """In all items of the visitor up to here, names, emails and answers are null from now on."""
