"""The HTTP side: commands in, queries out."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what hashes passwords has no use for it
    from psycopg import Connection


def create_tables(connection: Connection[Any]) -> None:
    """What authentication reads. Safe to run again."""
    connection.execute((files("api.identity") / "tables.sql").read_bytes())
