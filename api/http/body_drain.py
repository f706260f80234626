"""Receives a request's body within the limits of the process, and drains its rest after the
response.

A server that closes a connection while the client still writes resets it, and the client may lose
the response (RFC 9112, section 9.6): a refusal would look like a broken network.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from litestar.types import HTTPReceiveMessage, Receive, Scope, WebSocketReceiveMessage

from api.http.body_limits import BodyLimits, BodyTimeout, TooManyBodies

LINGER = 1.0
"""Seconds for which the rest of a body is drained after it was refused as slow or too large."""

_ANNOUNCES_A_BODY = {b"content-length", b"transfer-encoding"}


class Incoming:
    """The receiving side of a request, which knows whether more of the body will come."""

    __slots__ = (
        "_discards",
        "_ended",
        "_given_up",
        "_limits",
        "_reader",
        "_receive",
        "begun",
        "held",
        "scope",
    )

    def __init__(self, receive: Receive, scope: Scope, limits: BodyLimits) -> None:
        self.scope = scope
        self.begun = 0.0
        """When the process began to wait for the body, by the event loop's clock."""
        self.held = 0
        """Bytes of the body in memory, as `BodyLimits` counts them."""
        self._receive = receive
        self._limits = limits
        self._ended = False
        self._discards = False
        self._given_up: type[BodyTimeout | TooManyBodies] | None = None
        """The class only: a raised error would keep the body alive in a reference cycle."""
        self._reader: asyncio.Task[object] | None = None

    async def __call__(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        """Raises BodyTimeout, TooManyBodies."""
        if self._ended:
            return await self._receive()  # reports when the client disconnects
        message = await self._received()
        self._ended = not message.get("more_body")
        if not self._discards and message["type"] == "http.request":
            try:
                self._limits.hold(self, len(message["body"]))
            except TooManyBodies:
                self._given_up = TooManyBodies
                raise
        return message

    async def _received(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        self._reader = reader = asyncio.current_task()
        if not self.begun:
            self.begun = asyncio.get_running_loop().time()
        self._limits.begin(self)
        try:
            return await self._receive()
        except asyncio.CancelledError:
            if self._given_up is None or reader is None:
                raise
            reader.uncancel()
            raise self._given_up from None
        finally:
            self._limits.end(self)
            self._reader = None  # a cancelled task has a traceback that leads here: a cycle

    def give_up(self, error: type[BodyTimeout | TooManyBodies]) -> None:
        """Stop waiting for the body: its reader gets the error."""
        if self._given_up is None and self._reader is not None:
            self._given_up = error
            self._reader.cancel()

    @property
    def is_given_up(self) -> bool:
        return self._given_up is not None

    async def discard_rest(self) -> None:
        """Read and discard the rest of the body after the response."""
        if self._ended or not self._announces_a_body():
            return
        self._discards = True
        self._limits.release(self)
        with suppress(BodyTimeout, TooManyBodies):
            async with asyncio.timeout(LINGER if self.is_given_up else None):
                while not self._ended:
                    await self()

    def close(self) -> None:
        """The request is over."""
        if self.held:
            self._limits.release(self)

    def _announces_a_body(self) -> bool:
        return any(name in _ANNOUNCES_A_BODY for name, _ in self.scope["headers"])
