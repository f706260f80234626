"""Fills a migrated database with a realistic history, quickly.

    python -m benchmarks.history --events 1000000 postgresql://...

Every domain event comes from the domain's own handlers (`benchmarks.stretches`: every second event
gets full and has a waiting list) and is stored by its own codec; only the append is done in bulk.
No other process may write to the database meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import psycopg

from benchmarks.stretches import Shape, Stretch
from domain.history.codec import encode
from domain.history.store import load_keys
from domain.privacy.encryption import new_key
from domain.privacy.keys import InstallationKeys, binding_of, wrap
from domain.seats import recount
from runtime.secret_key import with_secret_key
from runtime.settings import Settings

USUAL = Shape()


def fill(database_url: str, keys: InstallationKeys, events: int, shape: Shape = USUAL) -> int:
    """Append so many events, rounded up to whole stretches; the position of the last one."""
    size = shape.stretch
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT max(notification_id) FROM history_events").fetchone()
        first = ((row and row[0]) or 0) + 1
        stretches = range(first, first + events, size)
        with ProcessPoolExecutor(
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(database_url, keys, shape),
        ) as processes:
            for _ in processes.map(_append_stretch, stretches):
                pass
        last = stretches[-1] + size - 1
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('history_events', 'notification_id'), %s)", [last]
        )
        connection.execute("VACUUM (ANALYZE) history_events, personal_keys")
        recount(connection)
    return last


def _append_stretch(first: int) -> None:
    """In a process of its own."""
    stretch = Stretch(_keys, _shape, first)
    stretch.make()
    wrapped_keys = []
    with _connection.transaction(), _connection.cursor() as cursor:
        with cursor.copy(
            "COPY history_events (originator_id, originator_version, topic, state, notification_id)"
            " FROM STDIN (FORMAT binary)"
        ) as copy:
            copy.set_types(["uuid", "int8", "text", "bytea", "int8"])
            for position, recorded in enumerate(stretch.events, first):
                id, version, event = (
                    recorded.originator_id,
                    recorded.originator_version,
                    recorded.event,
                )
                key = new_key() if event.personal_field else None
                copy.write_row((id, version, event.topic, encode(recorded, key), position))
                if key is not None:
                    wrapped_keys.append((id, version, wrap(_keys, key, binding_of(id, version))))
        with cursor.copy(
            "COPY personal_keys (originator_id, originator_version, wrapped)"
            " FROM STDIN (FORMAT binary)"
        ) as copy:
            copy.set_types(["uuid", "int8", "bytea"])
            for row in wrapped_keys:
                copy.write_row(row)


def _begin(database_url: str, keys: InstallationKeys, shape: Shape) -> None:
    """Once in each process."""
    global _connection, _keys, _shape
    _connection, _keys, _shape = psycopg.connect(database_url, autocommit=True), keys, shape


_connection: psycopg.Connection[Any]
_keys: InstallationKeys
_shape: Shape


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("database_url")
    given = parser.parse_args()
    settings = with_secret_key(Settings.load({**os.environ, "DATABASE_URL": given.database_url}))
    with psycopg.connect(given.database_url) as connection:
        keys = load_keys(connection, settings.secret_keys)
    last = fill(given.database_url, keys, given.events)
    sys.stdout.write(f"history reaches to position {last}\n")


if __name__ == "__main__":
    main()
