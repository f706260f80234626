"""Registering a visitor, or putting them on the waiting list: by themselves or by an organizer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from domain.answers import NO_ANSWERS, Answers, GivenAnswers, checked_answers
from domain.core.aggregate import Expected
from domain.core.errors import InvalidFields, Refused
from domain.core.languages import ENGLISH
from domain.core.unit_of_work import Missing, Work, check_version
from domain.core.values import Email, FullName
from domain.entries import take_entries_along
from domain.events import Event, existing_event
from domain.visitors import (
    Corrected,
    DeadlinePassed,
    EventCancelled,
    EventClosed,
    EventFull,
    NotRegistered,
    Person,
    Registered,
    Visitor,
    Waitlisted,
    confirm_by,
    existing_visitor,
    record_cancellation,
)


class RegisterVisitor(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    full_name: FullName
    email: Email
    answers: GivenAnswers = NO_ANSWERS
    join_waiting_list: bool = False
    """Whether to wait for a seat when none is free."""
    language: str = ENGLISH
    """In which the visitor reads."""


class AddVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer registers somebody, also after the deadline and when registration is closed, and
    without answers to required questions."""

    event_id: UUID
    full_name: FullName
    email: Email
    answers: GivenAnswers = NO_ANSWERS
    over_capacity: bool = False
    join_waiting_list: bool = False
    notify: bool = True


class NewPerson(msgspec.Struct, frozen=True):
    full_name: FullName
    email: Email
    answers: GivenAnswers = NO_ANSWERS


class AddVisitors(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer registers many people of one event, in this order, each as by `AddVisitor`. Some
    may be refused; the others are registered."""

    event_id: UUID
    people: Sequence[NewPerson]
    over_capacity: bool = False
    join_waiting_list: bool = False
    notify: bool = True


class CorrectVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer corrects the name, the email or answers. With another email the visitor has
    another id, and keeps the seat or the place in line."""

    visitor_id: UUID
    full_name: FullName
    email: Email
    language: str = ENGLISH
    kept_answers: Answers = {}
    """Those that were given before."""
    answers: GivenAnswers = NO_ANSWERS
    """Those that change; None takes one away."""
    expected_version: Expected = None


def register_visitor(command: RegisterVisitor, work: Work) -> Visitor:
    event = existing_event(command.event_id, work)
    visitor = _visitor(command.event_id, command.email, work)
    person = _person(command, event, required=True, language=command.language)
    _expect_to_take_place(event)
    if not event.is_open:
        raise EventClosed
    if work.now > event.details.registration_deadline:
        raise DeadlinePassed
    visitor.refuse_second()
    if _has_room(event, work):
        return _register(visitor, event, person, work, confirm_by(event, work))
    if not command.join_waiting_list or event.details.waiting_list == "off":
        raise EventFull(waiting_list=event.details.waiting_list != "off")
    return _join_waiting_list(visitor, event, person, work)


def add_visitor(command: AddVisitor, work: Work) -> Visitor:
    event = existing_event(command.event_id, work)
    visitor = _visitor(command.event_id, command.email, work)
    person = _person(command, event)
    _expect_to_take_place(event)
    visitor.refuse_second()
    if command.over_capacity or _has_room(event, work):
        return _register(visitor, event, person, work, notify=command.notify)
    if not command.join_waiting_list or event.details.waiting_list == "off":
        raise EventFull(waiting_list=event.details.waiting_list != "off")
    return _join_waiting_list(visitor, event, person, work, notify=command.notify)


def add_visitors(command: AddVisitors, work: Work) -> list[Visitor | Refused | InvalidFields]:
    """The visitor that each person has become, or the refusal. Raises what refuses all of them:
    `NotFound`, `EventCancelled`."""
    _expect_to_take_place(existing_event(command.event_id, work))
    outcomes, missing = list[Visitor | Refused | InvalidFields](), Missing()
    for person in command.people:
        add = AddVisitor(
            event_id=command.event_id,
            full_name=person.full_name,
            email=person.email,
            answers=person.answers,
            over_capacity=command.over_capacity,
            join_waiting_list=command.join_waiting_list,
            notify=command.notify,
        )
        with missing.collected():
            try:
                # Before the answers: the file that an event once wrote changes nothing.
                _visitor(command.event_id, person.email, work).refuse_second()
                outcomes.append(add_visitor(add, work))
            except (Refused, InvalidFields) as refusal:
                outcomes.append(refusal)
    missing.require_nothing()
    return outcomes


def correct_visitor(command: CorrectVisitor, work: Work) -> Visitor:
    visitor = existing_visitor(command.visitor_id, work)
    check_version(visitor, command.expected_version)
    event = work.get(Event, visitor.event)
    if not visitor.seat:
        raise NotRegistered
    person = _person(command, event, kept=command.kept_answers, language=command.language)
    other = _visitor(event.id, command.email, work)
    if other.id == visitor.id:
        return work.record(visitor, Corrected(event_id=event.id, person=person))
    other.refuse_second()
    if visitor.status == "waiting":
        other = _join_waiting_list(
            other, event, person, work, moved_from=visitor.id, notify=event.exists
        )
    else:
        until = confirm_by(event, work) if visitor.confirm_by else None
        other = _register(
            other, event, person, work, until, moved_from=visitor.id, notify=event.exists
        )
        other = take_entries_along(visitor, other, work)
    record_cancellation(visitor, "correction", work, moved_to=other.id, notify=False)
    return other


def _person(
    command: RegisterVisitor | AddVisitor | CorrectVisitor,
    event: Event,
    *,
    required: bool = False,
    kept: Answers | None = None,
    language: str = ENGLISH,
) -> Person:
    """With the answers, of which the required ones must be there if they are `required`. Raises
    `InvalidFields`."""
    answers: Answers = {}
    if event.questions or command.answers or kept:
        answers = checked_answers(event.questions, command.answers, required=required, kept=kept)
    return Person(
        full_name=command.full_name, email=command.email, answers=answers, language=language
    )


def _expect_to_take_place(event: Event) -> None:
    if event.cancelled is not None:
        raise EventCancelled


def _has_room(event: Event, work: Work) -> bool:
    return event.has_room_for_all or work.has_room(event.id, event.details.capacity)


def _register(
    visitor: Visitor,
    event: Event,
    person: Person,
    work: Work,
    until: datetime | None = None,
    *,
    moved_from: UUID | None = None,
    notify: bool = True,
) -> Visitor:
    registered = Registered(
        event_id=event.id,
        code=work.new_code(),
        notification_id=work.new_id(),
        person=person,
        confirm_by=until,
        moved_from=moved_from,
        notify=notify,
    )
    return work.record(visitor, registered)


def _join_waiting_list(
    visitor: Visitor,
    event: Event,
    person: Person,
    work: Work,
    *,
    moved_from: UUID | None = None,
    notify: bool = True,
) -> Visitor:
    waitlisted = Waitlisted(
        event_id=event.id,
        notification_id=work.new_id(),
        person=person,
        moved_from=moved_from,
        notify=notify,
    )
    return work.record(visitor, waitlisted)


def _visitor(event_id: UUID, email: Email, work: Work) -> Visitor:
    """The visitor that this person is at the event, or will be."""
    first = work.get(Visitor, work.identity.visitor(event_id, email))
    if not first.version:
        return first
    other_id = work.identity.other_visitor(event_id, email)
    if first.is_known and work.person(first) in {other_id, None}:
        return first
    other = work.get(Visitor, other_id)
    return other if first.is_known or other.is_known else first
