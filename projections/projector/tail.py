"""Applies history to projections: in batches, each event exactly once, in the order of history.

The rows and the position of a projection change in one transaction, so a crash never separates
them. Projections at the same position are updated together in one transaction (a cohort). One that
is behind catches up on its own until it can join the others.
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
from projections.projector.metrics import BatchMetrics
from projections.projector.projection import Projection

log = structlog.get_logger()

BATCH_SIZE = 2_000
"""Events in one read."""

RETRY_STOPPED_AFTER = 10.0
"""Seconds after which a projection that stopped at an event tries to apply it again."""


class PositionMoved(Exception):
    """A projection's position was moved by a rebuild or by another projector"""


class Tail:
    """Some projections and their positions, on one connection in autocommit mode.

    Its methods raise `PositionMoved`, and the `UNAVAILABLE` errors for transient failures.
    """

    def __init__(
        self,
        connection: AsyncConnection[Any],
        keys: InstallationKeys,
        *,
        announces: bool = True,
        skipped: Sequence[str] = (),
    ) -> None:
        """`announces`: send notifications on the channel `projections`, for readers of the tables.
        `skipped`: topics that none of the projections handles; a rebuild need not read them."""
        self._connection = connection
        self._keys = keys
        self._announces = announces
        self._skipped = list(skipped)
        self._retry_at: dict[str, float] = {}
        self.positions: dict[Projection, int] = {}
        self.too_new: set[Projection] = set()
        """Projections that stopped at an event of a newer release."""

    async def follow(self, projections: Iterable[Projection]) -> None:
        """Start to follow history for these projections, from the positions of their tables."""
        cursor = await self._connection.execute("SELECT name, position FROM projections")
        positions: dict[str, int] = dict(await cursor.fetchall())
        self.positions |= {projection: positions[projection.name] for projection in projections}

    async def step(self) -> bool:
        """Apply one batch to each projection; returns whether there may be more to read now."""
        now = asyncio.get_running_loop().time()
        running = [p for p in self.positions if self._retry_at.get(p.name, now) <= now]
        more = False
        ahead: int | None = None
        for position in sorted({self.positions[p] for p in running}, reverse=True):
            cohort = [p for p in running if self.positions[p] == position]
            more |= await self._read_and_apply(cohort, position, ahead)
            ahead = min(self.positions[p] for p in cohort)
        return more

    async def _read_and_apply(
        self, cohort: Sequence[Projection], after: int, ahead: int | None
    ) -> bool:
        """Apply events after a position, up to the position of the next cohort `ahead`, so that
        both continue as one. Returns whether there may be more events for them."""
        batch_size, events = BATCH_SIZE, None
        while events is None:
            try:
                events = await self._read(cohort, after, batch_size)
            except Exception as error:
                if _is_transient(error):
                    raise
                if batch_size == 1:
                    await self._stop_at_unreadable(cohort, after, error)
                    return True
                batch_size //= 2
        full = len(events) == batch_size
        events = [e for e in events if ahead is None or e.position <= ahead]
        if events:
            await self._apply(cohort, events, after, events[-1].position)
        return full or ahead is not None

    async def _read(
        self, cohort: Sequence[Projection], after: int, limit: int
    ) -> list[RecordedEvent]:
        events = await read_events(
            self._connection, after=after, limit=limit, skipped=self._skipped
        )
        if any(e.sealed and _handled(e, cohort) for e in events):
            events = await open_all(self._connection, events, self._keys)
        return events

    async def _apply(
        self, cohort: Sequence[Projection], events: Sequence[RecordedEvent], old: int, new: int
    ) -> None:
        """Apply the events between two positions. If one of them fails, all others before it are
        applied, and only the projection that cannot apply it stops, right before it."""
        try:
            await self._commit(cohort, events, old, new)
        except Exception as error:
            if _is_transient(error):
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
        measured = BatchMetrics(events)
        async with self._connection.transaction():
            for projection in cohort:
                handled = [e for e in events if type(e.event) in projection.handles]
                with measured.measure(projection.name, handled):
                    changed = bool(handled) and await projection.apply(
                        self._connection, handled, self._keys
                    )
                changes.append(handled[-1].position if changed else None)
            await self._move(cohort, changes, old, new)
        if self._announces:
            measured.committed()
        for projection in cohort:
            self.positions[projection] = new
            if self._retry_at.pop(projection.name, None):
                log.info("projection continues", projection=projection.name, position=new)

    async def _move(
        self, cohort: Sequence[Projection], changes: Sequence[int | None], old: int, new: int
    ) -> None:
        """Move the positions, and notify readers. Raises `PositionMoved` if others moved them.

        `version` is the position of the last event that changed rows, not a counter: if a crash of
        PostgreSQL loses the last rows, the same version still means the same rows. A rebuild may
        have set it higher.
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
                        THEN pg_notify('projections', json_object_agg(name, progress)::text) END
            FROM (SELECT name, json_build_array(position, version) AS progress FROM moved) AS moves
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
        self, cohort: Sequence[Projection], after: int, error: Exception
    ) -> None:
        """The next event after a position cannot be read. Projections that do not handle its class
        skip it; when the topic is unknown, all of them stop."""
        cursor = await self._connection.execute(
            """
            SELECT notification_id, topic FROM history_events
            WHERE notification_id > %s
              AND (topic = ANY(%s) IS NOT TRUE
                   OR notification_id = (SELECT max(notification_id) FROM history_events))
            ORDER BY notification_id LIMIT 1
            """,
            [after, self._skipped],
        )
        row = await cursor.fetchone()
        if row is None:
            raise error
        position, topic = row
        event_class = EVENT_TYPES.get(topic)
        concerned = [p for p in cohort if event_class is None or event_class in p.handles]
        others = [p for p in cohort if p not in concerned]
        if others:
            await self._commit(others, [], after, position)
        await self._stop(concerned, after, position, error)
        if isinstance(error, UnknownEvent):
            self.too_new.update(concerned)

    async def _stop(
        self, cohort: Sequence[Projection], after: int, position: int, error: Exception
    ) -> None:
        """Record why these projections stop before the event at `position`. Raises `PositionMoved`
        if a rebuild has replaced a table meanwhile: the new one may have the rows already."""
        first_line = str(error).partition("\n")[0][:500]
        because = f"{type(error).__name__}: {first_line}"
        if isinstance(error, TABLES_MISSING):
            because = missing_table(error)
        cursor = await self._connection.execute(
            """
            UPDATE projections SET stopped_at = %s, stopped_because = %s
            WHERE name = ANY(%s) AND position = %s
            """,
            [position, because, [p.name for p in cohort], after],
        )
        if cursor.rowcount < len(cohort):
            raise PositionMoved from error
        cursor = await self._connection.execute(
            "SELECT topic, originator_id FROM history_events WHERE notification_id = %s", [position]
        )
        topic, aggregate_id = await cursor.fetchone() or ("", "")
        for projection in cohort:
            self._retry_at[projection.name] = (
                asyncio.get_running_loop().time() + RETRY_STOPPED_AFTER
            )
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


def _is_transient(error: Exception) -> bool:
    """Whether the error is not caused by the events, so that applying them may succeed later."""
    if isinstance(error, psycopg.errors.ProgramLimitExceeded):
        return False  # a limit of PostgreSQL, such as the size of a value
    return isinstance(error, (*UNAVAILABLE, PositionMoved))
