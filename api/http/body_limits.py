"""Bounds on the bodies that a process is still receiving: their time, their number, their memory.

Nothing is counted for a body that arrives at once. A look at those that have not ended, twice a
second while there are any, finds the slow ones.
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
"""Seconds that a whole body may take."""

LAST_DEADLINE = 1.0
"""The same once the process is about to end."""

MEMORY = 16 * 1024 * 1024
"""Bytes that the bodies of a process may take together, until their requests are answered."""

SLOW = 2.0
"""Seconds after which a body counts as a slow one."""

SLOW_OF_A_CLIENT = 32
"""Slow bodies that one client may have at once."""

LOOK = 0.5
"""Seconds between two looks."""


class BodyTimeout(ProblemError):
    """The body did not arrive in time"""

    status = 408
    slug = "request-timeout"


class TooManyBodies(TryAgain):
    """Too much is being sent at once; try again shortly"""


class BodyLimits:
    """Those of one process. Where there is too much, the client that sends the most gives way, and
    of its bodies the one that has taken the longest."""

    def __init__(self, clients: Clients, is_ending: Callable[[], bool]) -> None:
        self._clients = clients
        self._is_ending = is_ending
        self._receiving: set[Incoming] = set()
        self._held = 0
        self._looking: asyncio.TimerHandle | None = None

    def begin(self, body: Incoming) -> None:
        """The next part of this body is waited for."""
        self._receiving.add(body)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK, self._look)

    def end(self, body: Incoming) -> None:
        """The next part is there, or is not waited for any more."""
        self._receiving.discard(body)

    def hold(self, body: Incoming, size: int) -> None:
        """So many more bytes of the body are kept. Raises TooManyBodies when it must give way."""
        body.held += size
        self._held += size
        while self._held > MEMORY:
            chosen = self._largest(other for other in {body, *self._receiving} if other.held)
            self.release(chosen)
            if chosen is body:
                raise TooManyBodies
            chosen.give_up(TooManyBodies)

    def release(self, body: Incoming) -> None:
        """Nothing of the body is kept any more."""
        self._held -= body.held
        body.held = 0

    def _look(self) -> None:
        self._looking = None
        if not self._receiving:
            return
        loop = asyncio.get_running_loop()
        deadline = LAST_DEADLINE if self._is_ending() else DEADLINE
        slow = [body for body in self._receiving if body.begun < loop.time() - SLOW]
        for body in self._receiving:
            if body.begun < loop.time() - deadline:
                body.give_up(BodyTimeout)
        for bodies in self._by_client(slow).values():
            for body in bodies[:-SLOW_OF_A_CLIENT]:
                body.give_up(TooManyBodies)
        self._looking = loop.call_later(LOOK, self._look)

    def _largest(self, bodies: Iterable[Incoming]) -> Incoming:
        """The longest waiting one of the client whose bodies take most."""
        by_client = self._by_client(bodies).values()
        return max(by_client, key=lambda of_one: sum(body.held for body in of_one))[0]

    def _by_client(self, bodies: Iterable[Incoming]) -> dict[str, list[Incoming]]:
        """The longest waiting first."""
        found: dict[str, list[Incoming]] = defaultdict(list)
        for body in sorted(bodies, key=lambda body: body.begun):
            found[self._clients.address_of(body.scope)].append(body)
        return found
