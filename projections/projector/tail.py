"""Applies history to projections: many events at once, each exactly once, in its order.

The rows and the position of a projection change in one transaction, so a crash at any point
leaves both where they were. Projections at the same position go on together, in one transaction;
one that was left behind catches up beside them until it can join.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from domain.core.aggregate import EVENT_TYPES, RecordedEvent
from domain.core.availability import TABLES_MISSING, UNAVAILABLE, missing_table
from domain.history.codec import UnknownEvent
from domain.history.store import open_all, read_events
from domain.privacy.keys import InstallationKeys
from projections.projector.metrics import Application
from projections.projector.projection import Projection

log = structlog.get_logger()

BATCH = 2_000
"""Events read at once."""

RETRY_STOPPED = 10.0
"""Seconds after which a projection that stopped at an event tries it again."""


class PositionMoved(Exception):
    """Somebody else moved a projection's position: it was rebuilt, or another runner leads it"""


class Tail:
    """Some projections, and where each of them is, on one connection in autocommit mode.

    Raises `PositionMoved`, and `UNAVAILABLE` for whatever may pass by itself.
    """

    def __init__(
        self,
        connection: AsyncConnection[Any],
        keys: InstallationKeys,
        *,
        announces: bool = True,
        skipped: Sequence[str] = (),
    ) -> None:
        """`announces`: on the channel `projections`, for the readers of the tables. `skipped` are
        topics that none of the projections handles, for a tail that has a long way to go."""
        self._connection = connection
        self._keys = keys
        self._announces = announces
        self._skipped = list(skipped)
        self._retry_at: dict[str, float] = {}
        self.positions: dict[Projection, int] = {}
        self.taken = 0
        """Events that the last step read."""
        self.beyond_us: set[Projection] = set()
        """Those that stopped at an event of a newer release."""

    async def follow(self, projections: Iterable[Projection]) -> None:
        """Go on with these, from where their tables are."""
        cursor = await self._connection.execute("SELECT name, position FROM projections")
        positions: dict[str, int] = dict(await cursor.fetchall())
        self.positions |= {projection: positions[projection.name] for projection in projections}

    async def step(self) -> bool:
        """Take each projection further by a batch; whether there may be more to read at once."""
        now = asyncio.get_running_loop().time()
        running = [p for p in self.positions if self._retry_at.get(p.name, now) <= now]
        more, self.taken = False, 0
        ahead: int | None = None
        for place in sorted({self.positions[p] for p in running}, reverse=True):
            cohort = [p for p in running if self.positions[p] == place]
            more |= await self._read_and_apply(cohort, place, ahead)
            ahead = min(self.positions[p] for p in cohort)
        return more

    async def _read_and_apply(
        self, cohort: Sequence[Projection], place: int, ahead: int | None
    ) -> bool:
        """Take projections at `place` further, but not past those that are `ahead`, so that
        they meet there and go on as one. Says whether there may be more for them."""
        batch, events = BATCH, None
        while events is None:
            try:
                events = await self._read(cohort, place, batch)
            except Exception as error:
                if _may_pass(error):
                    raise
                if batch == 1:
                    await self._stop_at_unreadable(cohort, place, error)
                    return True
                batch //= 2
        full = len(events) == batch
        self.taken += len(events)
        events = [e for e in events if ahead is None or e.position <= ahead]
        if events:
            await self._apply(cohort, events, place, events[-1].position)
        return full or ahead is not None

    async def _read(
        self, cohort: Sequence[Projection], place: int, batch: int
    ) -> list[RecordedEvent]:
        events = await read_events(
            self._connection, after=place, limit=batch, skipped=self._skipped
        )
        if any(e.sealed and _handled(e, cohort) for e in events):
            events = await open_all(self._connection, events, self._keys)
        return events

    async def _apply(
        self, cohort: Sequence[Projection], events: Sequence[RecordedEvent], old: int, new: int
    ) -> None:
        """Apply what lies between the two positions. Where that fails, all that can be applied
        is, and only a projection that cannot go on stops, right before the event it stumbles at."""
        try:
            await self._commit(cohort, events, old, new)
        except Exception as error:
            if _may_pass(error):
                raise
            if len(cohort) > 1:
                for projection in cohort:
                    await self._apply([projection], events, old, new)
            elif len(events) > 1:
                middle = len(events) // 2
                between = events[middle - 1].position
                await self._apply(cohort, events[:middle], old, between)
                if self.positions[cohort[0]] == between:
                    await self._apply(cohort, events[middle:], between, new)
            else:
                await self._stop(cohort, old, events[0].position, error)

    async def _commit(
        self, cohort: Sequence[Projection], events: Sequence[RecordedEvent], old: int, new: int
    ) -> None:
        changes: list[int | None] = []
        application = Application(events)
        async with self._connection.transaction():
            for projection in cohort:
                handled = [e for e in events if type(e.event) in projection.handles]
                with application.to(projection.name, handled):
                    changed = bool(handled) and await projection.apply(
                        self._connection, handled, self._keys
                    )
                changes.append(handled[-1].position if changed else None)
            await self._move(cohort, changes, old, new)
        if self._announces:
            application.committed()
        for projection in cohort:
            self.positions[projection] = new
            if self._retry_at.pop(projection.name, None):
                log.info("projection goes on", projection=projection.name, position=new)

    async def _move(
        self, cohort: Sequence[Projection], changes: Sequence[int | None], old: int, new: int
    ) -> None:
        """Move the positions, if nobody else has, and tell the readers.

        `version` is the position of the last event that changed rows, rather than a count: after
        a crash of PostgreSQL that took the last rows with it, the same version still stands for
        the same rows. A rebuild can have taken it further than that.
        """
        cursor = await self._connection.execute(
            """
            WITH moved AS (
                UPDATE projections p
                SET position = %(new)s, stopped_at = NULL, stopped_because = NULL,
                    version = CASE WHEN c.changed_at IS NULL THEN p.version
                                   ELSE greatest(c.changed_at, p.version + 1) END,
                    updated_at = clock_timestamp()
                FROM unnest(%(names)b::text[], %(schemas)b::int[], %(changes)b::bigint[])
                     AS c (name, schema_version, changed_at)
                WHERE p.name = c.name AND p.schema_version = c.schema_version
                  AND p.position = %(old)s
                RETURNING p.name, p.position, p.version
            )
            SELECT count(*),
                   CASE WHEN %(announces)s
                        THEN pg_notify('projections', json_object_agg(name, place)::text) END
            FROM (SELECT name, json_build_array(position, version) AS place FROM moved) AS told
            """,
            {
                "old": old,
                "new": new,
                "names": [p.name for p in cohort],
                "schemas": [p.schema_version for p in cohort],
                "changes": changes,
                "announces": self._announces,
            },
        )
        row = await cursor.fetchone()
        if row is None or row[0] != len(cohort):
            raise PositionMoved

    async def _stop_at_unreadable(
        self, cohort: Sequence[Projection], place: int, error: Exception
    ) -> None:
        """The next event after `place` cannot be read. Those that it is nothing to pass over it;
        when its topic is unknown, it may be something to anyone."""
        cursor = await self._connection.execute(
            """
            SELECT notification_id, topic FROM history_events
            WHERE notification_id > %s
              AND (topic = ANY(%s) IS NOT TRUE
                   OR notification_id = (SELECT max(notification_id) FROM history_events))
            ORDER BY notification_id LIMIT 1
            """,
            [place, self._skipped],
        )
        row = await cursor.fetchone()
        if row is None:
            raise error
        position, topic = row
        event_class = EVENT_TYPES.get(topic)
        concerned = [p for p in cohort if event_class is None or event_class in p.handles]
        others = [p for p in cohort if p not in concerned]
        if others:
            await self._commit(others, [], place, position)
        await self._stop(concerned, place, position, error)
        if isinstance(error, UnknownEvent):
            self.beyond_us.update(concerned)

    async def _stop(
        self, cohort: Sequence[Projection], place: int, position: int, error: Exception
    ) -> None:
        """Say why these do not go on; nothing is ever skipped."""
        first_line = str(error).partition("\n")[0][:500]
        because = f"{type(error).__name__}: {first_line}"
        if isinstance(error, TABLES_MISSING):
            because = missing_table(error)
        await self._connection.execute(
            """
            UPDATE projections SET stopped_at = %s, stopped_because = %s
            WHERE name = ANY(%s) AND position = %s
            """,
            [position, because, [p.name for p in cohort], place],
        )
        cursor = await self._connection.execute(
            "SELECT topic, originator_id FROM history_events WHERE notification_id = %s", [position]
        )
        topic, aggregate_id = await cursor.fetchone() or ("", "")
        for projection in cohort:
            self._retry_at[projection.name] = asyncio.get_running_loop().time() + RETRY_STOPPED
            log.error(
                "projection stopped",
                projection=projection.name,
                position=position,
                topic=topic,
                aggregate_id=str(aggregate_id),
                because=because,  # without the rest of the message: it may show a row
                where="".join(traceback.format_tb(error.__traceback__)[-3:]),
            )


def _handled(recorded: RecordedEvent, cohort: Sequence[Projection]) -> bool:
    return any(type(recorded.event) in projection.handles for projection in cohort)


def _may_pass(error: Exception) -> bool:
    """Whether it says nothing about the events: the same ones may well be applied later."""
    if isinstance(error, psycopg.errors.ProgramLimitExceeded):
        return False  # PostgreSQL's limits, of the size of a value for one, do not pass
    return isinstance(error, (*UNAVAILABLE, PositionMoved))
