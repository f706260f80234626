"""Seals: the proof that history is as it was written.

Stored events are the leaves of a Merkle tree (`merkle`, `leaves`), in the order of history. Now and
then the tree's size and root are signed as a `checkpoint`, with the installation's `signing` key.
`sealing` adds events to the tree, `verifying` compares history with it, and `proofs` shows that one
event is in it, to somebody who has nothing but the public key.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from domain.history.store import sql
from domain.seals.signing import create_key


def create_tables(connection: Connection[Any], secret_keys: tuple[str, ...]) -> None:
    """Create what is missing, the signing key included. Safe to run again.

    Raises as `signing.create_key`.
    """
    connection.execute(sql("seals/tables.sql"))
    create_key(connection, secret_keys)
