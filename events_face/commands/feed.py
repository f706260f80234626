"""The command `feed`: the items of the feed, one line of JSON each."""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import AsyncIterator
from typing import Any

import structlog
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain.audit.disclosures import RecordDisclosure
from domain.core.availability import UNAVAILABLE
from domain.feed.item import FeedItem
from domain.feed.positions import NotInHistory
from domain.feed.reading import FeedPage, FeedStopped, read_feed
from domain.history.store import CHANNEL, connect
from domain.privacy.keys import InstallationKeys
from events_face.commands.audit_options import record
from events_face.commands.audit_output import as_json, ignore_broken_pipe, print_lines
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings

PAGE_SIZE = 1_000

POLL_INTERVAL = 5.0
"""Seconds without a notification, after which history is read anyway."""

RECONNECT_DELAY = 1.0
"""Seconds between attempts to reach a database that was lost."""

log = structlog.get_logger()


def feed(
    settings: Settings, services: Services, *, after: int, follow: bool, personal: bool
) -> None:
    """Print the items after a position; with `follow`, all later ones, too."""
    keys = installation_keys(settings, services.database_url)

    async def print_them() -> None:
        async for page in _pages(services.database_url, keys, after, follow, personal):
            print_lines(*map(as_json, page.items))
            sys.stdout.flush()

    try:
        with ignore_broken_pipe():
            asyncio.run(print_them())
    except (FeedStopped, NotInHistory) as error:
        raise CommandFailed(f"{error} (position {error.members['position']})") from None


async def _pages(
    database_url: str, keys: InstallationKeys, after: int, follow: bool, personal: bool
) -> AsyncIterator[FeedPage]:
    """With `follow`, a lost database is waited for. Raises `FeedStopped`, `NotInHistory`."""
    connected = False
    while True:
        try:
            async with await connect(database_url) as connection:
                connected = True
                await connection.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
                while not _is_unread():
                    page = await _page(connection, keys, after, personal)
                    after = page.position
                    yield page
                    if page.more:
                        continue
                    if not follow:
                        return
                    async for _ in connection.notifies(timeout=POLL_INTERVAL, stop_after=1):
                        pass
                return
        except UNAVAILABLE as error:
            if not (follow and connected):
                raise
            log.warning("the database is away", reason=str(error))
            await asyncio.sleep(RECONNECT_DELAY)


async def _page(
    connection: AsyncConnection[Any], keys: InstallationKeys, after: int, personal: bool
) -> FeedPage:
    """The next page; with personal data after it was recorded that an operator reads it."""
    page = await read_feed(connection, keys, after=after, limit=PAGE_SIZE)
    people = [item.position for item in page.items if _names_person(item)]
    if not (personal and people):
        return page
    disclosure = RecordDisclosure(
        criteria={"feed": "all"},
        first_position=people[0],
        last_position=people[-1],
        count=len(people),
    )
    await record(connection, keys, disclosure)
    return await read_feed(connection, keys, after=after, limit=len(page.items), personal=True)


def _names_person(item: FeedItem) -> bool:
    return "email" in item.data.__struct_fields__


def _is_unread() -> bool:
    """Whether the reader of the output, such as `head`, has closed it."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # errors are always reported
    return any(event & select.POLLERR for _, event in output.poll(0))
