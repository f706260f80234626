"""A server that only reads for a while, as after a failover to a replica."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection

from tests.support.waiting import until


@contextmanager
def read_only(database_url: str) -> Iterator[None]:
    """For the length of the block, whatever session asks."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        set_read_only(connection, "on")
        try:
            yield
        finally:
            set_read_only(connection, "off")


def set_read_only(connection: Connection[Any], value: str) -> None:
    """Return once sessions have it so."""
    connection.execute(f"ALTER SYSTEM SET default_transaction_read_only TO {value}".encode())
    connection.execute("SELECT pg_reload_conf()")
    until(lambda: connection.execute("SHOW default_transaction_read_only").fetchone() == (value,))
