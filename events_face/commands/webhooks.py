"""The commands `webhooks`: which there are, how the attempts to send went, and sending again."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.endpoints import Endpoint, get_endpoint, list_endpoints
from domain.history.store import last_position
from events_face.commands.connection import with_connection
from projections import webhook_deliveries
from projections.webhook_deliveries import Attempt, Progress, progress_of
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings

T = TypeVar("T")

MAX_ATTEMPTS = 100
"""The newest ones that are printed."""

WIDTH_WITHOUT_TERMINAL = 200
"""Columns."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, as `--json` prints it."""

    id: UUID
    url: str
    types: list[str]
    event_id: UUID | None
    personal: bool
    enabled: bool
    disabled_because: str | None
    position: int
    """All items up to here are taken, given up, or wait for another try."""
    waiting: int
    """Items that wait for another try."""


def list_all(settings: Settings, services: Services, *, json: bool) -> None:
    """Print the webhooks."""

    async def query(connection: AsyncConnection[Any]) -> list[Line]:
        endpoints = await list_endpoints(connection)
        return [_line(e, await progress_of(connection, e.id)) for e in endpoints]

    lines = _run(settings, services, query)
    if json:
        sys.stdout.write(_as_json(lines))
        return
    shown = [
        [str(e.id), _state(e), str(e.position), str(e.waiting), ", ".join(e.types) or "all", e.url]
        for e in lines
    ]
    _print_table(["id", "state", "position", "waiting", "types", "url"], shown)


def attempts(settings: Settings, services: Services, *, webhook_id: UUID, json: bool) -> None:
    """Print the newest attempts to send items to a webhook."""

    async def query(connection: AsyncConnection[Any]) -> list[Attempt]:
        await _existing(connection, webhook_id)
        return await webhook_deliveries.list_attempts(connection, webhook_id, limit=MAX_ATTEMPTS)

    found = _run(settings, services, query)
    if json:
        sys.stdout.write(_as_json(found))
        return
    shown = [
        [f"{a.at:%Y-%m-%d %H:%M:%S}", str(a.position), a.type, a.error or "taken", str(a.answer_ms)]
        for a in found
    ]
    _print_table(["at (UTC)", "position", "type", "outcome", "ms"], shown)


def resend(settings: Settings, services: Services, *, webhook_id: UUID, after: int) -> None:
    """Have the workers send all items after a position again."""

    async def request(connection: AsyncConnection[Any]) -> None:
        await _existing(connection, webhook_id)
        if after > (end := await last_position(connection)):
            raise CommandFailed(f"history ends at position {end}")
        await webhook_deliveries.resend(connection, webhook_id, after)

    _run(settings, services, request)
    sys.stdout.write(f"the workers send the items after {after} again\n")


async def _existing(connection: AsyncConnection[Any], id: UUID) -> Endpoint:
    endpoint = await get_endpoint(connection, id)
    if endpoint is None:
        raise CommandFailed(f"there is no webhook with the id {id}")
    return endpoint


def _run(
    settings: Settings,
    services: Services,
    use: Callable[[AsyncConnection[Any]], Awaitable[T]],
) -> T:
    installation_keys(settings, services.database_url)  # fails if the database is another's
    return with_connection(services, use)


def _line(endpoint: Endpoint, progress: Progress | None) -> Line:
    return Line(
        id=endpoint.id,
        url=endpoint.url,
        types=endpoint.types,
        event_id=endpoint.event_id,
        personal=endpoint.personal,
        enabled=endpoint.enabled,
        disabled_because=endpoint.disabled_because,
        position=progress.position if progress else endpoint.created_position,
        waiting=progress.waiting if progress else 0,
    )


def _state(line: Line) -> str:
    if line.enabled:
        return "enabled"
    return f"disabled: {line.disabled_because}" if line.disabled_because else "disabled"


def _as_json(found: Sequence[object]) -> str:
    return f"{msgspec.json.format(msgspec.json.encode(found)).decode()}\n"


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_WITHOUT_TERMINAL
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
