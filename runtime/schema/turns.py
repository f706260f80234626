"""Changes tables while the system runs, and waits for their locks in short turns.

While a statement waits for a lock on a table, all queries on that table wait behind it. So it gives
up soon, lets these queries run, and tries again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from psycopg import Connection
from psycopg.errors import LockNotAvailable

from runtime.errors import CommandFailed

LOCK_TIMEOUT = "2s"

LOCK_RETRY_INTERVAL = 1.0
"""Seconds between two attempts."""

LOCK_TRIES = 20

T = TypeVar("T")

log = structlog.get_logger()


def in_turns(connection: Connection[Any], change: Callable[[], T]) -> T:
    """What `change` returns, made in a transaction of the connection. Raises `CommandFailed` when
    the locks that it needs are never free."""
    for _ in range(LOCK_TRIES):
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'")
                return change()
        except LockNotAvailable:
            log.warning("a transaction keeps a table locked: trying again")
            time.sleep(LOCK_RETRY_INTERVAL)
    raise CommandFailed("a transaction keeps a table locked that must be changed; end it first")
