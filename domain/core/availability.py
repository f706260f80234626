"""Which errors say that the database is unavailable, whatever was asked of it: try again later.

psycopg's `OperationalError` covers most: no connection, a lost one, a server that starts or stops,
a full disk, too many connections, a lock or an answer that takes too long. PostgreSQL counts some
others as internal errors: a server that only reads, as after a failover to a replica, and sessions
that it ended because a transaction took too long.

None of them says that what was asked is wrong. Where the connection is lost while it commits, the
outcome is unknown (`domain.history.batch.OutcomeUnknown`); after all others nothing was changed.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection, errors


class OnlyReads(psycopg.OperationalError):
    """The database takes no writes: it is a replica, or set to read only"""

    def __str__(self) -> str:
        return self.__doc__ or ""


UNAVAILABLE: tuple[type[psycopg.Error], ...] = (
    psycopg.OperationalError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
"""For `except`."""


TABLES_MISSING: tuple[type[psycopg.Error], ...] = (errors.UndefinedTable, errors.UndefinedColumn)
"""A table is missing, or of another release. For `except`; `missing_table` has the words for it."""

BRING_BACK = "run `events-face migrate`, which says what is to be rebuilt"


def missing_table(error: psycopg.Error) -> str:
    """What an operator is told of one of `TABLES_MISSING`, before how to `BRING_BACK` it."""
    named = re.search(r'"([^"]+)"', error.diag.message_primary or "")
    which = named[1] if named else "a table or a column"
    return f"{which} is missing in the database, or of another release"


def only_reads(connection: Connection[Any] | AsyncConnection[Any]) -> bool:
    """By what the server reported with its last answer: nothing is asked for this."""
    if connection.closed:
        return False
    reported = connection.info.parameter_status
    return "on" in (reported("in_hot_standby"), reported("default_transaction_read_only"))


def require_writes(connection: Connection[Any] | AsyncConnection[Any]) -> None:
    """For those that read for a long time before they write: the database that takes writes may be
    another one by now. Raises `OnlyReads`."""
    if only_reads(connection):
        raise OnlyReads
