"""A database of one's own, in the blink of an eye: a copy of one that is migrated and empty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

TEMPLATE = "template_events_face"


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """Gives its URL; it is dropped when the block ends."""
    name = sql.Identifier(f"test_{uuid4().hex}")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                name, sql.Identifier(TEMPLATE)
            )
        )
        yield make_conninfo(server_url, dbname=name.as_string(None).strip('"'))
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
