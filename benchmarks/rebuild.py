"""How fast `visitors` and `outbox` are rebuilt, beside peers that fill the same tables.

    python -m benchmarks.rebuild [--events 1000000] [--served]

All in one run, on an embedded PostgreSQL of its own. With `--served` the whole system runs during
another rebuild, and clients list and register every 50 ms. Prints a table of rates and ratios.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier
from rich.console import Console
from rich.table import Table

from benchmarks import library_runner
from benchmarks.clients import Seen, served
from benchmarks.history import fill
from domain.history import load_keys
from events_face.embedded.postgres import embedded_postgres
from events_face.migrate import migrate
from events_face.services import Services
from events_face.settings import Settings

LIBRARY_EVENTS = 20_000

LOOK = 0.1
"""Seconds between two looks at the memory of the rebuild's processes."""

MEGABYTE = 1 << 20

REBUILD = [
    sys.executable,
    "-P",
    "-m",
    "events_face",
    "projections",
    "rebuild",
    "visitors",
    "outbox",
]

TABLES = ("visitors", "outbox")


class Measured(msgspec.Struct, frozen=True):
    rate: float
    """Events of history a second."""
    memory: float = 0.0
    """The most that its processes had at once, PostgreSQL's apart; proportional, in bytes."""


def rebuild(environment: dict[str, str], events: int) -> Measured:
    """As an operator does it. Raises `subprocess.CalledProcessError`."""
    began, most = time.perf_counter(), 0
    with subprocess.Popen(REBUILD, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, _memory(psutil.Process(process.pid)))
            time.sleep(LOOK)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, REBUILD)
    return Measured(events / (time.perf_counter() - began), most)


def _memory(parent: psutil.Process) -> int:
    total = 0
    with suppress(psutil.Error):
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total


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


def _timed(events: int, work: Callable[[], None]) -> Measured:
    began = time.perf_counter()
    work()
    return Measured(events / (time.perf_counter() - began))


def measure(data_dir: Path, events: int, *, serve: bool) -> tuple[dict[str, Measured], Seen | None]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": "only-for-benchmarks-" * 2,
        "DEBUG": "true",
        "RATE_LIMITS": "off",
        "WRITE_POLICY": "anyone",
    }
    settings = Settings.load(environment, dotenv=None)
    with embedded_postgres(data_dir) as url, psycopg.connect(url, autocommit=True) as connection:
        migrate(settings, Services(database_url=url, redis_url=None))
        keys = load_keys(connection, settings.secret_keys)
        last = fill(url, keys, events)
        found = {"events-face projections rebuild": rebuild(environment, last)}
        for table in TABLES:
            for peer in ("copied", "inserted", "library"):
                new, present = Identifier(f"{peer}_{table}"), Identifier(table)
                connection.execute(
                    SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(new, present)
                )
        found["eventsourcing's ProjectionRunner"] = Measured(
            library_runner.rate(url, keys, LIBRARY_EVENTS)
        )
        found["bare COPY of the same rows"] = _timed(last, lambda: copy_rows(connection))
        found["bare INSERT .. SELECT of the same rows"] = _timed(
            last, lambda: insert_rows(connection)
        )
        seen = None
        if serve:
            with served(environment) as seen:
                found["the rebuild, while clients are served"] = rebuild(environment, last)
    return found, seen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--served", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="events-face-bench-") as folder:
        found, seen = measure(Path(folder), given.events, serve=given.served)
    library = found["eventsourcing's ProjectionRunner"].rate
    table = Table("", "events/s", "ratio", "memory")
    for name, measured in found.items():
        memory = f"{measured.memory / MEGABYTE:.0f} MB" if measured.memory else ""
        table.add_row(name, f"{measured.rate:,.0f}", f"{measured.rate / library:.1f}", memory)
    console = Console()
    console.print(table)
    if seen is not None:
        console.print(str(seen))


if __name__ == "__main__":
    main()
