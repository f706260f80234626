"""What a client sends, read to its end before it is answered.

Who answers and closes while its client still writes resets the connection, and the client may lose
the answer (RFC 9112, section 9.6): a refusal would look like a broken network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from litestar.types import HTTPReceiveMessage, Receive, WebSocketReceiveMessage

from api.headers import Header

PATIENCE = 10.0
"""Seconds that the rest of a body may take. Who sends longer may lose the answer."""

_ANNOUNCES_A_BODY = {b"content-length", b"transfer-encoding"}


class Incoming:
    """The receiving side of a request, which knows whether anything is still to come."""

    __slots__ = ("_ended", "_headers", "_receive")

    def __init__(self, receive: Receive, headers: Iterable[Header]) -> None:
        self._receive = receive
        self._headers = headers
        self._ended = False

    async def __call__(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        message = await self._receive()
        self._ended = not message.get("more_body")
        return message

    async def discard_rest(self) -> None:
        """Read what nobody asked for, and forget it."""
        if self._ended or not any(name in _ANNOUNCES_A_BODY for name, _ in self._headers):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not self._ended:
                    await self()
