"""How fast `visitors` and `outbox` are rebuilt, beside peers that fill the same tables."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psutil
import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from benchmarks.clients import used
from benchmarks.contenders import LIBRARY, SECRET_KEY, command, events_face, settings, stub
from benchmarks.history import fill
from benchmarks.peers.library import rebuild as library
from benchmarks.processes import run
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage, Turn
from domain.history.store import load_keys

LOOK = 0.1
"""Seconds between two looks at the memory of the rebuild's processes."""

MEGABYTE = 1e6

TABLES = ("visitors", "outbox")
REBUILD = command("projections", "rebuild", *TABLES)

COPY = "bare COPY of the same rows"
INSERT = "bare INSERT .. SELECT of the same rows"
SERVING = "Events-Face, while clients are served"

RATE, MEMORY = "events/s", "MB"


def measure(stage: Stage) -> list[Comparison]:
    with stage.server.new_database() as database, database.connect() as connection:
        environment = settings(database, stage.folder / database.environment["PGDATABASE"])
        run(command("migrate"), environment)
        keys = load_keys(connection, (SECRET_KEY,))
        last = fill(database.url, keys, stage.sizes.rebuilt)
        few = min(last, stage.sizes.peer_rebuilt)

        def by_library() -> Mapping[str, float]:
            _new_tables(connection, "library")
            connection.execute("DROP TABLE IF EXISTS registrations_tracking")
            return {RATE: library.rate(database.url, keys, few)}

        def by_copying(peer: str, way: Callable[[Connection[Any]], None]) -> Turn:
            def turn() -> Mapping[str, float]:
                _new_tables(connection, peer)
                began = time.perf_counter()
                way(connection)
                return {RATE: last / (time.perf_counter() - began)}

            return turn

        figures = stage.interleaved(
            {
                OURS: lambda: _rebuild(environment, last),
                SERVING: lambda: _rebuild_serving(stage, database, environment, last),
                LIBRARY: by_library,
                COPY: by_copying("copied", copy_rows),
                INSERT: by_copying("inserted", insert_rows),
            }
        )
    return [
        Comparison(
            what=f"rebuild of visitors and outbox, {last:,} events",
            unit="events/s",
            figures=figures[RATE],
            reaches=(
                Reach(text="100,000 events/s", bound=100_000),
                Reach(text="50 × eventsourcing's ProjectionRunner", beside=LIBRARY, times=50),
                Reach(text="0.4 × COPY", beside=COPY, times=0.4),
            ),
        ),
        Comparison(
            what="peak memory of the rebuild's processes",
            unit="MB",
            figures=figures[MEMORY],
            more_is_better=False,
        ),
    ]


def _rebuild(environment: Mapping[str, str], events: int) -> Mapping[str, float]:
    """As an operator does it. Raises `subprocess.CalledProcessError`."""
    began, most = time.perf_counter(), 0
    with subprocess.Popen(REBUILD, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, _memory(psutil.Process(process.pid)))
            time.sleep(LOOK)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, REBUILD)
    return {RATE: events / (time.perf_counter() - began), MEMORY: most / MEGABYTE}


def _rebuild_serving(
    stage: Stage, database: Database, environment: Mapping[str, str], events: int
) -> Mapping[str, float]:
    """While the whole system runs, and two clients use it."""
    log = stage.folder / "rebuild.log"
    with (
        stub(log) as service,
        events_face(notifications=service)(database, log, stage.sizes.serving) as origin,
        used(origin) as seen,
    ):
        reached = _rebuild(environment, events)
    stage.progress(str(seen))
    return reached


def _new_tables(connection: Connection[Any], peer: str) -> None:
    """Empty ones for a peer, with the same indexes."""
    for table in TABLES:
        new, present = Identifier(f"{peer}_{table}"), Identifier(table)
        connection.execute(SQL("DROP TABLE IF EXISTS {}").format(new))
        connection.execute(SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(new, present))


def copy_rows(connection: Connection[Any]) -> None:
    """The very same rows, taken out and put into tables with the same indexes."""
    for table in TABLES:
        with (
            connection.cursor() as reading,
            psycopg.connect(connection.info.dsn, autocommit=True) as other,
            other.cursor() as writing,
            reading.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as source,
            writing.copy(f"COPY copied_{table} FROM STDIN (FORMAT binary)") as target,
        ):
            for block in source:
                target.write(block)


def insert_rows(connection: Connection[Any]) -> None:
    """The very same rows, from table to table within the server."""
    for table in TABLES:
        new, present = Identifier(f"inserted_{table}"), Identifier(table)
        connection.execute(SQL("INSERT INTO {} SELECT * FROM {}").format(new, present))


def _memory(parent: psutil.Process) -> int:
    total = 0
    with suppress(psutil.Error):
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total
