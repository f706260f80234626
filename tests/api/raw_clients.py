"""Clients that see what becomes of each connection, as a library would not show it."""

from __future__ import annotations

import asyncio

import msgspec


class Seen(msgspec.Struct):
    """What became of the requests."""

    statuses: list[int] = []
    hung_up: int = 0
    """Kept connections that ended before any byte of an answer: the request is sent again."""
    unanswered: int = 0
    """New connections that did so."""
    announced: int = 0
    """Answers that announced the end of the connection."""


class RawClient:
    """One connection at a time; with `keeps`, for as long as the server lets it."""

    def __init__(self, port: int, seen: Seen, *, keeps: bool) -> None:
        self._port = port
        self._seen = seen
        self._keeps = keeps
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: object) -> None:
        """Raises `OSError` where a connection is refused, or an answer breaks off."""
        content = msgspec.json.encode(body)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        await self._ask(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)

    async def get(self, path: str) -> None:
        """Raises as `post`."""
        await self._ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    async def _ask(self, request: bytes) -> None:
        while not await self._is_answered(request):
            self.close()

    async def _is_answered(self, request: bytes) -> bool:
        is_new = self._ends is None
        if self._ends is None:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._ends
        try:
            writer.write(request)
            first = await reader.read(1)
        except OSError:
            first = b""
        if not first:
            self._seen.unanswered += is_new
            self._seen.hung_up += not is_new
            return False
        status, *lines = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (li.partition(": ") for li in lines)}
        await reader.readexactly(int(headers["content-length"]))
        self._seen.statuses.append(int(status.split()[1]))
        is_last = headers.get("connection") == "close"
        self._seen.announced += is_last
        if is_last or not self._keeps:
            self.close()
        return True

    def close(self) -> None:
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None
