"""The counters of seats in the database: cached, loaded, and changed by the append.

`event_seats` and `event_queue` are derived from history, and written only by `append_to_history`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeGuard
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import Aggregate
from domain.core.seats import ANY, Bounds, Counters, EventSeats, SeatHolder
from domain.core.unit_of_work import Work

FIRST_IN_LINE = 128
"""Visitors that are loaded of each line: more than a batch usually promotes. If it promotes more,
four times as many are loaded."""

CACHED_EVENTS = 20_000


class SeatChange(msgspec.Struct, frozen=True):
    """What a batch changes of one event's seats, and what its decisions rest on."""

    event_id: UUID
    taken: int = 0
    waiting: int = 0
    bounds: Bounds = ANY


class Place(msgspec.Struct, frozen=True):
    """A place in line."""

    index: int
    """The domain event of the append whose position in history is the place."""
    of: UUID | None = None
    """The visitor who had it before the append, if it is taken over."""


class Joined(msgspec.Struct, frozen=True):
    """A visitor joins the line."""

    visitor_id: UUID
    event_id: UUID
    place: Place


class SeatChanges(msgspec.Struct, frozen=True):
    """What an append changes of seats."""

    events: Sequence[SeatChange] = ()
    left: Sequence[UUID] = ()
    """Visitors who leave their place in line, though they may have joined again."""
    joined: Sequence[Joined] = ()


NONE = SeatChanges()


def changes_of(
    accepted: Sequence[Work], refused: Iterable[Work], loaded: Mapping[UUID, Aggregate | None]
) -> SeatChanges:
    """The sum of the changes of a batch; its events are appended in this order."""
    bounds = dict[UUID, Bounds]()
    for work in (*accepted, *refused):
        for event_id, rested_on in work.bounds.items():
            bounds[event_id] = bounds.get(event_id, ANY).also(rested_on)
    seats = {id: EventSeats() for id in bounds}
    for work in accepted:
        seats |= work.seats
    if not seats:
        return NONE
    line = _Line(loaded)
    if any(work.changes_line for work in accepted):
        for work in accepted:
            line.follow(work)
    return SeatChanges(
        events=[
            SeatChange(id, changed.taken, changed.waiting, bounds.get(id, ANY))
            for id, changed in seats.items()
        ],
        left=line.left,
        joined=line.joined,
    )


class _Line:
    """Who joins the line of an event and who leaves it, by all works of a batch together."""

    def __init__(self, loaded: Mapping[UUID, Aggregate | None]) -> None:
        self._loaded = loaded
        self._holders = dict[UUID, SeatHolder]()
        self._places = dict[UUID, Place]()
        """The places of visitors who have joined."""
        self._events = 0
        """Number of events of all works so far."""

    def follow(self, work: Work) -> None:
        for id, holder in work.changed.items() if work.seats else ():
            if not isinstance(holder, SeatHolder):
                continue
            was = self._holders.get(id) or self._loaded.get(id)
            if not _waits(holder):
                self._places.pop(id, None)
            elif not (_waits(was) and was.joined == holder.joined):
                self._places[id] = self._place(holder, work)
            self._holders[id] = holder
        self._events += len(work.recorded)

    @property
    def left(self) -> list[UUID]:
        return [
            id
            for id, holder in self._holders.items()
            if _waits(self._loaded.get(id)) and (id in self._places or not _waits(holder))
        ]

    @property
    def joined(self) -> list[Joined]:
        return [
            Joined(id, event_id, place)
            for id, place in self._places.items()
            if (event_id := self._holders[id].event_id)
        ]

    def _place(self, holder: SeatHolder, work: Work) -> Place:
        former = holder.takes_place_of
        if former in self._places:
            return self._places[former]
        joined = (holder.id, holder.joined)
        streams = [(e.originator_id, e.originator_version) for e in work.recorded]
        return Place(self._events + streams.index(joined), of=former)


def _waits(holder: Aggregate | None) -> TypeGuard[SeatHolder]:
    return isinstance(holder, SeatHolder) and holder.seat == "waiting"


class SeatCache:
    """The last known counters by event. They may be outdated: an append checks what rests on
    them."""

    def __init__(self) -> None:
        self.known: dict[UUID, Counters] = {}

    def adopt(self, newer: SeatCache) -> None:
        if len(self.known) + len(newer.known) > CACHED_EVENTS:
            self.known.clear()
        self.known |= newer.known

    def next_in_line(self, visitors: Collection[UUID], count: int) -> set[UUID]:
        """The next `count` in line behind each of these: they may be promoted in the same batch."""
        found = set[UUID]()
        for line in (counters.line or () for counters in self.known.values()):
            for place, visitor in enumerate(line, 1):
                if visitor in visitors:
                    found |= set(line[place : place + count])
        return found

    async def load(
        self,
        connection: AsyncConnection[Any],
        event_ids: Collection[UUID],
        loaded: Mapping[UUID, Aggregate | None],
    ) -> bool:
        """Load these counters. True if the streams in `loaded` have not changed meanwhile, so that
        streams and counters are of the same moment."""
        known = [counters for id in event_ids if (counters := self.known.get(id))]
        longest = max((len(counters.line or ()) for counters in known), default=0)
        cursor = await connection.execute(
            """
            SELECT wanted.id, coalesce(s.taken, 0), coalesce(s.waiting, 0),
                   coalesce(line.ids, '{}'), streams.same
            FROM unnest(%b::uuid[]) AS wanted (id)
            LEFT JOIN event_seats s ON s.event_id = wanted.id
            CROSS JOIN LATERAL (
                SELECT array_agg(first.visitor_id ORDER BY first.position) AS ids FROM (
                    SELECT q.visitor_id, q.position FROM event_queue q
                    WHERE q.event_id = wanted.id ORDER BY q.position LIMIT %b
                ) AS first
            ) AS line
            CROSS JOIN (
                SELECT NOT EXISTS (
                    SELECT FROM unnest(%b::uuid[], %b::bigint[]) AS loaded (id, version)
                    JOIN history_events e
                    ON e.originator_id = loaded.id AND e.originator_version > loaded.version
                ) AS same
            ) AS streams
            """,
            [
                list(event_ids),
                max(FIRST_IN_LINE, 4 * longest),
                list(loaded),
                [aggregate.version if aggregate else 0 for aggregate in loaded.values()],
            ],
            binary=True,
        )
        all_same = True
        for id, taken, waiting, line, same in await cursor.fetchall():
            self.known[id] = Counters(taken, waiting, tuple(line))
            all_same &= same
        return all_same

    def advance(
        self,
        changes: SeatChanges,
        works: Iterable[Work],
        now: Sequence[tuple[int, int]],
        *,
        appended: bool,
    ) -> None:
        """Keep the present counters of the events, if the append gave them. The line is kept where
        it is sure to be the same."""
        expected = dict[UUID, EventSeats]()
        for work in works if appended else ():
            expected |= work.seats
        for change, (taken, waiting) in zip(changes.events if now else (), now, strict=True):
            id = change.event_id
            if id not in self.known:
                continue  # of an event whose seats were only counted
            seats = expected.get(id) or EventSeats.at(self.known[id])
            then = seats.now
            same = appended and then is not None and (taken, waiting) == (then.taken, then.waiting)
            self.known[id] = Counters(taken, waiting, seats.line if same else None)
