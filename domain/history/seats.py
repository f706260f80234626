"""The counters of seats in the database: cached, loaded, and changed by the append.

`event_seats` and `event_queue` are derived from history, and written only by `append_to_history`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import Aggregate, RecordedEvent
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


class Joined(msgspec.Struct, frozen=True):
    """A visitor joins the line."""

    index: int
    """Of the domain event in the append: its position in history is the place in line."""
    event_id: UUID
    takes_place_of: UUID | None


class SeatChanges(msgspec.Struct, frozen=True):
    """What an append changes of seats."""

    events: Sequence[SeatChange] = ()
    left: Sequence[UUID] = ()
    """Visitors who leave the line, or join it again at its end."""
    joined: Sequence[Joined] = ()


NONE = SeatChanges()


def changes_of(
    accepted: Sequence[Work],
    refused: Iterable[Work],
    loaded: Mapping[UUID, Aggregate | None],
    recorded: Sequence[RecordedEvent],
) -> SeatChanges:
    """What the works of a batch add up to. `recorded` are the events that are appended."""
    bounds = dict[UUID, Bounds]()
    for work in (*accepted, *refused):
        for event_id, rested_on in work.bounds.items():
            bounds[event_id] = bounds.get(event_id, ANY).also(rested_on)
    last, holders = dict[UUID, EventSeats](), dict[UUID, SeatHolder]()
    for work in accepted:
        if work.seats:
            last |= work.seats
            holders |= {a.id: a for a in work.changed.values() if isinstance(a, SeatHolder)}
    if not last and not bounds:
        return NONE
    moved = [_moves(loaded.get(id), holder) for id, holder in holders.items()]
    joining = {holder.id: holder for holder, _, joins in moved if joins}
    return SeatChanges(
        events=[
            SeatChange(id, seats.taken, seats.waiting, bounds.get(id, ANY))
            for id, seats in ({id: EventSeats() for id in bounds} | last).items()
        ],
        left=[holder.id for holder, leaves, _ in moved if leaves],
        joined=[
            Joined(index, holder.event_id, holder.takes_place_of)
            for index, event in enumerate(recorded)
            if (holder := joining.get(event.originator_id))
            and holder.event_id is not None
            and holder.joined == event.originator_version
        ],
    )


def _moves(was: Aggregate | None, holder: SeatHolder) -> tuple[SeatHolder, bool, bool]:
    """The holder, whether it leaves the line, and whether it joins the line."""
    waited = isinstance(was, SeatHolder) and was.seat == "waiting"
    waits = holder.seat == "waiting"
    if waited and waits and isinstance(was, SeatHolder) and was.joined == holder.joined:
        return holder, False, False
    return holder, waited, waits


class SeatCache:
    """The last known counters by event. They may be outdated: an append checks what rests on
    them."""

    def __init__(self) -> None:
        self.known: dict[UUID, Counters] = {}

    def forget(self) -> None:
        self.known.clear()

    async def load(self, connection: AsyncConnection[Any], event_ids: Collection[UUID]) -> None:
        known = [counters for id in event_ids if (counters := self.known.get(id))]
        longest = max((len(counters.line or ()) for counters in known), default=0)
        cursor = await connection.execute(
            """
            SELECT wanted.id, coalesce(s.taken, 0), coalesce(s.waiting, 0), coalesce(line.ids, '{}')
            FROM unnest(%b::uuid[]) AS wanted (id)
            LEFT JOIN event_seats s ON s.event_id = wanted.id
            CROSS JOIN LATERAL (
                SELECT array_agg(first.visitor_id ORDER BY first.position) AS ids FROM (
                    SELECT q.visitor_id, q.position FROM event_queue q
                    WHERE q.event_id = wanted.id ORDER BY q.position LIMIT %b
                ) AS first
            ) AS line
            """,
            [list(event_ids), max(FIRST_IN_LINE, 4 * longest)],
            binary=True,
        )
        if len(self.known) + len(event_ids) > CACHED_EVENTS:
            self.known.clear()
        for id, taken, waiting, line in await cursor.fetchall():
            self.known[id] = Counters(taken, waiting, tuple(line))

    def advance(
        self,
        changes: SeatChanges,
        works: Iterable[Work],
        now: Sequence[tuple[int, int]],
        *,
        appended: bool,
    ) -> None:
        """Keep the present counters of the events, as an append gave them. The line is kept where
        it is sure to be the same."""
        expected = dict[UUID, EventSeats]()
        for work in works if appended else ():
            expected |= work.seats
        for change, (taken, waiting) in zip(changes.events, now, strict=True):
            id = change.event_id
            if id not in self.known:
                continue  # of an event whose seats were only counted
            seats = expected.get(id) or EventSeats.at(self.known[id])
            then = seats.now
            same = appended and then is not None and (taken, waiting) == (then.taken, then.waiting)
            self.known[id] = Counters(taken, waiting, seats.line if same else None)
