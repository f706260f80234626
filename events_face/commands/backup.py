"""The command `backup`: all of the database in one file, as it is at one moment.

The file is an ordinary archive of `pg_dump` in its custom format. The keys in it are wrapped under
`SECRET_KEY`, which is not in it.
"""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import Connection

from domain.history.codec import decode_state
from events_face.commands.postgres_tools import Tool, pg_dump
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings

KEEP_THE_KEY = (
    "SECRET_KEY is not in it: keep it apart. Without it nothing can be restored from this file, "
    "and with it whoever has both reads names and emails"
)


class End(msgspec.Struct, frozen=True):
    """Where history ends."""

    position: int
    at: datetime | None
    """None when nothing has happened."""

    def __str__(self) -> str:
        if self.at is None:
            return "an empty history"
        return f"history up to position {self.position}, of {self.at:%Y-%m-%dT%H:%M:%SZ}"


def backup(settings: Settings, services: Services, file: Path) -> None:
    """Write the file, and print what is in it. Raises `CommandFailed`, and leaves no file then."""
    if file.exists():
        raise CommandFailed(f"{file} exists: backups are not written over")
    installation_keys(settings, services.database_url)  # else the backup would be worth nothing
    with psycopg.connect(services.database_url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        end = end_of_history(connection)
        cursor = connection.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone() or ("",)
        tool = pg_dump(connection.info.server_version // 10_000)
        _dump(tool, services.database_url, snapshot, file)
    size = file.stat().st_size / 1e6
    sys.stdout.write(f"backed up: {end}, into {file} ({size:,.1f} MB)\n{KEEP_THE_KEY}\n")


def end_of_history(connection: Connection[Any]) -> End:
    cursor = connection.execute(
        "SELECT notification_id, state FROM history_events ORDER BY notification_id DESC LIMIT 1"
    )
    row = cursor.fetchone()
    if row is None:
        return End(0, None)
    position, state = row
    return End(position, decode_state(state).timestamp)


def _dump(tool: Tool, database_url: str, snapshot: str, file: Path) -> None:
    """Write it aside, whole and on the disk, before it has its name."""
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            tool.run(
                *("--format=custom", f"--file={aside}", f"--snapshot={snapshot}"),
                *("--no-owner", "--no-privileges", "--exclude-schema=rebuilding_*"),
                database_url=database_url,
            )
            os.fsync(made.fileno())
        aside.rename(file)
    finally:
        aside.unlink(missing_ok=True)
