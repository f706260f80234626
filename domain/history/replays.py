"""What is done once: whether it was done before, and what is stored of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from psycopg import AsyncConnection

from domain.core.availability import UNAVAILABLE
from domain.core.seats import SeatHolder
from domain.history.batch import CommandFailure, CommandRequest, Done
from domain.history.handling import AcceptedDecision
from domain.history.idempotency import (
    IdempotencyKeyReused,
    NewAnswer,
    Once,
    Stored,
    lock,
    look_up,
    store,
)

Outcome = Done | CommandFailure

D = TypeVar("D", Done, Done | None)

Decide = Callable[[Sequence[CommandRequest]], Awaitable[list[Outcome]]]


async def decide_once(
    connection: AsyncConnection[Any], requests: Sequence[CommandRequest], decide: Decide
) -> list[Outcome]:
    """Decide the first request of each key; the others get its outcome."""
    repeats = _repeats(requests)
    if not repeats:
        return await decide(requests)
    places = [place for place in range(len(requests)) if place not in repeats]
    decided = await decide([requests[place] for place in places])
    outcomes = dict(zip(places, decided, strict=True))
    try:
        stored = await done_before(connection, [requests[place].once for place in repeats])
    except UNAVAILABLE as error:  # the others may be committed already
        stored = dict.fromkeys(range(len(repeats)), CommandFailure(error))
    for index, (place, first) in enumerate(repeats.items()):
        # What is not stored led to no event: the same call at the same time leads to none either.
        outcomes[place] = (
            stored.get(index) or _same(requests[place], requests[first]) or outcomes[first]
        )
    return [outcomes[place] for place in range(len(requests))]


def _repeats(requests: Sequence[CommandRequest]) -> dict[int, int]:
    """The place of each request whose key another one before it has -> the place of that one."""
    first = dict[bytes, int]()
    return {
        place: first[request.once.key]
        for place, request in enumerate(requests)
        if request.once and first.setdefault(request.once.key, place) != place
    }


def _same(request: CommandRequest, first: CommandRequest) -> CommandFailure | None:
    """A failure unless it is the same call."""
    is_same = request.once and first.once and request.once.fingerprint == first.once.fingerprint
    return None if is_same else CommandFailure(IdempotencyKeyReused())


async def done_before(
    connection: AsyncConnection[Any], calls: Sequence[Once | None]
) -> dict[int, Outcome]:
    """Outcomes of the calls whose key is known, by their index."""
    found = await look_up(connection, calls)
    return {
        index: Done(None, stored.position, replayed=stored.answer)
        if isinstance(stored, Stored)
        else CommandFailure(stored)
        for index, stored in found.items()
    }


def new_answers(accepted: Iterable[AcceptedDecision]) -> Iterator[NewAnswer]:
    """Those of commands that are done once and that led to events. The answer of a command that
    needs completion is left empty."""
    appended = 0
    for a in accepted:
        appended += len(a.work.recorded)
        if a.once and a.work.recorded:
            answer = b"" if a.once.complete else a.once.answer(a.value)
            holders = (id for id, each in a.work.changed.items() if isinstance(each, SeatHolder))
            yield NewAnswer(a.once, answer, index=appended - 1, about=next(holders, None))


async def done_once(
    connection: AsyncConnection[Any], once: Once | None, write: Callable[[], Awaitable[D]]
) -> Done | D:
    """For what is no command: what `write` does in the connection's transaction, or the stored
    answer. None, a refusal, is not stored. Raises IdempotencyKeyReused."""
    if once is None:
        return await write()
    await lock(connection, once)
    for before in (await done_before(connection, [once])).values():
        return before.or_raise()
    done = await write()
    if done is None:
        return done
    await store(connection, once, done.value, done.position)
    return Done(done.value, done.position, stored=True)
