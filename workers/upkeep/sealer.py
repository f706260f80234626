"""The sealer: seals history as it grows (`domain.seals`), a thread of the scheduler's process.

Any number may run: one leads (`domain.history.leadership`) and seals, the others stand by.
"""

from __future__ import annotations

import asyncio
import threading

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.core.availability import UNAVAILABLE, require_writes
from domain.history.leadership import take_lead
from domain.history.store import connect
from domain.seals.sealing import MOST_AT_ONCE, Overtaken, Sealer, SealsDamaged

PACE = 0.5
"""Seconds from one look at history to the next, but for seals that were full."""

STAND_BY = 3.0
"""Seconds between two tries to become the one that seals, or to reach the database."""

AFTER_DAMAGE = 30.0
"""Seconds after which seals that were damaged are looked at again."""

log = structlog.get_logger()


def run(database_url: str, key: Ed25519PrivateKey, stopping: threading.Event) -> None:
    """Seal until `stopping` is set. What is unreachable is waited for."""
    while not stopping.is_set():
        try:
            asyncio.run(seal_while_elected(database_url, key, stopping))
        except UNAVAILABLE as error:
            log.warning("the sealer waits for the database", error=str(error))
        except Overtaken:
            log.warning("another sealer was faster")
        except SealsDamaged as error:
            log.error("nothing is sealed: run `events-face audit verify`", because=str(error))  # noqa: TRY400
            stopping.wait(AFTER_DAMAGE)
        stopping.wait(STAND_BY)


async def seal_while_elected(
    database_url: str, key: Ed25519PrivateKey, stopping: threading.Event
) -> None:
    """Return at once when another one seals, else once `stopping` is set."""
    async with await connect(database_url) as connection:
        if not await take_lead(connection, "sealer"):
            return
        # Seals that a crash of PostgreSQL takes with it are made again, of the same events.
        await connection.execute("SET synchronous_commit TO off")
        sealer = await Sealer.resume(connection, key)
        log.info("this sealer is active")
        while not stopping.is_set():
            require_writes(connection)
            if await sealer.seal() < MOST_AT_ONCE:
                await asyncio.sleep(PACE)
