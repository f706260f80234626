"""Limits of the bodies that a process is receiving: their time, their number and their memory.

Bodies that arrive at once cost nothing. A check, twice a second while any body is incomplete, finds
the slow ones.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from api.http.clients import Clients
from domain.core.errors import ProblemError, TryAgain

if TYPE_CHECKING:
    from api.http.body_drain import Incoming

DEADLINE = 15.0
"""Seconds in which a whole body must arrive."""

LAST_DEADLINE = 1.0
"""The same, once the process has to end."""

MAX_HELD_BYTES = 16 * 1024 * 1024
"""Total size of the bodies in a process's memory, until their requests are answered."""

SLOW_AFTER = 2.0
"""Seconds after which an incomplete body counts as slow."""

MAX_SLOW_OF_CLIENT = 32
"""Slow bodies of one client at once."""

CHECK_INTERVAL = 0.5
"""Seconds."""


class BodyTimeout(ProblemError):
    """The body did not arrive in time"""

    status = 408
    slug = "request-timeout"


class TooManyBodies(TryAgain):
    """Too much is being sent at once; try again shortly"""


class BodyLimits:
    """The limits of one process. Above the memory limit, the client with the most bytes loses its
    oldest body."""

    def __init__(self, clients: Clients, is_ending: Callable[[], bool]) -> None:
        self._clients = clients
        self._is_ending = is_ending
        self._receiving: set[Incoming] = set()
        self._held = 0
        self._next_check: asyncio.TimerHandle | None = None

    def begin(self, body: Incoming) -> None:
        """The process begins to wait for the next part of this body."""
        self._receiving.add(body)
        if self._next_check is None:
            self._next_check = asyncio.get_running_loop().call_later(CHECK_INTERVAL, self._check)

    def end(self, body: Incoming) -> None:
        """The next part has arrived, or the process no longer waits for it."""
        self._receiving.discard(body)

    def hold(self, body: Incoming, size: int) -> None:
        """Count more bytes of the body in memory. Raises TooManyBodies if this body is refused."""
        body.held += size
        self._held += size
        while self._held > MAX_HELD_BYTES:
            chosen = self._largest(other for other in {body, *self._receiving} if other.held)
            self.release(chosen)
            if chosen is body:
                raise TooManyBodies
            chosen.give_up(TooManyBodies)

    def release(self, body: Incoming) -> None:
        """The body is no longer in memory."""
        self._held -= body.held
        body.held = 0

    def _check(self) -> None:
        self._next_check = None
        if not self._receiving:
            return
        loop = asyncio.get_running_loop()
        deadline = LAST_DEADLINE if self._is_ending() else DEADLINE
        slow = [body for body in self._receiving if body.begun < loop.time() - SLOW_AFTER]
        for body in self._receiving:
            if body.begun < loop.time() - deadline:
                body.give_up(BodyTimeout)
        for bodies in self._by_client(slow).values():
            for body in bodies[:-MAX_SLOW_OF_CLIENT]:
                body.give_up(TooManyBodies)
        self._next_check = loop.call_later(CHECK_INTERVAL, self._check)

    def _largest(self, bodies: Iterable[Incoming]) -> Incoming:
        """The oldest body of the client with the most bytes."""
        by_client = self._by_client(bodies).values()
        return max(by_client, key=lambda of_one: sum(body.held for body in of_one))[0]

    def _by_client(self, bodies: Iterable[Incoming]) -> dict[str, list[Incoming]]:
        """The bodies of each client, oldest first."""
        found: dict[str, list[Incoming]] = defaultdict(list)
        for body in sorted(bodies, key=lambda body: body.begun):
            found[self._clients.address_of(body.scope)].append(body)
        return found
