"""What is done outside of requests: delivering, synchronising, cleaning up, on time."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from psycopg import Connection


def create_tables(connection: Connection[Any]) -> None:
    """What the workers keep for themselves. Safe to run again."""
    connection.execute((files("workers") / "tables.sql").read_bytes())
