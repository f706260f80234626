"""Many commands decided together and appended to history in one commit.

Load what they touch, decide each in memory, append all events: two round trips however many
commands. Nobody in a batch is hurt by another's refusal or bug. History stays serializable: the
append answers that a stream which was read has moved, and then the batch is decided again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection

from domain.aggregate import Aggregate, Metadata
from domain.application import HANDLERS, TOUCHES
from domain.history import append, last_position, lock_history
from domain.identity import Identity
from domain.personal_data import InstallationKeys
from domain.streams import Loaded, Streams
from domain.work import NotLoaded, Surroundings, Work

OPTIMISTIC_TRIES = 2
"""Decisions made without holding history's lock, before one that holds it and so is the last."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a command is given, and what led to it."""

    actor: str
    correlation_id: str
    causation_id: int | None = None


class Request(msgspec.Struct, frozen=True):
    command: Any
    origin: Origin


class Done(msgspec.Struct, frozen=True):
    """What became of an accepted command."""

    value: Any
    position: int
    """Of its last event; of the last event before the decision when it led to none."""


class Failed(msgspec.Struct, frozen=True):
    """The command was refused (`DomainError`), or met a bug (any other exception)."""

    error: Exception


class OutcomeUnknown(Exception):
    """The connection broke while it was committed: it may have happened, or may not"""


class Decider:
    """Decides batches of commands; keeps what it has read of history between them."""

    def __init__(self, keys: InstallationKeys, surroundings: Surroundings | None = None) -> None:
        self._keys = keys
        self._identity = Identity(keys.identity)
        self._surroundings = surroundings or Surroundings()
        self._streams = Streams()

    async def execute(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> list[Done | Failed]:
        """One outcome for each request, in their order. What is done is committed with the
        connection's transaction: at once in autocommit mode. Raises `OutcomeUnknown`."""
        for _ in range(OPTIMISTIC_TRIES):
            with suppress(_Moved):
                return await self._try(connection, requests)
        with _commit_of(connection):
            async with connection.transaction():
                await lock_history(connection)
                return await self._try(connection, requests)

    async def _try(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> list[Done | Failed]:
        """One attempt. Raises `_Moved` when what was read moved before the append."""
        loaded, decisions = await self._decide(connection, requests)
        accepted = [d for d in decisions if isinstance(d, _Accepted)]
        events = [event for a in accepted for event in a.work.recorded]
        positions = list[int]()
        if events:
            # Streams that the batch itself begins were not loaded: they were read as blank.
            read = {id: _version(loaded.get(id)) for a in accepted for id in a.work.read}
            with _commit_of(connection):
                appended = await append(connection, events, read, self._keys)
            if appended is None:
                raise _Moved
            positions = appended
        if all(a.work.recorded for a in accepted):
            return _outcomes(decisions, positions, idle_position=0)
        return _outcomes(decisions, positions, await last_position(connection))

    async def _decide(
        self, connection: AsyncConnection[Any], requests: Sequence[Request]
    ) -> tuple[Loaded, list[_Accepted | Failed]]:
        """Decide each request in turn, on what history has and the ones before it led to."""
        wanted = {
            id
            for request in requests
            for id in TOUCHES[type(request.command)](request.command, self._identity)
        }
        loaded = await self._streams.load(connection, wanted)
        while True:
            decisions, missing = self._run_handlers(requests, loaded)
            if not missing:
                return loaded, decisions
            loaded |= await self._streams.load(connection, missing)

    def _run_handlers(
        self, requests: Sequence[Request], loaded: Loaded
    ) -> tuple[list[_Accepted | Failed], set[UUID]]:
        staged, decisions, missing = dict(loaded), list[_Accepted | Failed](), set[UUID]()
        now = self._surroundings.now()
        for request in requests:
            work = Work(
                staged,
                self._identity,
                self._surroundings,
                Metadata(
                    timestamp=now,
                    actor=request.origin.actor,
                    correlation_id=request.origin.correlation_id,
                    causation_id=request.origin.causation_id,
                ),
            )
            try:
                value = HANDLERS[type(request.command)](request.command, work)
            except NotLoaded as not_loaded:
                missing.add(not_loaded.id)
            except Exception as error:  # noqa: BLE001  refused, or a bug: the caller is told
                decisions.append(Failed(error))
            else:
                staged.update(work.changed)
                decisions.append(_Accepted(value, work))
        return decisions, missing


@contextmanager
def _commit_of(connection: AsyncConnection[Any]) -> Iterator[None]:
    """A connection lost in here leaves it open whether the server committed."""
    try:
        yield
    except psycopg.OperationalError as error:
        if connection.closed:
            raise OutcomeUnknown from error
        raise


class _Moved(Exception):
    """A stream that the decision read has moved; decide again."""


class _Accepted(msgspec.Struct, frozen=True):
    value: Any
    work: Work


def _version(aggregate: Aggregate | None) -> int:
    return aggregate.version if aggregate else 0


def _outcomes(
    decisions: Sequence[_Accepted | Failed], positions: Sequence[int], idle_position: int
) -> list[Done | Failed]:
    """Give each accepted command the position of its last event."""
    outcomes, appended = list[Done | Failed](), 0
    for decision in decisions:
        if isinstance(decision, Failed):
            outcomes.append(decision)
            continue
        appended += (own := len(decision.work.recorded))
        position = positions[appended - 1] if own else idle_position
        outcomes.append(Done(decision.value, position))
    return outcomes
