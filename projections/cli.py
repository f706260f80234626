"""The commands `projections status` and `projections rebuild`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from domain.personal_data import InstallationKeys
from events_face.errors import CommandFailed
from events_face.installation import installation_keys
from events_face.services import Services
from events_face.settings import Settings
from projections.all import ALL
from projections.positions import Standing, standings
from projections.projection import Projection
from projections.rebuild import CannotRebuild, rebuild_table

WIDTH = 160
"""Columns of a table that no terminal limits."""

_BY_NAME = {projection.name: projection for projection in ALL}


def status(settings: Settings, services: Services) -> None:
    """Print where each projection stands."""
    installation_keys(settings, services.database_url)
    asyncio.run(_print_status(services.database_url))


def rebuild(settings: Settings, services: Services, names: Sequence[str]) -> None:
    """Rebuild the named projections, or all of them, one after the other."""
    if unknown := [name for name in names if name not in _BY_NAME]:
        raise CommandFailed(
            f"there is no projection {', '.join(unknown)}; there are {', '.join(_BY_NAME)}"
        )
    keys = installation_keys(settings, services.database_url)
    chosen = [_BY_NAME[name] for name in dict.fromkeys(names)] or list(ALL)
    try:
        asyncio.run(_rebuild(services.database_url, keys, chosen))
    except CannotRebuild as error:
        raise CommandFailed(str(error)) from None


async def _rebuild(
    database_url: str, keys: InstallationKeys, projections: Sequence[Projection]
) -> None:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        for projection in projections:
            task = bar.add_task(projection.name, total=None)

            def show(reached: int, target: int, task: Any = task) -> None:
                bar.update(task, completed=reached, total=target)

            position = await rebuild_table(database_url, keys, projection, show)
            Console().print(f"{projection.name}: rebuilt to position {position}", highlight=False)


async def _print_status(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        found = await standings(connection)
        rows = {standing.name: await _row_count(connection, standing.name) for standing in found}
    table = Table("projection", "position", "lag events", "lag seconds", "rows", "state")
    for column in table.columns[1:5]:
        column.justify = "right"
    for standing in found:
        table.add_row(
            standing.name,
            str(standing.position),
            str(standing.lag_events),
            "unknown" if standing.lag_seconds is None else f"{standing.lag_seconds:.1f}",
            str(rows[standing.name]),
            _state(standing),
        )
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table)


async def _row_count(connection: AsyncConnection[Any], name: str) -> int:
    cursor = await connection.execute(SQL("SELECT count(*) FROM {}").format(Identifier(name)))
    row = await cursor.fetchone()
    return row[0] if row else 0


def _state(standing: Standing) -> str:
    projection = _BY_NAME.get(standing.name)
    if projection is None:
        return "unknown to this release"
    if projection.schema_version != standing.schema_version:
        return f"of another release: run `events-face projections rebuild {standing.name}`"
    if standing.stopped_at is not None:
        return f"stopped at {standing.stopped_at}: {standing.stopped_because}"
    return "running" if standing.led else "no projector runs"
