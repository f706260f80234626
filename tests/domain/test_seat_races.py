"""Each refusal of seats beside what undoes it, by two writers: a refusal is true at some moment
between the question and the answer, and afterwards all is as the rules want it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest

from domain.core.errors import DomainError, InvalidFields
from domain.core.values import Capacity
from domain.departures import CancelVisitor, LeaveEvent, ResendMessage
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent
from domain.history.batch import Origin
from domain.history.group_commit import Writer
from domain.registrations import RegisterVisitor
from domain.visitors import (
    AlreadyWaiting,
    CancellationClosed,
    DeadlinePassed,
    DuplicateRegistration,
    EventCancelled,
    EventClosed,
    EventFull,
    LinkExpired,
    NotRegistered,
    NotWaiting,
    Visitor,
)
from domain.waiting_list import PromoteVisitor
from tests.domain.seat_rules import BY_HAND, OVER_CAPACITY
from tests.domain.storm import check
from tests.support.installation import ORIGIN, Installation, an_event, visitor

pytestmark = pytest.mark.anyio

TURNS = 40

Make = Callable[[UUID, Visitor], Any]
"""A command, of the event and the visitor as last seen."""


def register(fair: UUID, _: Visitor) -> RegisterVisitor:
    one = visitor(fair, 1)
    return RegisterVisitor(event_id=fair, full_name=one.full_name, email=one.email)


def join(fair: UUID, one: Visitor) -> RegisterVisitor:
    return msgspec.structs.replace(register(fair, one), join_waiting_list=True)


def leave(_: UUID, one: Visitor) -> CancelVisitor:
    return CancelVisitor(visitor_id=one.id)


def change(**fields: Any) -> Make:
    return lambda fair, _: ChangeEvent(event_id=fair, **fields)


def deadline(time_left: timedelta) -> Make:
    return lambda fair, _: ChangeEvent(
        event_id=fair, registration_deadline=datetime.now(UTC) + time_left
    )


class Race(NamedTuple):
    done: Sequence[Make]
    """What leads to the refusal."""
    undone: Sequence[Make]
    ask: Make = register
    """What is refused or accepted."""
    also: tuple[type[DomainError], ...] = ()
    """Other refusals that are true between two of the commands."""
    marks: str = ""
    """What the check of the seats must know of the command."""


FULL, ROOM = change(capacity=Capacity(0)), change(capacity=Capacity(1))

RACES: dict[type[DomainError], Race] = {
    EventFull: Race([FULL, leave], [ROOM], also=(DuplicateRegistration,)),
    DuplicateRegistration: Race([register], [leave]),
    AlreadyWaiting: Race([FULL, join], [leave], join, (DuplicateRegistration,)),
    EventClosed: Race(
        [change(status="closed")],
        [change(status="open"), leave],
        also=(DuplicateRegistration,),
    ),
    EventCancelled: Race(
        [lambda fair, _: CancelEvent(event_id=fair)],
        [lambda fair, _: ReinstateEvent(event_id=fair), leave],
        also=(DuplicateRegistration,),
    ),
    DeadlinePassed: Race(
        [deadline(timedelta(milliseconds=50))],
        [deadline(timedelta(days=1)), leave],
        also=(DuplicateRegistration,),
    ),
    NotWaiting: Race(
        [leave],
        [FULL, join],
        lambda _, one: PromoteVisitor(visitor_id=one.id, over_capacity=True),
        marks=f"{BY_HAND} {OVER_CAPACITY}",
    ),
    NotRegistered: Race([leave], [register], lambda _, one: ResendMessage(visitor_id=one.id)),
    CancellationClosed: Race(
        [register, change(cancel_until=datetime(2020, 1, 1, tzinfo=UTC))],
        [change(cancel_until=None)],
        lambda _, one: LeaveEvent(visitor_id=one.id, episode=one.episode),
        also=(LinkExpired,),
    ),
}


@pytest.mark.parametrize("refusal", RACES, ids=lambda refusal: refusal.__name__)
async def test_a_refusal_is_correct_in_a_race_with_what_removes_its_cause(
    installation: Installation, refusal: type[DomainError]
) -> None:
    race, numbers = RACES[refusal], count()
    answers = Counter[str]()
    async with installation.writers(2) as (one, other):
        fair = (await one.execute(an_event(), ORIGIN)).value.event.id
        await one.execute(ChangeEvent(event_id=fair, waiting_list="automatic"), ORIGIN)
        person = Visitor(id=installation.visitor(fair, visitor(fair, 1).email))

        async def give(by: Writer, make: Make) -> None:
            nonlocal person
            marks = race.marks if make is race.ask else ""
            origin = Origin(actor="anonymous", correlation_id=f"{next(numbers)} {marks}")
            answer = (await by.execute(make(fair, person), origin)).value
            if isinstance(answer, Visitor):
                person = answer

        await give(one, register)

        async def alternate() -> None:
            for turn in range(TURNS):
                makes, wanted = (race.undone, "accepted") if turn % 2 else (race.done, "refused")
                before = answers[wanted]
                for make in makes:
                    # The other one was first, or a busy machine decided after the new deadline.
                    with suppress(DuplicateRegistration, AlreadyWaiting, InvalidFields):
                        await give(other, make)
                for _ in range(100):  # a race may also end so that this answer comes no more
                    if answers[wanted] > before:
                        break
                    await asyncio.sleep(0.001)

        async def ask() -> None:
            while not alternating.done():
                try:
                    await give(one, race.ask)
                except refusal:
                    answers["refused"] += 1
                except race.also:
                    answers["other"] += 1
                else:
                    answers["accepted"] += 1

        alternating = asyncio.create_task(alternate())
        await ask()
        await alternating
    assert answers["refused"] > 0, "it was never refused"
    assert answers["accepted"] > 0, "it was always refused"
    await asyncio.to_thread(check, installation.database_url)
