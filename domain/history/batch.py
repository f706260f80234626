"""What goes into a batch of commands, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from domain.core.errors import TryAgain


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who gives a command, and what led to it."""

    actor: str
    correlation_id: str
    causation_id: int | None = None


class Request(msgspec.Struct, frozen=True):
    command: Any
    origin: Origin
    at: datetime | None = None
    """The time of its events; None for the time when it is decided."""
    waiting_since: float | None = None
    """By `time.perf_counter`; None when it did not wait for its batch."""


class Done(msgspec.Struct, frozen=True):
    """The command was accepted."""

    value: Any
    position: int
    """Of its last event; of the last event before the decision when it led to none."""


class Failed(msgspec.Struct, frozen=True):
    """The command was refused (`DomainError`), the database was lost before it was committed
    (`UNAVAILABLE`), what it rests on is of a newer release (`UnknownEvent`), or it met a bug (any
    other exception)."""

    error: Exception


class Append(msgspec.Struct, frozen=True):
    """One attempt to append the events of a batch."""

    begun: float
    ended: float
    taken: bool
    """False when a stream had changed since it was read: what was refused is decided again."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch went, for counting and tracing. Times are by `time.perf_counter`."""

    requests: Sequence[Request]
    outcomes: Sequence[Done | Failed]
    begun: float
    ended: float
    appends: Sequence[Append]
    locked: bool
    """Whether it had to hold history's lock while it decided."""


Observer = Callable[[Batch], object]


class OutcomeUnknown(TryAgain):
    """The connection was lost during the commit: the change may have been made, or not"""
