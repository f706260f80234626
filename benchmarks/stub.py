"""An external service that uses almost no CPU time: one fixed response, after a delay.

python -m benchmarks.stub PORT [--status 202] [--delay SECONDS] [--retry-after SECONDS] [--body F]
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import cast

import uvloop


class Service(asyncio.Protocol):
    def __init__(self, answer: bytes, delay: float) -> None:
        self._answer = answer
        self._delay = delay
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._take():
            if self._delay:
                self._loop.call_later(self._delay, self._transport.write, self._answer)
            else:
                self._transport.write(self._answer)

    def _take(self) -> bool:
        """One whole request out of the buffer."""
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if not end or len(body) < length:
            return False
        self._buffer = body[length:]
        return True


async def serve(port: int, answer: bytes, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Service(answer, delay), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.stub")
    options.add_argument("port", type=int)
    options.add_argument("--status", type=int, default=202)
    options.add_argument("--delay", type=float, default=0.0)
    options.add_argument("--retry-after", type=int)
    options.add_argument("--body", type=Path)
    given = options.parse_args()
    body = given.body.read_bytes() if given.body else b"{}"
    later = f"Retry-After: {given.retry_after}\r\n" if given.retry_after else ""
    head = f"HTTP/1.1 {given.status} Stub\r\nContent-Type: application/json\r\n{later}"
    answer = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    uvloop.run(serve(given.port, answer, given.delay))


if __name__ == "__main__":
    main()
