"""Decides many commands together and appends their events to history in one commit.

All commands of a batch are decided in memory and appended in one round trip; another one loads the
streams that are not cached. Commands of a batch are isolated from each other: neither a refusal
nor a bug of one affects the others. History stays serializable: the append is refused when a stream
has changed since it was read, and then the batch is decided again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from psycopg import AsyncConnection

from domain.core.commands import Application
from domain.core.ids import Identity
from domain.core.unit_of_work import Environment
from domain.history.batch import Batch, CommandFailure, CommandRequest, Done, Observer, Origin
from domain.history.deciding import Deciding
from domain.history.handling import Handling
from domain.history.replays import decide_once
from domain.history.seats import SeatCache
from domain.history.streams import Streams, is_committing
from domain.privacy.keys import InstallationKeys


class Decider:
    """Decides batches of commands, one at a time, and caches aggregates between them.

    `observer` is called with each batch after its callers have their outcomes.
    """

    def __init__(
        self,
        keys: InstallationKeys,
        application: Application,
        environment: Environment | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._keys = keys
        self._application = application
        self._people = application.people(keys)
        self._identity = Identity(keys.identity)
        self._environment = environment or Environment()
        self._observer = observer
        self._streams = Streams()
        self._seats = SeatCache()

    @property
    def keys(self) -> InstallationKeys:
        return self._keys

    async def execute(
        self, connection: AsyncConnection[Any], requests: Sequence[CommandRequest]
    ) -> list[Done | CommandFailure]:
        """One outcome for each request, in the same order. Events are committed with the
        connection's transaction: at once in autocommit mode. Raises `OutcomeUnknown`.

        The requests count as simultaneous: they may be decided in any order.
        """
        deciding = self.deciding(connection)
        begun = perf_counter()
        outcomes: Sequence[Done | CommandFailure] = ()
        try:
            outcomes = await decide_once(connection, requests, deciding.decide)
        except Exception as error:
            outcomes = [CommandFailure(error)] * len(requests)
            raise
        finally:
            if self._observer is not None and outcomes:
                batch = Batch(
                    requests=requests,
                    outcomes=outcomes,
                    begun=begun,
                    ended=perf_counter(),
                    appends=deciding.appends,
                    locked=deciding.locked,
                )
                # Through the event loop: a bug in the observer must not fail a command.
                asyncio.get_running_loop().call_soon(self._observer, batch)
        return outcomes

    async def execute_one(
        self, connection: AsyncConnection[Any], command: Any, origin: Origin
    ) -> Done:
        """As `execute`. Raises what the command failed with."""
        (outcome,) = await self.execute(connection, [CommandRequest(command, origin)])
        return outcome.or_raise()

    def deciding(self, connection: AsyncConnection[Any]) -> Deciding:
        # A transaction may be rolled back: what is read in it is not cached.
        commits = is_committing(connection)
        people = self._people if commits else self._application.people(self._keys)
        seats = self._seats if commits else SeatCache()
        handling = Handling(self._application, people, self._identity, self._environment)
        return Deciding(connection, handling, people, self._streams, seats, self._keys)
