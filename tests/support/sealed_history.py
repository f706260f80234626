"""A history with a hole in its positions, sealed in several steps, to be tampered with."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import AsyncConnection

from domain.seals.sealing import Sealer
from tests.support.installation import Installation

HOLE = 8
"""The position that no event has: the append that it was for was rolled back."""

LAST = 31
"""The last position; the hole makes it one more than there are events."""


async def make_history(installation: Installation, signing_key: Ed25519PrivateKey) -> None:
    """An event and registrations, sealed by as many at once as the test lets be sealed."""
    event = await installation.event()
    for position in range(2, LAST + 1):
        if position == HOLE:
            await installation.connection.execute(
                "SELECT nextval('history_events_notification_id_seq')"
            )
        else:
            await installation.register(event, f"visitor{position}@example.org")
    await seal_all(installation.connection, signing_key)


async def seal_all(connection: AsyncConnection[Any], signing_key: Ed25519PrivateKey) -> int:
    """Seal to the end of history; how many events there were to seal."""
    sealer = await Sealer.resume(connection, signing_key)
    sealed = 0
    while count := await sealer.seal():
        sealed += count
    return sealed
