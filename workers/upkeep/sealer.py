"""The sealer: seals history as it grows (`domain.seals`), in a thread of the scheduler's process.

Any number may run: one leads (`domain.history.leadership`) and seals, the others wait.
"""

from __future__ import annotations

import asyncio
import threading

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.core.availability import UNAVAILABLE, require_writes
from domain.history.leadership import take_lead
from domain.history.store import connect
from domain.seals.sealing import MAX_SEAL_SIZE, Overtaken, Sealer, SealsDamaged

SEAL_INTERVAL = 0.5
"""Seconds between two reads of history, except after a full seal."""

ELECTION_INTERVAL = 3.0
"""Seconds between two attempts to become the active sealer, or to reach the database."""

DAMAGE_RETRY_INTERVAL = 30.0
"""Seconds between two checks of damaged seals."""

log = structlog.get_logger()


def run(database_url: str, key: Ed25519PrivateKey, stopping: threading.Event) -> None:
    """Seal until `stopping` is set. When the database is unavailable, it waits until it is back."""
    while not stopping.is_set():
        try:
            asyncio.run(seal_while_elected(database_url, key, stopping))
        except UNAVAILABLE as error:
            log.warning("the sealer waits for the database", error=str(error))
        except Overtaken:
            log.warning("another sealer has sealed these events")
        except SealsDamaged as error:
            log.error("nothing is sealed: run `events-face audit verify`", because=str(error))  # noqa: TRY400
            stopping.wait(DAMAGE_RETRY_INTERVAL)
        stopping.wait(ELECTION_INTERVAL)


async def seal_while_elected(
    database_url: str, key: Ed25519PrivateKey, stopping: threading.Event
) -> None:
    """Return at once when another sealer is active, otherwise when `stopping` is set."""
    async with await connect(database_url) as connection:
        if not await take_lead(connection, "sealer"):
            return
        # If a crash of PostgreSQL loses the last seals, they are made again, of the same events.
        await connection.execute("SET synchronous_commit TO off")
        sealer = await Sealer.resume(connection, key)
        log.info("this sealer is active")
        while not stopping.is_set():
            require_writes(connection)
            if await sealer.seal() < MAX_SEAL_SIZE:
                await asyncio.sleep(SEAL_INTERVAL)
