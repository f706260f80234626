"""Fills the empty tables of a rebuild from segments of history, in several processes.

Each process takes one segment after the other: it reads the events, decrypts the personal data, and
copies the rows that the projections make of them (`Projection.bulk`). Left-over events are recorded
in the table `left_over`, for `apply`. At the end the indexes are built, several at once.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection as pipes
from multiprocessing import get_context, parent_process
from typing import Any

import msgspec
import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from domain.core.aggregate import EVENT_TYPES
from domain.history.segments import read_segment
from domain.history.store import BY_KEY, CONNECTION_TIMEOUTS, SESSION
from domain.privacy.keys import InstallationKeys
from projections.projector.projection import Bulk, BulkTable, EventClass, Projection
from projections.rebuild.staging import Indexes, StagingSchema

SEGMENT_SIZE = 8_000
"""Positions. Each process holds all events of one segment in memory."""

PROCESSES = min(os.cpu_count() or 1, 4)
"""Each process, with its PostgreSQL session, uses one processor. More than a few would need much
memory and wait for each other."""

NICENESS = 10
"""Processes that answer clients have priority."""

INDEX_BUILD_OPTIONS = "-c maintenance_work_mem=128MB -c max_parallel_maintenance_workers=0"
"""PostgreSQL options for building an index in each process. Parallel workers of PostgreSQL would
only share the same processors, at an extra cost."""

_LEFT_OVER = BulkTable("left_over", (("projection", "text"), ("position", "int8")))


class ProcessLost(Exception):
    """a process that loads rows has ended unexpectedly; check whether memory ran out"""


def topics_skipped(projections: Iterable[Projection]) -> list[str]:
    """Known topics that none of these projections needs. Unknown topics are not skipped: reading
    them must fail."""
    needed = frozenset[EventClass]().union(*(p.handles - p.skipped_in_rebuild for p in projections))
    return [topic for topic, kind in EVENT_TYPES.items() if kind not in needed]


async def load(
    database_url: str,
    keys: InstallationKeys,
    staging: StagingSchema,
    projections: Sequence[Projection],
    indexes: Mapping[str, Indexes],
    upto: int,
) -> AsyncGenerator[int, None]:
    """Fill the staging tables with history up to a position, then create their indexes, given by
    table. Yields the number of positions done so far, repeatedly. Close it when you stop early.

    Raises `segments.Unreadable`, `psycopg.Error` and `ProcessLost`.
    """
    job = _Job(
        staging=staging,
        filled=[_Filled(p.name, p.handles, p.bulk) for p in projections if p.bulk],
        skipped=topics_skipped(projections),
    )
    processes = ProcessPoolExecutor(
        PROCESSES, get_context("spawn"), initializer=_begin, initargs=(database_url, keys, job)
    )
    loop = asyncio.get_running_loop()
    loading = [
        loop.run_in_executor(processes, _load_segment, start, min(start + SEGMENT_SIZE, upto))
        for start in range(0, upto, SEGMENT_SIZE)
    ]
    try:
        done = 0
        for segment in asyncio.as_completed(loading):
            done += await segment
            yield done
        for step in (
            [(_create_index, create) for taken in indexes.values() for create in taken.create],
            [(_complete, *item) for item in indexes.items()],
        ):
            await asyncio.gather(*(loop.run_in_executor(processes, *call) for call in step))
    except BrokenProcessPool:
        raise ProcessLost(ProcessLost.__doc__) from None
    finally:
        processes.shutdown(cancel_futures=True)  # waits for the segments in progress
        await asyncio.gather(*loading, return_exceptions=True)


class _Filled(msgspec.Struct, frozen=True):
    name: str
    """Of the projection."""
    handles: frozenset[EventClass]
    bulk: Bulk


class _Job(msgspec.Struct, frozen=True):
    staging: StagingSchema
    filled: list[_Filled]
    skipped: list[str]


def _begin(database_url: str, keys: InstallationKeys, job: _Job) -> None:
    """Runs once in each process. The process ends when its parent ends."""
    global _connection, _keys, _job  # noqa: PLW0603  state of this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    gc.disable()  # a segment leaves no reference cycles, and searching for them takes time
    _keys, _job = keys, job
    _connection = psycopg.connect(
        database_url,
        autocommit=True,
        options=f"{SESSION} {BY_KEY} {INDEX_BUILD_OPTIONS} -c synchronous_commit=off",
        **CONNECTION_TIMEOUTS,
    )
    _connection.execute(job.staging.search_path)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        pipes.wait([parent.sentinel])
        os._exit(1)


def _load_segment(after: int, upto: int) -> int:
    """Returns the number of positions."""
    events = read_segment(_connection, _keys, after=after, upto=upto, skipped=_job.skipped)
    with _connection.transaction():
        for filled in _job.filled:
            handled = [e for e in events if type(e.event) in filled.handles]
            rows, left_over = filled.bulk.rows_of(handled, _keys)
            for table in filled.bulk.tables:
                _copy(table, rows[table.name])
            _copy(_LEFT_OVER, [(filled.name, e.position) for e in left_over])
    return upto - after


def _create_index(create: bytes) -> None:
    _connection.execute(create)


def _complete(table: str, indexes: Indexes) -> None:
    for statement in indexes.complete:
        _connection.execute(statement)
    _connection.execute(SQL("ANALYZE {}").format(Identifier(table)))


def _copy(table: BulkTable, rows: Iterable[tuple[object, ...]]) -> None:
    with _connection.cursor() as cursor, cursor.copy(table.copy_statement) as copy:
        copy.set_types(table.types)
        for row in rows:
            copy.write_row(row)


_connection: Connection[Any]
_keys: InstallationKeys
_job: _Job
