"""The requests and the outcomes of a batch of commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn, Self

import msgspec

from domain.core.errors import TryAgain
from domain.history.idempotency import Once


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The actor of a command, and its cause."""

    actor: str
    correlation_id: str
    causation_id: int | None = None


class CommandRequest(msgspec.Struct, frozen=True):
    command: Any
    origin: Origin
    at: datetime | None = None
    """The time of its events; None for the time when it is decided."""
    waiting_since: float | None = None
    """Time of `time.perf_counter`; None when it did not wait for its batch."""
    once: Once | None = None


class Done(msgspec.Struct, frozen=True):
    """The command was accepted."""

    value: Any
    position: int
    """Position of its last event; without events, the last position of history at the decision. 0
    for what is no command and writes no history."""
    stored: bool = False
    """Whether its answer was stored, to be sent again."""
    replayed: bytes | None = None
    """The stored answer, if the command was done before. Then it has no value."""

    def or_raise(self) -> Self:
        return self


class CommandFailure(msgspec.Struct, frozen=True):
    """The command was refused (`DomainError`), the database was lost before the commit
    (`UNAVAILABLE`), a stream has an event of a newer release (`UnknownEvent`), or there was a bug
    (any other exception)."""

    error: Exception

    def or_raise(self) -> NoReturn:
        raise self.error


class Append(msgspec.Struct, frozen=True):
    """One attempt to append the events of a batch."""

    begun: float
    ended: float
    taken: bool
    """False when a stream had changed since it was read: the batch is decided again."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a batch, for metrics and traces. Times are seconds of `time.perf_counter`."""

    requests: Sequence[CommandRequest]
    outcomes: Sequence[Done | CommandFailure]
    begun: float
    ended: float
    appends: Sequence[Append]
    locked: bool
    """Whether it was decided under the lock of history."""


Observer = Callable[[Batch], object]


Execute = Callable[[Any, Origin], Awaitable[Done]]
"""Executes one command. Raises what the command failed with."""


class OutcomeUnknown(TryAgain):
    """The connection was lost during the commit: the change may have been made, or not"""

    def __str__(self) -> str:
        return (
            f"{super().__str__()}. With an Idempotency-Key it is safe to send the same call again;"
            " without one, look first whether it was made"
        )
