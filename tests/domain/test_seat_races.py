"""Each refusal of seats beside what undoes it, by two writers: a refusal is true at some moment
between the question and the answer, and afterwards all is as the rules want it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from domain.core.errors import DomainError
from domain.core.values import Capacity
from domain.departures import CancelVisitor
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.events import ChangeEvent
from domain.history.batch import Origin
from domain.history.group_commit import Writer
from domain.registrations import RegisterVisitor
from domain.visitors import (
    AlreadyWaiting,
    DuplicateRegistration,
    EventCancelled,
    EventClosed,
    EventFull,
)
from tests.domain.storm import check
from tests.support.installation import ORIGIN, Installation, an_event, visitor

pytestmark = pytest.mark.anyio

TURNS = 60

Make = Callable[[UUID, UUID], Any]
"""A command, of the event and the visitor."""


def ask(fair: UUID, number: int, *, wait: bool) -> RegisterVisitor:
    one = visitor(fair, number)
    return RegisterVisitor(
        event_id=fair, full_name=one.full_name, email=one.email, join_waiting_list=wait
    )


def capacity(seats: int) -> Make:
    return lambda fair, _: ChangeEvent(event_id=fair, capacity=Capacity(seats))


def leave(_: UUID, one: UUID) -> CancelVisitor:
    return CancelVisitor(visitor_id=one)


RACES: dict[type[DomainError], tuple[Sequence[Make], Sequence[Make]]] = {
    EventFull: ([capacity(0), leave], [capacity(1)]),
    DuplicateRegistration: ([], [leave]),
    AlreadyWaiting: ([capacity(0)], [leave]),
    EventClosed: (
        [lambda fair, _: ChangeEvent(event_id=fair, status="closed")],
        [lambda fair, _: ChangeEvent(event_id=fair, status="open"), leave],
    ),
    EventCancelled: (
        [lambda fair, _: CancelEvent(event_id=fair)],
        [lambda fair, _: ReinstateEvent(event_id=fair), leave],
    ),
}
"""What leads to the refusal, and what undoes it."""


@pytest.mark.parametrize("refusal", RACES, ids=lambda refusal: refusal.__name__)
async def test_a_refusal_races_with_what_undoes_it(
    installation: Installation, refusal: type[DomainError]
) -> None:
    done, undone = RACES[refusal]
    numbers, refused, accepted = count(), 0, 0
    async with installation.writers(2) as (one, other):

        async def give(by: Writer, command: Any) -> Any:
            origin = Origin(actor="anonymous", correlation_id=f"{next(numbers)}")
            return (await by.execute(command, origin)).value

        fair = (await one.execute(an_event(), ORIGIN)).value.event.id
        await give(one, ChangeEvent(event_id=fair, waiting_list="automatic"))
        wait = refusal is AlreadyWaiting
        person = installation.visitor(fair, visitor(fair, 1).email)
        await give(one, ask(fair, 1, wait=wait))

        async def change() -> None:
            for turn in range(TURNS):
                for make in (done, undone)[turn % 2]:
                    await give(other, make(fair, person))

        async def register() -> None:
            nonlocal refused, accepted
            while not changing.done():
                try:
                    await give(one, ask(fair, 1, wait=wait))
                except refusal:
                    refused += 1
                except (DuplicateRegistration, AlreadyWaiting):
                    pass
                else:
                    accepted += 1

        changing = asyncio.create_task(change())
        await register()
        await changing
    assert refused > 0, "it was never refused"
    assert accepted > 0, "it was always refused"
    await asyncio.to_thread(check, installation.database_url)
