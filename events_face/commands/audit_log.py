"""The command `audit log`: history, one line for each event."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from psycopg import AsyncConnection

from domain.audit.entry import LoggedEvent, open_personal_data
from domain.audit.log import Criteria, read_page, sealed_among
from domain.history.store import CHANNEL, connect, last_position
from events_face.commands.audit_options import criteria_from, record
from events_face.commands.audit_output import (
    HEADER,
    as_json,
    ignore_broken_pipe,
    line,
    print_lines,
    print_text,
)
from runtime.embedded.services import Services
from runtime.installation import installation_keys
from runtime.settings import Settings

PAGE_SIZE = 500
"""Events in one read."""

POLL_INTERVAL = 5.0
"""Seconds without a notification, after which history is read anyway."""


def log(
    settings: Settings,
    services: Services,
    *,
    after: int | None,
    limit: int,
    follow: bool,
    personal: bool,
    json: bool,
    **asked: Any,
) -> None:
    """Print the last events, or the first ones after a position; the oldest first."""
    criteria = criteria_from(**asked)
    keys = installation_keys(settings, services.database_url)

    async def print_them() -> None:
        async with await connect(services.database_url) as connection:
            if not json:
                print_text(HEADER)
            async for events in _batches(connection, criteria, after, limit, follow):
                if personal:
                    await record(connection, keys, sealed_among(events).disclosure(criteria))
                    events = await open_personal_data(connection, events, keys)  # noqa: PLW2901
                if json:
                    print_lines(*map(as_json, events))
                else:
                    print_text(*map(line, events))

    with ignore_broken_pipe():
        asyncio.run(print_them())


async def _batches(
    connection: AsyncConnection[Any],
    criteria: Criteria,
    after: int | None,
    limit: int,
    follow: bool,
) -> AsyncIterator[list[LoggedEvent]]:
    """The requested events; with `follow`, also all later ones."""
    end = await last_position(connection)
    if after is None:
        yield (
            await _first_events(connection, criteria, limit=limit, up_to=end, newest_first=True)
        )[::-1]
        after = end
    elif not follow:
        yield await _first_events(connection, criteria, limit=limit, up_to=end, after=after)
    if follow:
        async for events in _new_events(connection, criteria, after):
            yield events


async def _first_events(
    connection: AsyncConnection[Any], criteria: Criteria, *, limit: int, **where: Any
) -> list[LoggedEvent]:
    """The first `limit` matching events: reads as many pages as needed."""
    found = list[LoggedEvent]()
    while len(found) < limit:
        left = min(limit - len(found), PAGE_SIZE)
        page = await read_page(connection, criteria, limit=left, **where)
        found += page.events
        where["after"] = page.next_after
        if page.next_after is None:
            break
    return found


async def _new_events(
    connection: AsyncConnection[Any], criteria: Criteria, after: int
) -> AsyncIterator[list[LoggedEvent]]:
    """All events after the position, as they are appended."""
    await connection.execute(f"LISTEN {CHANNEL}")
    while True:
        end = await last_position(connection)
        place: int | None = after
        while place is not None:
            page = await read_page(connection, criteria, limit=PAGE_SIZE, after=place, up_to=end)
            yield page.events
            place = page.next_after
        after = max(after, end)
        sys.stdout.flush()
        async for _ in connection.notifies(timeout=POLL_INTERVAL, stop_after=1):
            pass
