"""Errors that mean that the database is unavailable, for any statement: try again later.

`OperationalError` of psycopg covers most: no connection, a lost one, a server that starts or stops,
a full disk, too many connections, a lock or an answer that takes too long. PostgreSQL reports some
others as internal errors: a read-only server, for example after a failover to a replica, and
sessions that it terminated because a transaction took too long.

None of them means that the statement is wrong. If the connection is lost during a commit, the
outcome is unknown (`domain.history.batch.OutcomeUnknown`); after all others, nothing was changed.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection, errors


class OnlyReads(psycopg.OperationalError):
    """The database takes no writes: it is a replica, or read-only"""

    def __str__(self) -> str:
        return self.__doc__ or ""


UNAVAILABLE: tuple[type[psycopg.Error], ...] = (
    psycopg.OperationalError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
"""For `except` clauses."""

TABLES_MISSING: tuple[type[psycopg.Error], ...] = (errors.UndefinedTable, errors.UndefinedColumn)
"""A table is missing, or of another release. For `except` clauses; `missing_table` describes it."""

BRING_BACK = "run `events-face migrate`, which says what is to be rebuilt"


def missing_table(error: psycopg.Error) -> str:
    """Describes one of `TABLES_MISSING` for operators; `BRING_BACK` is the remedy."""
    named = re.search(r'"([^"]+)"', error.diag.message_primary or "")
    which = named[1] if named else "a table or a column"
    return f"{which} is missing in the database, or of another release"


def only_reads(connection: Connection[Any] | AsyncConnection[Any]) -> bool:
    """Whether the server is read-only, as it reported with its last answer. Sends no query."""
    if connection.closed:
        return False
    reported = connection.info.parameter_status
    return "on" in (reported("in_hot_standby"), reported("default_transaction_read_only"))


def require_writes(connection: Connection[Any] | AsyncConnection[Any]) -> None:
    """Check before a rare write of a long session that the server is still the primary. Raises
    `OnlyReads`."""
    if only_reads(connection):
        raise OnlyReads
