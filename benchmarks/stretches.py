"""Parts of a realistic history, which can be made beside each other: areas, events, registrations
with real encrypted personal data, the lives of these, and what became of their notifications."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from domain.answers import GivenAnswers
from domain.application import APPLICATION
from domain.areas import CreateArea
from domain.check_ins import CheckIn, Nonce, Scanned
from domain.core.aggregate import Aggregate, Metadata, RecordedEvent
from domain.core.ids import Identity
from domain.core.seats import NO_SEATS, EventSeats
from domain.core.unit_of_work import Environment, Work
from domain.core.values import Capacity, Email, FullName, Text
from domain.departures import CancelVisitor
from domain.event_cancellation import CancelEvent
from domain.event_editing import ChangeEvent, CreateEvent, DeleteEvent
from domain.notifications import QueueAgain, RecordDelivery
from domain.privacy.keys import InstallationKeys
from domain.question_editing import ChangeQuestions
from domain.questions import Question
from domain.registrations import CorrectVisitor, RegisterVisitor
from domain.visitors import Visitor

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

ONE_LEAVES_OF, ONE_COMES_BACK_OF, ONE_IS_CORRECTED_OF = 3, 39, 49
"""Of so many registrations; at each of the events in turn, as none has a factor in common with
their number."""

STAY = 1_500
"""Registrations between that of a person and the end of it."""

DELIVERED_AFTER = 100
"""Number of registrations between a registration and the outcome of its notification."""

ONE_FAILS_OF = 200

FIRST_NAMES = ["Ada", "Björn", "Chiara", "Dmitri", "Élodie", "Günther", "Hikari", "José", "Łucja"]
LAST_NAMES = ["Åkesson", "Brontë", "Čapek", "Díaz", "Fischer", "García", "Hopper", "Ibrahim"]

KINDS = ["Fair", "Conference", "Workshop", "Meetup", "Night"]
SUBJECTS = ["Rust", "Café", "Data", "Python", "Robotics", "Žurnalistika", "Chess"]
PLACES = ["Zürich", "Lyon", "Kraków", "Oslo", "Porto", "Graz", "Gent", "Turin", "Cork", "Århus"]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What a history is like."""

    stretch: int = 10_000
    """Domain events that are made at once. Each stretch has an area and events of its own."""
    events: int = 20
    """In each stretch."""
    capacity: int = 100
    """Of every second event: about half of what would register."""
    beginning: datetime = BEGINNING
    pace: timedelta = timedelta(milliseconds=5)
    """From one domain event to the next."""
    notice: tuple[timedelta, timedelta] = (timedelta(days=3650), timedelta(days=3650))
    """Between the creation of an event and its begin, at least and at most."""
    organizer: str = "anonymous"
    """Who creates the events."""
    questions: tuple[Question, ...] = ()
    """Of each event; each visitor answers all of them."""
    leaves_failed: bool = False
    """Whether notifications that failed stay so; otherwise they are sent again."""
    one_enters_of: int | None = None
    """Of so many registrations; None: nobody is checked in."""
    one_closes_of: int | None = None
    one_is_cancelled_of: int | None = None
    one_is_deleted_of: int | None = None
    """Of so many events, in the middle of the stretch; None: none."""


class _World(dict[UUID, Aggregate]):
    """Aggregates by id, for handlers: a stream that is not known has not begun."""

    def __contains__(self, id: object) -> bool:
        return True

    def __missing__(self, id: UUID) -> None:
        return None


class _Seats(dict[UUID, EventSeats]):
    """By event; none are taken of an event that is not known."""

    def get(self, id: UUID, default: object = None) -> EventSeats:
        return super().get(id) or EventSeats.at(NO_SEATS)


class Stretch:
    """Some history of its own: what its commands lead to, one after the other."""

    def __init__(self, keys: InstallationKeys, shape: Shape, first: int) -> None:
        self._identity = Identity(keys.identity)
        self._shape = shape
        self._first = first
        self._world = _World()
        self._seats = _Seats()
        self.events: list[RecordedEvent] = []

    def make(self) -> None:
        """Fill it with `shape.stretch` domain events."""
        fairs, size = self._created_events(), self._shape.stretch
        people, underway = deque[RegisterVisitor](), deque[UUID]()
        is_first_half = True
        for number in count(self._first):
            before = len(self.events)
            if is_first_half and before > size // 2:
                is_first_half = False
                self._end_some(fairs)
            self._live(people, fairs[number % len(fairs)], number)
            happened = [recorded.event for recorded in self.events[before:]]
            underway += [
                id for event in happened if (id := getattr(event, "notification_id", None))
            ]
            while len(underway) > DELIVERED_AFTER:
                self._deliver(underway.popleft(), fails=number % ONE_FAILS_OF == 0)
            if len(self.events) + len(underway) >= size:
                break
        for notification in underway:
            self._deliver(notification, fails=False)
        del self.events[size:]

    def _created_events(self) -> list[UUID]:
        area = self._give(CreateArea(name=Text(f"Hall {self._first}"))).id
        created = list[UUID]()
        for number in range(self._shape.events):
            id = self._organize(self._fair(area, number)).event.id
            if self._shape.questions:
                self._organize(ChangeQuestions(event_id=id, questions=self._shape.questions))
            created.append(id)
        return created

    def _fair(self, area: UUID, number: int) -> CreateEvent:
        shape, at = self._shape, self._first + number
        least, most = shape.notice
        begins = self._now + least + (most - least) * (number / shape.events)
        begins = begins.replace(minute=0, second=0, microsecond=0)
        limited = number % 2 == 1
        words = (
            SUBJECTS[at % len(SUBJECTS)],
            KINDS[at % len(KINDS)],
            PLACES[at // 7 % len(PLACES)],
        )
        return CreateEvent(
            name=Text(f"{' '.join(words)} {at}"),
            event_datetime=begins,
            registration_deadline=begins,
            area_id=area,
            capacity=Capacity(shape.capacity) if limited else None,
            waiting_list="automatic" if limited else "off",
        )

    def _end_some(self, fairs: list[UUID]) -> None:
        """Nobody can register any more at those that are closed, cancelled or deleted."""
        shape = self._shape
        for number, id in enumerate(fairs, 1):
            if shape.one_is_deleted_of and number % shape.one_is_deleted_of == 0:
                self._organize(DeleteEvent(event_id=id))
            elif shape.one_is_cancelled_of and number % shape.one_is_cancelled_of == 0:
                self._organize(CancelEvent(event_id=id))
            elif shape.one_closes_of and number % shape.one_closes_of == 0:
                self._organize(ChangeEvent(event_id=id, status="closed"))

    def _live(self, people: deque[RegisterVisitor], event: UUID, number: int) -> None:
        """Somebody registers; some of those who did before enter, leave, come back, or are
        corrected."""
        if not self._is_open(event):
            return
        registration = _registration(event, number, self._shape.questions)
        people.append(registration)
        visitor = self._give(registration)
        if self._enters(visitor, number):
            scanned = Scanned(nonce=Nonce(f"{number:016}"), visitor_id=visitor.id)
            self._give(CheckIn(event_id=event, scanned=scanned))
        if len(people) <= STAY:
            return
        former = people.popleft()
        id = self._identity.visitor(former.event_id, former.email)
        if number % ONE_LEAVES_OF == 0:
            self._give(CancelVisitor(visitor_id=id))
            if number % ONE_COMES_BACK_OF == 0 and self._is_open(former.event_id):
                self._give(former)
        elif number % ONE_IS_CORRECTED_OF == 0 and self._is_open(former.event_id):
            correct, name = Email(f"visitor.{number}@example.org"), former.full_name
            self._give(CorrectVisitor(visitor_id=id, full_name=name, email=correct))

    def _enters(self, visitor: Visitor, number: int) -> bool:
        of = self._shape.one_enters_of
        return of is not None and number % of == 0 and visitor.status == "registered"

    def _is_open(self, event: UUID) -> bool:
        """Whether people can register."""
        found: Any = self._world[event]
        return bool(
            found.exists
            and found.is_open
            and found.cancelled is None
            and found.details.registration_deadline >= self._now
        )

    def _deliver(self, notification: UUID, *, fails: bool) -> None:
        if fails:
            self._give(RecordDelivery(notification_id=notification, failure="mailbox full"))
            if self._shape.leaves_failed:
                return
            self._give(QueueAgain(notification_id=notification))
        self._give(RecordDelivery(notification_id=notification))

    @property
    def _now(self) -> datetime:
        return self._shape.beginning + (self._first + len(self.events)) * self._shape.pace

    def _organize(self, command: object) -> Any:
        return self._give(command, self._shape.organizer)

    def _give(self, command: object, actor: str = "anonymous") -> Any:
        number = self._first + len(self.events)
        metadata = Metadata(timestamp=self._now, actor=actor, correlation_id=f"{number:016x}-1")
        work = Work(self._world, self._identity, Environment(), metadata, seats=self._seats)
        value = APPLICATION.decide(command, work)
        self._world.update(work.changed)
        self._seats.update(work.seats)
        self.events += work.recorded
        return value


def _registration(event: UUID, number: int, questions: tuple[Question, ...]) -> RegisterVisitor:
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
    return RegisterVisitor(
        event_id=event,
        full_name=FullName(f"{first} {last}"),
        email=Email(f"visitor.number.{number}@example.org"),
        answers=GivenAnswers(_answers(questions, number)),
        join_waiting_list=True,
    )


def _answers(questions: tuple[Question, ...], number: int) -> Mapping[str, object]:
    return {question.id: _answer(question, number) for question in questions}


def _answer(question: Question, number: int) -> object:
    if question.options:
        return question.options[number % len(question.options)]
    return number % 2 == 0 if question.type == "yes_no" else f"Company {number % 1_000}"
