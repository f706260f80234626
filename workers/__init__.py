"""Background work: delivery of notifications, sync, cleanup, schedules."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from psycopg import Connection

from domain import sync_requests
from projections.rebuild import requests


def create_tables(connection: Connection[Any]) -> None:
    """What the workers keep for themselves, and what they are asked for. Safe to run again."""
    for room in ("projections", "workers"):
        connection.execute((files(room) / "tables.sql").read_bytes())
    connection.execute(sync_requests.TABLE)
    connection.execute(requests.TABLE)
