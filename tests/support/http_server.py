"""A small real HTTP/1.1 server on a free port, in a thread of its own, misbehaving on demand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

T = TypeVar("T")


class Request(msgspec.Struct, frozen=True):
    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b"{}"
    delay: float = 0.0
    """Seconds before anything is sent."""
    hang_up: bool = False
    """Close the connection instead of answering."""


class HttpServer:
    """Answers each request with what `respond` gives for it, until the block ends.

    `respond` runs in the server's thread.
    """

    def __init__(self, respond: Callable[[Request], Answer], address: str = "127.0.0.1") -> None:
        self._respond = respond
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._serving = set[asyncio.Task[None]]()
        self.port = 0

    @property
    def origin(self) -> str:
        return f"http://{self._address}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Listen, at the same port as before if there was one."""
        self._server = self._wait(asyncio.start_server(self._accept, self._address, self.port))
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Refuse connections, and cut those that are open."""
        self._wait(self._close())

    async def _close(self) -> None:
        self._server.close()
        for serving in self._serving:
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._serve_one(reader, writer):
                    pass
        finally:
            writer.transport.abort()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        named = (line.split(":", 1) for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, value in named}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        answer = self._respond(Request(method, target, headers, body))
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.hang_up:
            return False
        lines = [f"HTTP/1.1 {answer.status} Scripted", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body)
        await writer.drain()
        return True
