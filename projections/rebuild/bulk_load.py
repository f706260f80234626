"""Fills the empty tables of a rebuild from stretches of history, in several processes at once.

Each process takes the next stretch when it is done with one: it reads it, opens the personal data,
and copies the rows that the projections make of it (`Projection.bulk`). What is left over is noted
in the table `left_over`, for `apply`. In the end the indexes are built, several at once.
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
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from domain.core.aggregate import EVENT_TYPES
from domain.history.segments import read_stretch
from domain.history.store import BY_KEY, PATIENCE, SESSION
from domain.privacy.keys import InstallationKeys
from projections.projector.projection import Bulk, EventClass, Projection
from projections.rebuild.staging import Indexes, Place

STRETCH = 8_000
"""Positions. Its events are in memory at once, in each process."""

PROCESSES = min(os.cpu_count() or 1, 4)
"""Each keeps a processor busy, together with its session in PostgreSQL. More than a few would cost
much memory, and wait for each other."""

NICENESS = 10
"""Whoever answers clients goes first."""

BUILDING = "-c maintenance_work_mem=128MB -c max_parallel_maintenance_workers=0"
"""PostgreSQL's options for building an index in each process: workers of its own beside them would
only share the same processors, and cost something to begin and to merge."""

_LEFT_OVER = (("projection", "text"), ("position", "int8"))


class ProcessLost(Exception):
    """a process that loaded rows has ended before its time; see whether memory ran out"""


def topics_skipped(projections: Iterable[Projection]) -> list[str]:
    """Topics that are nothing to any of these. One that is not known is not among them: it is for
    the reader to stumble at."""
    handled = frozenset[EventClass]().union(*(p.handles for p in projections))
    return [topic for topic, kind in EVENT_TYPES.items() if kind not in handled]


async def load(
    database_url: str,
    keys: InstallationKeys,
    place: Place,
    projections: Sequence[Projection],
    indexes: Mapping[str, Indexes],
    upto: int,
) -> AsyncGenerator[int, None]:
    """Fill the new tables with history up to a position, and then create their indexes, given by
    table; gives how many positions are done, again and again. To be closed when it is left early.

    Raises `stretches.Unreadable`, `psycopg.Error` and `ProcessLost`.
    """
    job = _Job(
        place=place,
        tables=[_Table(p.name, p.handles, p.bulk) for p in projections if p.bulk],
        skipped=topics_skipped(projections),
    )
    processes = ProcessPoolExecutor(
        PROCESSES, get_context("spawn"), initializer=_begin, initargs=(database_url, keys, job)
    )
    loop = asyncio.get_running_loop()
    loading = [
        loop.run_in_executor(processes, _load_stretch, start, min(start + STRETCH, upto))
        for start in range(0, upto, STRETCH)
    ]
    try:
        done = 0
        for stretch in asyncio.as_completed(loading):
            done += await stretch
            yield done
        for step in (
            [(_create_index, create) for taken in indexes.values() for create in taken.create],
            [(_complete, *item) for item in indexes.items()],
        ):
            await asyncio.gather(*(loop.run_in_executor(processes, *call) for call in step))
    except BrokenProcessPool:
        raise ProcessLost(ProcessLost.__doc__) from None
    finally:
        processes.shutdown(cancel_futures=True)  # waits for the stretches that are under way
        await asyncio.gather(*loading, return_exceptions=True)


class _Table(msgspec.Struct, frozen=True):
    name: str
    handles: frozenset[EventClass]
    bulk: Bulk


class _Job(msgspec.Struct, frozen=True):
    place: Place
    tables: list[_Table]
    skipped: list[str]


def _begin(database_url: str, keys: InstallationKeys, job: _Job) -> None:
    """Once in each process, which ends with the one that began it."""
    global _connection, _keys, _job  # noqa: PLW0603  what this process is for
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that began it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    gc.disable()  # what a stretch leaves has no cycles, and looking for some takes a while
    _keys, _job = keys, job
    _connection = psycopg.connect(
        database_url,
        autocommit=True,
        options=f"{SESSION} {BY_KEY} {BUILDING} -c synchronous_commit=off",
        **PATIENCE,
    )
    _connection.execute(job.place.search_path)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        pipes.wait([parent.sentinel])
        os._exit(1)


def _load_stretch(after: int, upto: int) -> int:
    """How many positions it was."""
    events = read_stretch(_connection, _keys, after=after, upto=upto, skipped=_job.skipped)
    with _connection.transaction():
        for table in _job.tables:
            handled = [e for e in events if type(e.event) in table.handles]
            rows, left_over = table.bulk.rows_of(handled, _keys)
            _copy(table.name, table.bulk.columns, rows)
            _copy("left_over", _LEFT_OVER, [(table.name, e.position) for e in left_over])
    return upto - after


def _create_index(create: bytes) -> None:
    _connection.execute(create)


def _complete(table: str, indexes: Indexes) -> None:
    for statement in indexes.complete:
        _connection.execute(statement)
    _connection.execute(SQL("ANALYZE {}").format(Identifier(table)))


def _copy(
    table: str, columns: Iterable[tuple[LiteralString, str]], rows: Iterable[tuple[object, ...]]
) -> None:
    statement = SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        Identifier(table), SQL(", ").join(Identifier(name) for name, _ in columns)
    )
    with _connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([kind for _, kind in columns])
        for row in rows:
            copy.write_row(row)


_connection: Connection[Any]
_keys: InstallationKeys
_job: _Job
