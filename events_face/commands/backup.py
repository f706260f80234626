"""The command `backup`: the whole database, in one snapshot, in one file.

The file is a `pg_dump` archive in the custom format. The keys in it are encrypted with
`SECRET_KEY`, which the file does not contain.
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
    "SECRET_KEY is not in this file: store it in another place. Without it the file cannot be "
    "restored; with both, anyone can read names and emails"
)


class End(msgspec.Struct, frozen=True):
    """The end of history."""

    position: int
    at: datetime | None
    """Time of the last event; None when history is empty."""

    def __str__(self) -> str:
        if self.at is None:
            return "an empty history"
        return f"history up to position {self.position}, of {self.at:%Y-%m-%dT%H:%M:%SZ}"


def backup(settings: Settings, services: Services, file: Path) -> None:
    """Write the file, and print what it contains. Raises `CommandFailed`; then there is no file."""
    if file.exists():
        raise CommandFailed(f"{file} exists already: a backup is not overwritten")
    installation_keys(settings, services.database_url)  # without them the backup would be useless
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
    """Write a temporary file, sync it to the disk, and rename it."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as written:
            tool.run(
                *("--format=custom", f"--file={temporary}", f"--snapshot={snapshot}"),
                *("--no-owner", "--no-privileges", "--exclude-schema=rebuilding_*"),
                database_url=database_url,
            )
            os.fsync(written.fileno())
        temporary.rename(file)
    finally:
        temporary.unlink(missing_ok=True)
