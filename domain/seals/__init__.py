"""Seals: the proof that history was not changed.

Stored events are the leaves of a Merkle tree (`merkle`, `leaves`), in the order of history. The
size and root of the tree are signed regularly as a `checkpoint`, with the `signing` key of the
installation. `sealing` adds events to the tree, `verifying` compares history with it, and `proofs`
proves that one event is in it, to anyone who has the public key.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from domain.history.store import sql
from domain.seals.signing import create_key


def create_tables(connection: Connection[Any], secret_keys: tuple[str, ...]) -> None:
    """Create missing tables and the signing key. Safe to run again.

    Raises as `signing.create_key`.
    """
    connection.execute(sql("seals/tables.sql"))
    create_key(connection, secret_keys)
