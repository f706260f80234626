"""Decides one batch: on cached aggregates where possible, otherwise on loaded ones, and again if a
stream has changed since it was read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from time import perf_counter
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from domain.core.aggregate import Aggregate, RecordedEvent
from domain.core.availability import UNAVAILABLE
from domain.core.commands import People
from domain.core.seats import Outdated, SeatsNotLoaded
from domain.core.unit_of_work import NotLoaded, PersonNotKnown
from domain.history.batch import Append, CommandFailure, CommandRequest, Done, OutcomeUnknown
from domain.history.codec import UnknownEvent
from domain.history.handling import (
    NOTHING,
    AcceptedDecision,
    FailedDecision,
    Handling,
    NeedsLoading,
    Results,
)
from domain.history.idempotency import complete
from domain.history.replays import done_before, new_answers
from domain.history.seats import SeatCache, SeatChanges, changes_of
from domain.history.store import Appended, append, last_position, lock_history
from domain.history.streams import Loaded, Streams
from domain.privacy.keys import InstallationKeys

ROW_LOCK_TIMEOUT = "300ms"
"""How long an inline projection waits for a row that another session has locked. Nothing else is
appended in the meantime, and a batch is decided three times at most: a delay of about a second."""

OPTIMISTIC_TRIES = 2
"""Attempts without the lock of history. The next attempt holds the lock, and so succeeds."""

LOST: tuple[type[Exception], ...] = (*UNAVAILABLE, OutcomeUnknown)
"""Errors of a lost database. Batches that were committed before stay committed."""


class Deciding:
    """Decides one batch. The methods follow in the order in which they are called."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        handling: Handling,
        people: People,
        streams: Streams,
        seats: SeatCache,
        keys: InstallationKeys,
    ) -> None:
        self._connection = connection
        self._handling = handling
        self._people = people
        self._streams = streams
        self._seats = seats
        self._keys = keys
        self.appends: list[Append] = []
        self.locked = False

    async def decide(self, requests: Sequence[CommandRequest]) -> list[Done | CommandFailure]:
        """Decide on cached aggregates where possible, and the others on loaded ones."""
        outcomes: dict[int, Done | CommandFailure] = {}
        with suppress(_Changed, _OneFailed):
            outcomes |= await self._decide_on_cache(requests)
        remaining = [place for place in range(len(requests)) if place not in outcomes]
        if remaining:
            try:
                decided = await self._decide_each([requests[place] for place in remaining])
            except LOST as error:
                if not outcomes:
                    raise
                # The others are committed already.
                decided = [CommandFailure(error)] * len(remaining)
            outcomes |= zip(remaining, decided, strict=True)
        return [outcomes[place] for place in range(len(requests))]

    async def _decide_on_cache(
        self, requests: Sequence[CommandRequest]
    ) -> dict[int, Done | CommandFailure]:
        """Outcomes of the requests that can be decided without reading history, by their index.

        The append is refused if a decision has read an outdated state. So if it succeeds, all of
        these decisions are valid, refusals too. Without an append nothing proves them, and all
        requests are decided again. Raises `_Changed` and `_OneFailed`.
        """
        known: Loaded = {}
        places = list[int]()
        for place, request in enumerate(requests):
            if self._handling.row(request.command).completed_by is not None:
                continue  # it needs more than streams
            touches = self._handling.touches(request.command)
            found = self._streams.known(touches.existing)
            if all(found.values()):
                known |= found
                known |= self._streams.known(touches.begun)
                places.append(place)
        decisions = self._handling.run(
            [requests[place] for place in places],
            known,
            self._seats.known,
            [self._handling.new_ids() for _ in places],
        )
        accepted, refused = dict[int, AcceptedDecision](), dict[int, FailedDecision]()
        for place, decision in zip(places, decisions, strict=True):
            if isinstance(decision, FailedDecision):
                # What was done before may be refused now: its key has to be looked up.
                if requests[place].once is None:
                    refused[place] = decision
            elif isinstance(decision, AcceptedDecision) and decision.work.recorded:
                accepted[place] = decision
        if not accepted:
            return {}
        positions = await self._append(accepted.values(), known, refused.values())
        done = zip(accepted, _done(accepted.values(), positions), strict=True)
        return {place: CommandFailure(one.error) for place, one in refused.items()} | dict(done)

    async def _decide_each(self, requests: Sequence[CommandRequest]) -> list[Done | CommandFailure]:
        """Decide all requests together; if a stream has an event of a newer release, or a look-up
        or an inline projection fails, one by one, so that only the commands that need it fail."""
        try:
            return await self._decide_on_history(requests)
        except UnknownEvent as error:
            if len(requests) == 1:
                return [CommandFailure(error)]
        except _OneFailed as failed:
            if len(requests) == 1:
                return [CommandFailure(failed.error)]
        outcomes = list[Done | CommandFailure]()
        for request in requests:
            try:
                outcomes += await self._decide_each([request])
            except LOST as error:
                outcomes.append(CommandFailure(error))
        return outcomes

    async def _decide_on_history(
        self, requests: Sequence[CommandRequest]
    ) -> list[Done | CommandFailure]:
        """Decide until no stream changes in between; the last attempt locks history."""
        for _ in range(OPTIMISTIC_TRIES):
            with suppress(_Changed):
                return await self._try(requests)
        self.locked = True
        with _commit_of(self._connection):
            async with self._connection.transaction():
                await lock_history(self._connection)
                return await self._try(requests)

    async def _try(self, requests: Sequence[CommandRequest]) -> list[Done | CommandFailure]:
        """One attempt. Raises `_Changed`."""
        loaded, decisions = await self.load_and_run(requests)
        # After the streams were loaded: if they show what a call did, its key is there.
        if before := await done_before(self._connection, [request.once for request in requests]):
            others = [place for place in range(len(requests)) if place not in before]
            decided = await self._try([requests[place] for place in others]) if others else []
            before |= zip(others, decided, strict=True)
            return [before[place] for place in range(len(requests))]
        accepted = [d for d in decisions if isinstance(d, AcceptedDecision)]
        positions = await self._append(accepted, loaded)
        if not all(a.work.recorded for a in accepted):
            positions = [*positions, await last_position(self._connection)]
        done = _done(accepted, positions)
        return [
            CommandFailure(d.error) if isinstance(d, FailedDecision) else next(done)
            for d in decisions
        ]

    async def load_and_run(
        self, requests: Sequence[CommandRequest], before: Results = NOTHING
    ) -> tuple[Loaded, list[AcceptedDecision | FailedDecision]]:
        """Decide each request on the loaded streams and the results of the requests before it."""
        requests = [await self._completed(request) for request in requests]
        touches = [self._handling.touches(request.command) for request in requests]
        wanted = {id for touched in touches for id in (*touched.existing, *touched.begun)}
        loaded = await self._streams.load(self._connection, wanted)
        # A refusal is not checked by an append, so it needs seats that are read now.
        seats = SeatCache()
        ids = [self._handling.new_ids() for _ in requests]
        while True:
            decisions = self._handling.run(requests, loaded, seats.known, ids, before)
            decided = [d for d in decisions if not isinstance(d, NeedsLoading)]
            if len(decided) == len(decisions):
                self._seats.adopt(seats)
                return loaded, decided
            if any(isinstance(d, Outdated) for d in decisions):
                raise _Changed
            if missing := {id for d in decisions if isinstance(d, NotLoaded) for id in d.ids}:
                missing |= seats.next_in_line(missing, len(requests)) - loaded.keys()
                loaded |= await self._streams.load(self._connection, missing)
            unknown = [d.visitors for d in decisions if isinstance(d, PersonNotKnown)]
            if visitors := list(chain.from_iterable(unknown)):
                await self._people.look_up(self._connection, visitors)
            of_events = {d.event_id for d in decisions if isinstance(d, SeatsNotLoaded)}
            if of_events and not await seats.load(self._connection, of_events, loaded):
                raise _Changed

    async def _completed(self, request: CommandRequest) -> CommandRequest:
        """The request with what its handler needs besides streams. Raises `_OneFailed`."""
        look_up = self._handling.row(request.command).completed_by
        if look_up is None:
            return request
        with self._one_fails():
            async with self._connection.transaction():
                command = await look_up(self._connection, request.command)
        return msgspec.structs.replace(request, command=command)

    async def _append(
        self,
        accepted: Collection[AcceptedDecision],
        loaded: Loaded,
        refused: Iterable[FailedDecision] = (),
    ) -> list[int]:
        """Positions of the events. Raises `_Changed` when a stream or the seats that one of the
        commands read have changed since they were `loaded`."""
        events = [event for a in accepted for event in a.work.recorded]
        if not events:
            return []
        # Streams that the batch itself creates were not loaded: they count as read when empty.
        works, others = [a.work for a in accepted], [r.work for r in refused]
        read = {id: _version(loaded.get(id)) for work in (*works, *others) for id in work.read}
        seats = changes_of(works, others, loaded)
        begun = perf_counter()
        with _commit_of(self._connection):
            appended = await self._append_with_rows(accepted, events, read, seats)
        positions = appended.positions
        self.appends.append(Append(begun, perf_counter(), taken=positions is not None))
        self._seats.advance(seats, works, appended.seats, appended=positions is not None)
        if positions is None:
            raise _Changed
        changed = [a for one in accepted for a in one.work.changed.values()]
        self._streams.advance(self._connection, changed)
        return list(positions)

    async def _append_with_rows(
        self,
        accepted: Collection[AcceptedDecision],
        events: Sequence[RecordedEvent],
        read: dict[Any, int],
        seats: SeatChanges,
    ) -> Appended:
        """Append the events, and write the rows of inline projections in the same transaction.
        Raises `_OneFailed`."""
        inline = [
            (projection, a)
            for a in accepted
            if (projection := self._handling.row(a.command).inline) and a.work.recorded
        ]
        with self._one_fails():
            answers = list(new_answers(accepted))
        incomplete = [a for a in accepted if a.once and a.once.complete and a.work.recorded]
        if not inline and not incomplete:
            return await append(self._connection, events, read, self._keys, seats, answers)
        async with self._connection.transaction():
            appended = await append(self._connection, events, read, self._keys, seats, answers)
            if appended.positions is not None:
                with self._one_fails():
                    await self._connection.execute(f"SET LOCAL lock_timeout = '{ROW_LOCK_TIMEOUT}'")
                    for projection, a in inline:
                        await projection(self._connection, a.command, a.work)
                    for a in incomplete:
                        await complete(self._connection, a.once, a.value)
        return appended

    @contextmanager
    def _one_fails(self) -> Iterator[None]:
        """An error in here is of one command, unless the connection is lost."""
        try:
            yield
        except Exception as error:
            if self._connection.closed:
                raise
            raise _OneFailed(error) from error


@contextmanager
def _commit_of(connection: AsyncConnection[Any]) -> Iterator[None]:
    """If the connection is lost during the block, the outcome of the commit is unknown."""
    try:
        yield
    except psycopg.Error as error:
        if connection.closed:
            raise OutcomeUnknown from error
        raise


class _Changed(Exception):
    """A stream has changed since it was read; decide again."""


class _OneFailed(Exception):
    """A look-up or an inline projection of one command failed; decide the others without it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _version(aggregate: Aggregate | None) -> int:
    return aggregate.version if aggregate else 0


def _done(accepted: Iterable[AcceptedDecision], positions: Sequence[int]) -> Iterator[Done]:
    """The outcome of each accepted command, with the position of its last event; without events,
    with the last of the positions."""
    appended = 0
    for a in accepted:
        appended += len(a.work.recorded)
        if a.work.recorded:
            yield Done(a.value, positions[appended - 1], stored=a.once is not None)
        else:
            yield Done(a.value, positions[-1])
