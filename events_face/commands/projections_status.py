"""The command `projections status`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.core.availability import BRING_BACK, TABLES_MISSING, missing_table
from projections.status import ProjectionStatus, projection_statuses
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings

WIDTH_WITHOUT_TERMINAL = 200
"""Columns."""

_NUMBERS = ("position", "lag events", "lag seconds", "rows", "version")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A projection, as `--json` prints it."""

    status: ProjectionStatus
    rows: int | None
    """None when the table is missing."""


def status(settings: Settings, services: Services, *, json: bool) -> None:
    """Print the status of each projection."""
    installation_keys(settings, services.database_url)
    try:
        lines = asyncio.run(_lines(services.database_url))
    except TABLES_MISSING as error:
        raise CommandFailed(f"{missing_table(error)}: {BRING_BACK}") from None
    if json:
        sys.stdout.write(f"{_as_json(lines)}\n")
    else:
        _print_table(lines)


async def _lines(database_url: str) -> list[Line]:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        return [
            Line(status=status, rows=await _row_count(connection, status.name))
            for status in await projection_statuses(connection)
        ]


async def _row_count(connection: AsyncConnection[Any], name: str) -> int | None:
    cursor = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
    if await cursor.fetchone() != (True,):
        return None
    cursor = await connection.execute(SQL("SELECT count(*) FROM {}").format(Identifier(name)))
    row = await cursor.fetchone()
    return row[0] if row else 0


def _as_json(lines: Sequence[Line]) -> str:
    found = [msgspec.to_builtins(line.status) | {"rows": line.rows} for line in lines]
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def _print_table(lines: Sequence[Line]) -> None:
    table = Table("projection", *_NUMBERS, "state")
    for column in table.columns[1 : 1 + len(_NUMBERS)]:
        column.justify = "right"
    for line in lines:
        status = line.status
        table.add_row(
            status.name,
            str(status.position),
            str(status.lag_events),
            "unknown" if status.lag_seconds is None else f"{status.lag_seconds:.1f}",
            "none" if line.rows is None else str(line.rows),
            str(status.schema_version),
            Text(_in_words(status)),
        )
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH_WITHOUT_TERMINAL
    console.print(table)


def _in_words(status: ProjectionStatus) -> str:
    match status.state:
        case "rebuilding" if status.rebuild:
            return f"rebuilding: {status.rebuild}"
        case "outdated":
            command = f"events-face projections rebuild {status.name}"
            return f"{status.outdated}: run `{command}`"
        case "stopped":
            return str(status.stop)
        case "unattended":
            return "no projector runs"
        case "foreign":
            return "unknown to this release"
        case state:
            return state
