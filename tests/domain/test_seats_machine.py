"""Whatever is done to an event, by two processes with caches of their own: the rules of seats hold,
and the tables equal history."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any, ClassVar, NamedTuple, get_args
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from psycopg import AsyncConnection, Connection

from domain.application import APPLICATION
from domain.core.durations import LongDuration
from domain.core.errors import DomainError
from domain.core.ids import Identity
from domain.core.unit_of_work import Environment
from domain.core.values import Capacity, Email, FullName
from domain.departures import (
    CancelVisitor,
    ConfirmVisitor,
    EraseVisitor,
    LapseVisitor,
    LeaveEvent,
)
from domain.details import WaitingList
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent, CleanUpEvent, DeleteEvent
from domain.event_restoration import RestoreEvent
from domain.history.batch import CommandFailure, CommandRequest, Origin
from domain.history.decider import Decider
from domain.history.store import connect, last_position, read_events
from domain.privacy.keys import InstallationKeys
from domain.registrations import AddVisitor, CorrectVisitor, RegisterVisitor
from domain.seats import differences
from domain.waiting_list import PromoteVisitor, PromoteWaiting
from tests.domain.scenario import NOW
from tests.domain.seat_rules import BY_HAND, OVER_CAPACITY, SeatRules
from tests.support.installation import an_event

BEGINS = NOW + timedelta(days=3)

PEOPLE = [f"{name}@example.com" for name in ("ada", "grace", "mary", "joan")]


SETTINGS = settings(
    max_examples=int(os.environ.get("EXAMPLES", "12")),
    derandomize="EXAMPLES" not in os.environ,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
"""The same few examples each time.
`EXAMPLES=1000 .venv/bin/pytest tests/domain/test_seats_machine.py` searches for others."""


class World(msgspec.Struct, kw_only=True):
    """What a command is about: an event, a person there, and another email."""

    event: UUID
    email: str
    other_email: str
    visitor: UUID
    episode: int
    now: Any


Make = Callable[[World], Any]


class Command(NamedTuple):
    name: str
    fair: int
    email: str
    other_email: str


def registered(world: World, **how: Any) -> dict[str, Any]:
    return {
        "event_id": world.event,
        "full_name": FullName("Ada"),
        "email": Email(world.email),
    } | how


def change(**changes: Any) -> Make:
    return lambda world: ChangeEvent(event_id=world.event, **changes)


def registering(**how: Any) -> Make:
    return lambda world: RegisterVisitor(**registered(world, **how))


def adding(**how: Any) -> Make:
    return lambda world: AddVisitor(**registered(world, **how))


ABOUT_PEOPLE: dict[str, Make] = {
    "register": registering(),
    "register or wait": registering(join_waiting_list=True),
    "wait or register": registering(join_waiting_list=True),
    "add": adding(),
    "add or wait": adding(join_waiting_list=True),
    f"add {OVER_CAPACITY}": adding(over_capacity=True),
    "leave": lambda w: LeaveEvent(visitor_id=w.visitor, episode=w.episode),
    "cancel": lambda w: CancelVisitor(visitor_id=w.visitor),
    "erase": lambda w: EraseVisitor(visitor_id=w.visitor),
    "confirm": lambda w: ConfirmVisitor(visitor_id=w.visitor, episode=w.episode),
    "lapse": lambda w: LapseVisitor(visitor_id=w.visitor),
    "correct the name": lambda w: CorrectVisitor(
        visitor_id=w.visitor, full_name=FullName("Augusta"), email=Email(w.email)
    ),
    "correct the email": lambda w: CorrectVisitor(
        visitor_id=w.visitor, full_name=FullName("Ada"), email=Email(w.other_email)
    ),
    f"promote {BY_HAND}": lambda w: PromoteVisitor(visitor_id=w.visitor),
    f"promote {BY_HAND} {OVER_CAPACITY}": lambda w: PromoteVisitor(
        visitor_id=w.visitor, over_capacity=True
    ),
}

ABOUT_EVENTS: dict[str, Make] = {
    "promote who waits": lambda w: PromoteWaiting(event_id=w.event),
    **{f"capacity {n}": change(capacity=Capacity(n)) for n in range(4)},
    "no capacity": change(capacity=None),
    **{f"waiting list {kind}": change(waiting_list=kind) for kind in get_args(WaitingList)},
    "close": change(status="closed"),
    "open": change(status="open"),
    "confirm within": change(confirm_within=LongDuration("PT1H")),
    "need not confirm": change(confirm_within=None),
    "postpone": lambda w: ChangeEvent(event_id=w.event, event_datetime=w.now + timedelta(days=3)),
    "cancel the event": lambda w: CancelEvent(event_id=w.event),
    "reinstate": lambda w: ReinstateEvent(event_id=w.event),
}

REMOVALS: dict[str, Make] = {
    "delete": lambda w: DeleteEvent(event_id=w.event),
    "restore": lambda w: RestoreEvent(event_id=w.event),
    "clean up": lambda w: CleanUpEvent(event_id=w.event, before=w.now),
}

COMMANDS = ABOUT_PEOPLE | ABOUT_EVENTS | REMOVALS
"""By their names, which the correlation ids have."""

OFTEN = ["register or wait"] * 4 + ["cancel", "reinstate", "open", "waiting list automatic"]
PERSON = st.sampled_from(PEOPLE)
COMMAND = st.builds(
    Command,
    st.sampled_from([*ABOUT_PEOPLE] * 4 + OFTEN * 4 + [*ABOUT_EVENTS, *REMOVALS]),
    st.sampled_from([0, 0, 0, 1]),
    PERSON,
    PERSON,
)
BATCH = st.integers(1, 5).flatmap(lambda size: st.lists(COMMAND, min_size=size, max_size=size))
HOURS = st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, 20])


class SeatsMachine(RuleBasedStateMachine):
    keys: ClassVar[InstallationKeys]
    database: ClassVar[Connection[Any]]
    connection: ClassVar[AsyncConnection[Any]]
    loop: ClassVar[asyncio.Runner]

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.identity = Identity(self.keys.identity)
        self.ledger = SeatRules()
        self.number = count()
        environment = Environment(now=lambda: self.now)
        self.deciders = [Decider(self.keys, APPLICATION, environment) for _ in range(2)]
        self.followed = self.run(last_position(self.connection))
        made = self.decide(0, [(name, an_event(at=BEGINS)) for name in ("one", "other")])
        self.fairs = [view.event.id for view in made]

    def run(self, coroutine: Any) -> Any:
        return self.loop.run(coroutine)

    @initialize(
        capacity=st.integers(0, 3).map(Capacity),
        waiting_list=st.sampled_from(["automatic", "automatic", "manual"]),
        confirm_within=st.none() | st.just(LongDuration("PT1H")),
    )
    def begin(self, **details: Any) -> None:
        changes = [ChangeEvent(event_id=fair, **details) for fair in self.fairs]
        self.decide(0, [("begin", change) for change in changes])

    @rule(by=st.integers(0, 1), hours=HOURS, batch=BATCH)
    def later(self, by: int, hours: int, batch: Sequence[Command]) -> None:
        self.now += timedelta(hours=hours)
        self.decide(by, [(command.name, self.made(command)) for command in batch])

    def made(self, command: Command) -> Any:
        event = self.fairs[1 if command.name in REMOVALS else command.fair]
        visitor = self.identity.visitor(event, Email(command.email))
        known = self.ledger.visitors.get(visitor)
        return COMMANDS[command.name](
            World(
                event=event,
                email=command.email,
                other_email=command.other_email,
                visitor=visitor,
                episode=known.episode if known else 0,
                now=self.now,
            )
        )

    def decide(self, by: int, commands: Sequence[tuple[str, Any]]) -> list[Any]:
        """What the accepted commands answer."""
        requests = [
            CommandRequest(
                command, Origin(actor="anonymous", correlation_id=f"{next(self.number)}: {name}")
            )
            for name, command in commands
        ]
        outcomes = self.run(self.deciders[by].execute(self.connection, requests))
        for outcome in outcomes:
            if isinstance(outcome, CommandFailure) and not isinstance(outcome.error, DomainError):
                raise outcome.error
        history = self.run(read_events(self.connection, after=self.followed, limit=1000))
        if history:
            self.followed = history[-1].position
        self.ledger.follow(history)
        return [outcome.value for outcome in outcomes if not isinstance(outcome, CommandFailure)]

    @invariant()
    def the_tables_equal_history(self) -> None:
        assert differences(self.database) == []
        rows = self.database.execute("SELECT event_id, taken FROM event_seats").fetchall()
        taken = dict[UUID, int](rows)
        queue = self.database.execute(
            "SELECT event_id, visitor_id FROM event_queue ORDER BY position"
        ).fetchall()
        for fair in self.fairs:
            seats = self.ledger.events[fair]
            assert taken.get(fair, 0) == len(seats.taken)
            assert [visitor for event, visitor in queue if event == fair] == seats.line


def test_no_sequence_of_commands_breaks_a_rule_of_seats(
    database_url: str,
    keys: InstallationKeys,
    database: Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with asyncio.Runner() as loop:
        connection = loop.run(connect(database_url))
        given = {"keys": keys, "database": database, "connection": connection, "loop": loop}
        for name, value in given.items():
            monkeypatch.setattr(SeatsMachine, name, value, raising=False)
        try:
            run_state_machine_as_test(SeatsMachine, settings=SETTINGS)
        finally:
            loop.run(connection.close())
