"""Poolers between this process and PostgreSQL, as PgBouncer in transaction mode.

They give each transaction whichever session is free. So nothing lasts from one to the next: no lock
that elects a leader, no LISTEN, no setting. They show by what they do with the options that our
sessions are opened with: they refuse them, or are told to ignore them.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import Connection

from domain.history.store import CONNECTION_TIMEOUTS, SESSION

MARK = "-c events_face.session=ours"
"""An option that means nothing to PostgreSQL, which tells it to whoever asks."""

IS_OURS = "SELECT current_setting('events_face.session', true) = 'ours'"
"""Whether the session is the one that was opened with `MARK`."""


class PoolerBetween(Exception):
    """A pooler gives each transaction a session of its own, or keeps our options from it"""


def connect_in_session(database_url: str) -> Connection[Any]:
    """A connection in autocommit mode. Raises `PoolerBetween`."""
    try:
        connection = psycopg.connect(
            database_url, autocommit=True, options=f"{SESSION} {MARK}", **CONNECTION_TIMEOUTS
        )
    except psycopg.OperationalError as error:
        if refuses_options(error):
            raise PoolerBetween from error
        raise
    if connection.execute(IS_OURS).fetchone() != (True,):
        connection.close()
        raise PoolerBetween
    return connection


def refuses_options(error: psycopg.OperationalError) -> bool:
    """Whether that is why there is no connection."""
    return "unsupported startup parameter" in str(error)
