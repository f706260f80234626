"""Fills a migrated database with a realistic history, quickly.

    python -m benchmarks.history --events 1000000 postgresql://...

Areas, events, registrations with real encrypted personal data, the lives of these (every second
event gets full and has a waiting list), and what became of their notifications. Every domain event
comes from the domain's own handlers and is stored by its own codec; only the append is done in
bulk. No other process may write to the database meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing import get_context
from typing import Any
from uuid import UUID

import psycopg

from domain.application import APPLICATION
from domain.areas import CreateArea
from domain.core.aggregate import Aggregate, Metadata, RecordedEvent
from domain.core.ids import Identity
from domain.core.seats import NO_SEATS, EventSeats
from domain.core.unit_of_work import Environment, Work
from domain.core.values import Capacity, Email, FullName, Text
from domain.departures import CancelVisitor
from domain.event_editing import CreateEvent
from domain.history.codec import encode
from domain.history.store import load_keys
from domain.notifications import QueueAgain, RecordDelivery
from domain.privacy.encryption import new_key
from domain.privacy.keys import InstallationKeys, binding_of, wrap
from domain.registrations import CorrectVisitor, RegisterVisitor
from domain.seats import recount
from runtime.secret_key import with_secret_key
from runtime.settings import Settings

STRETCH = 10_000
"""Events made at once. Each stretch has an area and events of its own, so that all can be made
beside each other."""

EVENTS_A_STRETCH = 20
CAPACITY = Capacity(100)
"""Of every second event: about half of what would register."""

ONE_LEAVES_OF, ONE_COMES_BACK_OF, ONE_IS_CORRECTED_OF = 3, 39, 49
"""Of so many registrations; at each of the events in turn, as none has a factor in common with
their number."""

STAY = 1_500
"""Registrations between that of a person and the end of it."""

DELIVERED_AFTER = 100
"""Number of registrations between a registration and the outcome of its notification."""

ONE_FAILS_OF = 200
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
PACE = timedelta(milliseconds=5)

FIRST_NAMES = ["Ada", "Björn", "Chiara", "Dmitri", "Élodie", "Günther", "Hikari", "José", "Łucja"]
LAST_NAMES = ["Åkesson", "Brontë", "Čapek", "Díaz", "Fischer", "García", "Hopper", "Ibrahim"]


def fill(database_url: str, keys: InstallationKeys, events: int) -> int:
    """Append so many events, rounded up to whole stretches; the position of the last one."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT max(notification_id) FROM history_events").fetchone()
        first = ((row and row[0]) or 0) + 1
        stretches = range(first, first + events, STRETCH)
        with ProcessPoolExecutor(
            mp_context=get_context("spawn"), initializer=_begin, initargs=(database_url, keys)
        ) as processes:
            for _ in processes.map(_append_stretch, stretches):
                pass
        last = stretches[-1] + STRETCH - 1
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('history_events', 'notification_id'), %s)", [last]
        )
        connection.execute("VACUUM (ANALYZE) history_events, personal_keys")
        recount(connection)
    return last


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

    def __init__(self, keys: InstallationKeys, first: int) -> None:
        self._identity = Identity(keys.identity)
        self._first = first
        self._world = _World()
        self._seats = _Seats()
        self.events: list[RecordedEvent] = []

    def make(self, size: int) -> None:
        """Fill it with `size` events."""
        area = self._give(CreateArea(name=Text(f"Hall {self._first}"))).id
        fairs = [
            self._give(_fair(area, f"Fair {self._first + n}", limited=n % 2 == 1)).event.id
            for n in range(EVENTS_A_STRETCH)
        ]
        people, underway = deque[RegisterVisitor](), deque[UUID]()
        for number in count(self._first):
            before = len(self.events)
            self._live(people, fairs[number % EVENTS_A_STRETCH], number)
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

    def _live(self, people: deque[RegisterVisitor], event: UUID, number: int) -> None:
        """Somebody registers; some of those who did before leave, come back, or are corrected."""
        registration = _registration(event, number)
        people.append(registration)
        self._give(registration)
        if len(people) <= STAY:
            return
        former = people.popleft()
        visitor = self._identity.visitor(former.event_id, former.email)
        if number % ONE_LEAVES_OF == 0:
            self._give(CancelVisitor(visitor_id=visitor))
            if number % ONE_COMES_BACK_OF == 0:
                self._give(former)
        elif number % ONE_IS_CORRECTED_OF == 0:
            correct, name = Email(f"visitor.{number}@example.org"), former.full_name
            self._give(CorrectVisitor(visitor_id=visitor, full_name=name, email=correct))

    def _deliver(self, notification: UUID, *, fails: bool) -> None:
        if fails:
            self._give(RecordDelivery(notification_id=notification, failure="mailbox full"))
            self._give(QueueAgain(notification_id=notification))
        self._give(RecordDelivery(notification_id=notification))

    def _give(self, command: object) -> Any:
        number = self._first + len(self.events)
        metadata = Metadata(
            timestamp=BEGINNING + number * PACE,
            actor="anonymous",
            correlation_id=f"{number:016x}-1",
        )
        work = Work(self._world, self._identity, Environment(), metadata, seats=self._seats)
        value = APPLICATION.decide(command, work)
        self._world.update(work.changed)
        self._seats.update(work.seats)
        self.events += work.recorded
        return value


def _fair(area: UUID, name: str, *, limited: bool) -> CreateEvent:
    begins = BEGINNING + timedelta(days=3650)
    return CreateEvent(
        name=Text(name),
        event_datetime=begins,
        registration_deadline=begins,
        area_id=area,
        capacity=CAPACITY if limited else None,
        waiting_list="automatic" if limited else "off",
    )


def _registration(event: UUID, number: int) -> RegisterVisitor:
    first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
    return RegisterVisitor(
        event_id=event,
        full_name=FullName(f"{first} {last}"),
        email=Email(f"visitor.number.{number}@example.org"),
        join_waiting_list=True,
    )


def _append_stretch(first: int) -> None:
    """In a process of its own."""
    stretch = Stretch(_keys, first)
    stretch.make(STRETCH)
    wrapped_keys = []
    with _connection.transaction(), _connection.cursor() as cursor:
        with cursor.copy(
            "COPY history_events (originator_id, originator_version, topic, state, notification_id)"
            " FROM STDIN (FORMAT binary)"
        ) as copy:
            copy.set_types(["uuid", "int8", "text", "bytea", "int8"])
            for position, recorded in enumerate(stretch.events, first):
                id, version, event = (
                    recorded.originator_id,
                    recorded.originator_version,
                    recorded.event,
                )
                key = new_key() if event.personal_field else None
                copy.write_row((id, version, event.topic, encode(recorded, key), position))
                if key is not None:
                    wrapped_keys.append((id, version, wrap(_keys, key, binding_of(id, version))))
        with cursor.copy(
            "COPY personal_keys (originator_id, originator_version, wrapped)"
            " FROM STDIN (FORMAT binary)"
        ) as copy:
            copy.set_types(["uuid", "int8", "bytea"])
            for row in wrapped_keys:
                copy.write_row(row)


def _begin(database_url: str, keys: InstallationKeys) -> None:
    """Once in each process."""
    global _connection, _keys
    _connection, _keys = psycopg.connect(database_url, autocommit=True), keys


_connection: psycopg.Connection[Any]
_keys: InstallationKeys


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("database_url")
    given = parser.parse_args()
    settings = with_secret_key(Settings.load({**os.environ, "DATABASE_URL": given.database_url}))
    with psycopg.connect(given.database_url) as connection:
        keys = load_keys(connection, settings.secret_keys)
    last = fill(given.database_url, keys, given.events)
    sys.stdout.write(f"history reaches to position {last}\n")


if __name__ == "__main__":
    main()
