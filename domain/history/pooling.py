"""Detects poolers between this process and PostgreSQL, such as PgBouncer in transaction mode.

A pooler runs each transaction in any free session. So session state is lost: advisory locks of
leaders, LISTEN, settings. Poolers can be detected because they refuse connection options, or ignore
them.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import Connection

from domain.history.store import CONNECTION_TIMEOUTS, SESSION

SESSION_MARK = "-c events_face.session=ours"
"""An option without meaning to PostgreSQL, which can be read in the session."""

HAS_MARK = "SELECT current_setting('events_face.session', true) = 'ours'"
"""Whether the session is the one that was opened with `SESSION_MARK`."""


class PoolerDetected(Exception):
    """A pooler is between this process and PostgreSQL"""


def connect_in_session(database_url: str) -> Connection[Any]:
    """A connection in autocommit mode. Raises `PoolerDetected`."""
    try:
        connection = psycopg.connect(
            database_url,
            autocommit=True,
            options=f"{SESSION} {SESSION_MARK}",
            **CONNECTION_TIMEOUTS,
        )
    except psycopg.OperationalError as error:
        if refuses_options(error):
            raise PoolerDetected from error
        raise
    if connection.execute(HAS_MARK).fetchone() != (True,):
        connection.close()
        raise PoolerDetected
    return connection


def refuses_options(error: psycopg.OperationalError) -> bool:
    """Whether the connection failed because of its options."""
    return "unsupported startup parameter" in str(error)
