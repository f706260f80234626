"""Many commands decided together and appended to history in one commit.

Decide each in memory, append all events: one round trip however many commands, and one more to
load what is not known. Nobody in a batch is hurt by another's refusal or bug. History stays
serializable: the append answers that a stream which was read has moved, and then what it refused
is decided again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from domain.application import HANDLERS, TOUCHES, Touches
from domain.core.aggregate import Aggregate, Metadata, RecordedEvent
from domain.core.availability import UNAVAILABLE
from domain.core.ids import Identity
from domain.core.unit_of_work import NotLoaded, PersonNotKnown, Surroundings, Work
from domain.history.codec import UnknownEvent
from domain.history.store import append, last_position, lock_history
from domain.history.streams import Loaded, Streams
from domain.people import KnownPeople
from domain.privacy.keys import InstallationKeys

OPTIMISTIC_TRIES = 2
"""Decisions on loaded streams without holding history's lock, before one that holds it and so is
the last."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a command is given, and what led to it."""

    actor: str
    correlation_id: str
    causation_id: int | None = None


class Request(msgspec.Struct, frozen=True):
    command: Any
    origin: Origin
    at: datetime | None = None
    """The time of its events; None for when it is decided."""
    waiting_since: float | None = None
    """By `time.perf_counter`; None when it did not wait for its batch."""


class Done(msgspec.Struct, frozen=True):
    """What became of an accepted command."""

    value: Any
    position: int
    """Of its last event; of the last event before the decision when it led to none."""


class Failed(msgspec.Struct, frozen=True):
    """The command was refused (`DomainError`), the database was lost before it was committed
    (`UNAVAILABLE`), what it rests on is of a newer release (`UnknownEvent`), or it met a bug (any
    other exception)."""

    error: Exception


class Append(msgspec.Struct, frozen=True):
    """One attempt to append what a batch led to."""

    begun: float
    ended: float
    taken: bool
    """False when a stream that was read had moved: what was refused is decided again."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch went, for whoever counts or traces. Times are by `time.perf_counter`."""

    requests: Sequence[Request]
    outcomes: Sequence[Done | Failed]
    begun: float
    ended: float
    appends: Sequence[Append]
    locked: bool
    """Whether it had to hold history's lock while it decided."""


Observer = Callable[[Batch], object]


class OutcomeUnknown(Exception):
    """The connection broke while it was committed: it may have happened, or may not"""


class Decider:
    """Decides batches of commands, one at a time; keeps what it has read of history between them.

    `observer` is told of each batch once its callers have their answers; they never wait for it.
    """

    def __init__(
        self,
        keys: InstallationKeys,
        surroundings: Surroundings | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._keys = keys
        self._identity = Identity(keys.identity)
        self._surroundings = surroundings or Surroundings()
        self._observer = observer
        self._streams = Streams()
        self._people = KnownPeople(keys)
        self._appends: list[Append] = []
        self._locked = False

    async def execute(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> list[Done | Failed]:
        """One outcome for each request, in their order. What is done is committed with the
        connection's transaction: at once in autocommit mode. Raises `OutcomeUnknown`.

        The requests count as given at the same time: which is decided first is not promised.
        """
        begun, self._appends, self._locked = perf_counter(), [], False
        try:
            outcomes = await self._decide(connection, requests)
        except Exception as error:
            self._tell(requests, [Failed(error)] * len(requests), begun)
            raise
        self._tell(requests, outcomes, begun)
        return outcomes

    def _tell(
        self, requests: Sequence[Request], outcomes: Sequence[Done | Failed], begun: float
    ) -> None:
        """By way of the event loop, so that a bug in the observer is no command's."""
        if self._observer is None:
            return
        batch = Batch(
            requests=requests,
            outcomes=outcomes,
            begun=begun,
            ended=perf_counter(),
            appends=self._appends,
            locked=self._locked,
        )
        asyncio.get_running_loop().call_soon(self._observer, batch)

    async def _decide(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> list[Done | Failed]:
        """By what is known, and what that does not settle by what history has."""
        outcomes: dict[int, Done | Failed] = {}
        with suppress(_Moved):
            outcomes |= await self._decide_on_what_is_known(connection, requests)
        left = [place for place in range(len(requests)) if place not in outcomes]
        if left:
            remaining = [requests[place] for place in left]
            try:
                decided = await self._decide_surely(connection, remaining)
            except _LOST as error:
                if not outcomes:
                    raise
                decided = [Failed(error)] * len(left)  # the others are committed already
            except UnknownEvent as error:
                decided = [Failed(error)]
                if len(remaining) > 1:  # whom it concerns is found by asking one by one
                    decided = [(await self.execute(connection, [one]))[0] for one in remaining]
            outcomes |= zip(left, decided, strict=True)
        return [outcomes[place] for place in range(len(requests))]

    async def _decide_on_what_is_known(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> dict[int, Done | Failed]:
        """What can be decided without asking history first, by place among the requests.

        The append refuses decisions that knew too little, so when it takes what some led to, they
        are all as sound as any, refusals too. Without an append there is no such proof, and all is
        left to be decided again. Raises `_Moved`.
        """
        known: Loaded = {}
        places = list[int]()
        for place, request in enumerate(requests):
            touches = self._touches(request)
            found = self._streams.known(touches.existing)
            if all(found.values()):
                known |= found
                known |= self._streams.known(touches.begun)
                places.append(place)
        decisions = self._run_handlers([requests[place] for place in places], known)
        accepted, refused = dict[int, _Accepted](), dict[int, _Refused]()
        for place, decision in zip(places, decisions, strict=True):
            if isinstance(decision, _Refused):
                refused[place] = decision
            elif isinstance(decision, _Accepted) and decision.work.recorded:
                accepted[place] = decision
        if not accepted:
            return {}
        positions = await self._append(connection, accepted.values(), known, refused.values())
        done = zip(accepted, _done(accepted.values(), positions), strict=True)
        return {place: one.outcome for place, one in refused.items()} | dict(done)

    async def _decide_surely(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> list[Done | Failed]:
        """Decide on what history has: until nothing moves meanwhile, in the end by locking it."""
        for _ in range(OPTIMISTIC_TRIES):
            with suppress(_Moved):
                return await self._try(connection, requests)
        self._locked = True
        with _commit_of(connection):
            async with connection.transaction():
                await lock_history(connection)
                return await self._try(connection, requests)

    async def _try(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> list[Done | Failed]:
        """One attempt. Raises `_Moved`."""
        loaded, decisions = await self._load_and_decide(connection, requests)
        accepted = [d for d in decisions if isinstance(d, _Accepted)]
        positions = await self._append(connection, accepted, loaded)
        if not all(a.work.recorded for a in accepted):
            positions = [*positions, await last_position(connection)]
        done = _done(accepted, positions)
        return [d.outcome if isinstance(d, _Refused) else next(done) for d in decisions]

    async def _load_and_decide(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> tuple[Loaded, list[_Accepted | _Refused]]:
        """Decide each request on what history has, and the ones before it led to."""
        touches = [self._touches(request) for request in requests]
        wanted = {id for touched in touches for id in (*touched.existing, *touched.begun)}
        loaded = await self._streams.load(connection, wanted)
        while True:
            decisions = self._run_handlers(requests, loaded)
            decided = [d for d in decisions if not isinstance(d, NotLoaded | PersonNotKnown)]
            if len(decided) == len(decisions):
                return loaded, decided
            if missing := {d.id for d in decisions if isinstance(d, NotLoaded)}:
                loaded |= await self._streams.load(connection, missing)
            if unknown := [d.visitor for d in decisions if isinstance(d, PersonNotKnown)]:
                await self._people.look_up(connection, unknown)

    def _touches(self, request: Request) -> Touches:
        return TOUCHES[type(request.command)](request.command, self._identity)

    def _run_handlers(
        self, requests: Sequence[Request], loaded: Loaded
    ) -> list[_Accepted | _Refused | NotLoaded | PersonNotKnown]:
        staged = dict(loaded)
        decisions = list[_Accepted | _Refused | NotLoaded | PersonNotKnown]()
        events = list[RecordedEvent]()
        person = partial(self._people.person, events)
        now = self._surroundings.now()
        for request in requests:
            work = Work(
                staged,
                self._identity,
                self._surroundings,
                Metadata(
                    timestamp=request.at or now,
                    actor=request.origin.actor,
                    correlation_id=request.origin.correlation_id,
                    causation_id=request.origin.causation_id,
                ),
                person,
            )
            try:
                value = HANDLERS[type(request.command)](request.command, work)
            except (NotLoaded, PersonNotKnown) as unknown:
                decisions.append(unknown)
            except Exception as error:  # noqa: BLE001  refused, or a bug: the caller is told
                decisions.append(_Refused(Failed(error), work))
            else:
                staged.update(work.changed)
                events += work.recorded
                decisions.append(_Accepted(value, work))
        return decisions

    async def _append(
        self,
        connection: AsyncConnection[Any],
        accepted: Collection[_Accepted],
        loaded: Loaded,
        refused: Iterable[_Refused] = (),
    ) -> list[int]:
        """Positions of the events. Raises `_Moved` when a stream that one of them read moved since
        it was `loaded`."""
        events = [event for a in accepted for event in a.work.recorded]
        if not events:
            return []
        # Streams that the batch itself begins were not loaded: they were read as blank.
        works = [*(a.work for a in accepted), *(r.work for r in refused)]
        read = {id: _version(loaded.get(id)) for work in works for id in work.read}
        begun = perf_counter()
        with _commit_of(connection):
            positions = await append(connection, events, read, self._keys)
        self._appends.append(Append(begun, perf_counter(), taken=positions is not None))
        if positions is None:
            raise _Moved
        changed = [a for one in accepted for a in one.work.changed.values()]
        self._streams.advance(connection, changed)
        return positions


_LOST: tuple[type[Exception], ...] = (*UNAVAILABLE, OutcomeUnknown)


@contextmanager
def _commit_of(connection: AsyncConnection[Any]) -> Iterator[None]:
    """A connection lost in here leaves it open whether the server committed."""
    try:
        yield
    except psycopg.Error as error:
        if connection.closed:
            raise OutcomeUnknown from error
        raise


class _Moved(Exception):
    """A stream that the decision read has moved; decide again."""


class _Accepted(msgspec.Struct, frozen=True):
    value: Any
    work: Work


class _Refused(msgspec.Struct, frozen=True):
    """Or met with a bug."""

    outcome: Failed
    work: Work


def _version(aggregate: Aggregate | None) -> int:
    return aggregate.version if aggregate else 0


def _done(accepted: Iterable[_Accepted], positions: Sequence[int]) -> Iterator[Done]:
    """Each accepted command with the position of its last event; the last one of all there are
    when it led to none."""
    appended = 0
    for a in accepted:
        appended += len(a.work.recorded)
        yield Done(a.value, positions[appended - 1] if a.work.recorded else positions[-1])
