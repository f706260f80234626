"""Seats: who holds one, how many are taken, and what a decision about them rests on.

Each event has two counters and a line of waiting visitors. No handler counts: what a command
changes is computed from the holders before and after it, and the append adds the sum of a batch to
the counters in the transaction of the events (docs/decisions/0058-seats.md). A decision that
depends on a counter is valid for an interval of its values; the append is refused when the counter
is outside of it.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate

Seat = Literal["taken", "waiting"]

LOWEST, HIGHEST = -(2**31), 2**31 - 1
"""The interval of a counter that a decision does not depend on."""


class SeatHolder(Aggregate, frozen=True, kw_only=True):
    """An aggregate that takes a seat of an event, or waits for one."""

    event_id: UUID | None = None
    """The event; None before the first event of the stream."""
    joined: int = 0
    """Version of the event with which it joined the line: different each time that it joins."""
    takes_place_of: UUID | None = None
    """The holder whose place in the line it took over when it joined."""

    @property
    def seat(self) -> Seat | None:
        raise NotImplementedError


class SeatsNotLoaded(Exception):
    """A handler needs the seats of an event that were not loaded, or not the line."""

    def __init__(self, event_id: UUID) -> None:
        super().__init__(event_id)
        self.event_id = event_id


class Outdated(Exception):
    """What was loaded contradicts itself: some of it is older than the rest. Load again."""


class Bounds(msgspec.Struct, frozen=True):
    """The values of the counters, before the batch, that a decision is valid for."""

    taken_min: int = LOWEST
    taken_max: int = HIGHEST
    waiting_min: int = LOWEST
    waiting_max: int = HIGHEST

    def also(self, other: Bounds) -> Bounds:
        """The values that both allow."""
        return Bounds(
            max(self.taken_min, other.taken_min),
            min(self.taken_max, other.taken_max),
            max(self.waiting_min, other.waiting_min),
            min(self.waiting_max, other.waiting_max),
        )


ANY = Bounds()


class Counters(msgspec.Struct, frozen=True):
    """The counters of one event after the last append."""

    taken: int = 0
    waiting: int = 0
    line: tuple[UUID, ...] | None = None
    """The first in line, in their order; None when it was not loaded."""

    @property
    def line_is_whole(self) -> bool:
        return self.line is not None and len(self.line) == self.waiting


NO_SEATS = Counters(line=())
"""The counters of an event that a command creates: there is nothing to load."""


class EventSeats(msgspec.Struct, frozen=True):
    """The seats of one event at some moment within a batch."""

    before: Counters | None = None
    """Before the batch; None when they were not loaded, which is enough to count."""
    taken: int = 0
    """What the batch has added so far; less than 0 when it freed seats."""
    waiting: int = 0
    line: tuple[UUID, ...] | None = None

    @classmethod
    def at(cls, before: Counters | None) -> EventSeats:
        return cls(before=before, line=before.line if before else None)

    @property
    def now(self) -> Counters | None:
        if self.before is None:
            return None
        taken = self.before.taken + self.taken
        return Counters(taken, self.before.waiting + self.waiting, self.line)

    def changed(self, former: Seat | None, holder: SeatHolder, seat: Seat | None) -> EventSeats:
        """The seats after an event of a holder, who had the former seat and has the other now."""
        return EventSeats(
            self.before,
            self.taken + (seat == "taken") - (former == "taken"),
            self.waiting + (seat == "waiting") - (former == "waiting"),
            self._line_with(holder) if seat == "waiting" else self._line_without(holder),
        )

    def _line_with(self, holder: SeatHolder) -> tuple[UUID, ...] | None:
        line, now = self.line, self.now
        if line is None or now is None:
            return None
        if holder.takes_place_of in line:
            return tuple(holder.id if id == holder.takes_place_of else id for id in line)
        # A line that is known only in part cannot be joined at its end.
        return (*line, holder.id) if now.line_is_whole else line

    def _line_without(self, holder: SeatHolder) -> tuple[UUID, ...] | None:
        if self.line is None or holder.id not in self.line:
            return self.line
        return tuple(id for id in self.line if id != holder.id)

    def has_room(self, capacity: int | None) -> tuple[bool, Bounds]:
        """Whether a newcomer gets a seat: one is free, and no visitor waits for it."""
        is_free, bounds = self.has_free_seat(capacity)
        if not is_free:
            return False, bounds
        if self._loaded.waiting > 0:
            return False, Bounds(waiting_min=1 - self.waiting)
        return True, bounds.also(Bounds(waiting_max=-self.waiting))

    def has_free_seat(self, capacity: int | None) -> tuple[bool, Bounds]:
        """Whether one is free, for the first in line or for anybody else."""
        if capacity is None:
            return True, ANY
        if self._loaded.taken < capacity:
            return True, Bounds(taken_max=capacity - 1 - self.taken)
        return False, Bounds(taken_min=capacity - self.taken)

    def next_in_line(self, capacity: int | None) -> tuple[UUID | None, Bounds]:
        """The holder that gets a seat next: the first in line, if a seat is free. The version check
        of the append notices when another becomes the first: holders join at the end, and when the
        first leaves, its stream changes."""
        now = self._loaded
        if now.waiting <= 0:
            return None, Bounds(waiting_max=-self.waiting)
        is_free, bounds = self.has_free_seat(capacity)
        if not is_free:
            return None, bounds
        if not self.line:
            raise LookupError("the line was not loaded")
        return self.line[0], bounds

    @property
    def _loaded(self) -> Counters:
        if self.now is None:
            raise LookupError("the seats were not loaded")
        return self.now
