"""Rehearses commands: what each of them would lead to, without changing anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

from domain.core.commands import Application
from domain.history.batch import CommandRequest, Done, Execute, Origin
from domain.history.decider import Decider
from domain.history.handling import FailedDecision, Results
from domain.history.store import last_position
from domain.privacy.keys import InstallationKeys


@asynccontextmanager
async def rehearsal(
    connection: AsyncConnection[Any], keys: InstallationKeys, application: Application
) -> AsyncIterator[Execute]:
    """Decides commands one after another, each with the results of those before it.

    Within the block everything is read from one snapshot of the database, so the outcomes are those
    of an execution at that moment. No lock is held: others append meanwhile.
    """
    async with connection.transaction(force_rollback=True):
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        deciding, results = Decider(keys, application).deciding(connection), Results()

        async def execute(command: Any, origin: Origin) -> Done:
            _, (decision,) = await deciding.load_and_run([CommandRequest(command, origin)], results)
            if isinstance(decision, FailedDecision):
                raise decision.error
            results.add(decision.work)
            return Done(decision.value, await last_position(connection))

        yield execute
