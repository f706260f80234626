"""Clients that follow the feed: each asks for what comes after its position, and waits for it.

python -m benchmarks.followers ORIGIN TOKEN [--clients 100]
"""

from __future__ import annotations

import argparse
import asyncio
import re
from urllib.parse import urlsplit

import msgspec
import uvloop

WAIT = 20
"""Seconds that the API may hold a request until there is something new."""

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Meta(msgspec.Struct):
    position: int


class Page(msgspec.Struct):
    meta: Meta


FEED_PAGES = msgspec.json.Decoder(Page)


async def follow(origin: str, token: str, clients: int) -> None:
    """Until one of them fails. Raises its error."""
    place = urlsplit(origin)
    host, port = place.hostname or "", place.port or 80
    await asyncio.gather(*(_follow(host, port, token) for _ in range(clients)))


async def _follow(host: str, port: int, token: str) -> None:
    """One client with one connection."""
    reader, writer = await asyncio.open_connection(host, port)
    position = 0
    while True:
        target = f"/api/feed?after={position}&limit=1000&wait={WAIT}"
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError((head + body).decode())
        position = FEED_PAGES.decode(body).meta.position


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.followers")
    options.add_argument("origin")
    options.add_argument("token")
    options.add_argument("--clients", type=int, default=100)
    given = options.parse_args()
    uvloop.run(follow(given.origin, given.token, given.clients))


if __name__ == "__main__":
    main()
