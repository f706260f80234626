"""The host at the end of the ids in calendars: a calendar program knows an event by its id.

It is kept when the tables are made, and stays the same whatever `PUBLIC_URL` becomes.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

from psycopg import AsyncConnection, Connection

WITHOUT_URL = "localhost"
"""Where no public URL was known."""


def keep_host(connection: Connection[Any], public_url: str | None) -> None:
    """Keep the host of this URL, unless one is kept already."""
    host = urlsplit(public_url).hostname if public_url else None
    connection.execute(
        "INSERT INTO calendar_host (host) VALUES (%s) ON CONFLICT DO NOTHING", [host or WITHOUT_URL]
    )


async def calendar_host(connection: AsyncConnection[Any]) -> str:
    cursor = await connection.execute("SELECT host FROM calendar_host")
    (host,) = cast("tuple[str]", await cursor.fetchone())
    return host
