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
    line,
    print_lines,
    print_text,
    until_nobody_reads,
)
from runtime.embedded.services import Services
from runtime.installation import installation_keys
from runtime.settings import Settings

PAGE = 500
"""Events that are read at once."""

LOOK_AGAIN = 5.0
"""Seconds without news after which history is looked at all the same."""


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

    with until_nobody_reads():
        asyncio.run(print_them())


async def _batches(
    connection: AsyncConnection[Any],
    criteria: Criteria,
    after: int | None,
    limit: int,
    follow: bool,
) -> AsyncIterator[list[LoggedEvent]]:
    """The events that were asked for; with `follow` also all that happens from then on."""
    end = await last_position(connection)
    if after is None:
        yield (await _some(connection, criteria, limit=limit, up_to=end, newest_first=True))[::-1]
        after = end
    elif not follow:
        yield await _some(connection, criteria, limit=limit, up_to=end, after=after)
    if follow:
        async for events in _news(connection, criteria, after):
            yield events


async def _some(
    connection: AsyncConnection[Any], criteria: Criteria, *, limit: int, **where: Any
) -> list[LoggedEvent]:
    """The first `limit` events, however far they are."""
    found = list[LoggedEvent]()
    while len(found) < limit:
        left = min(limit - len(found), PAGE)
        page = await read_page(connection, criteria, limit=left, **where)
        found += page.events
        where["after"] = page.next_after
        if page.next_after is None:
            break
    return found


async def _news(
    connection: AsyncConnection[Any], criteria: Criteria, after: int
) -> AsyncIterator[list[LoggedEvent]]:
    """All events after that position, as they happen."""
    await connection.execute(f"LISTEN {CHANNEL}")
    while True:
        end = await last_position(connection)
        place: int | None = after
        while place is not None:
            page = await read_page(connection, criteria, limit=PAGE, after=place, up_to=end)
            yield page.events
            place = page.next_after
        after = max(after, end)
        sys.stdout.flush()
        async for _ in connection.notifies(timeout=LOOK_AGAIN, stop_after=1):
            pass
