"""Applies the migrations that a database does not have yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import Connection

from domain.core.availability import UNAVAILABLE
from runtime.errors import CommandFailed
from runtime.schema import ledger
from runtime.schema.migrations import Migration
from runtime.schema.turns import in_turns


def apply_all(connection: Connection[Any], due: Sequence[Migration]) -> None:
    """Apply each in a transaction of its own. For a connection in autocommit mode that has the lock
    `migrate`. Raises `CommandFailed`; those that were applied by then stay so."""
    if not ledger.has_ledger(connection):
        in_turns(connection, lambda: connection.execute(ledger.TABLE))
    for migration in due:
        _apply(connection, migration)


def _apply(connection: Connection[Any], migration: Migration) -> None:
    def change() -> None:
        connection.execute(migration.statements.encode())
        ledger.record(connection, migration)

    try:
        in_turns(connection, change)
    except UNAVAILABLE:
        raise
    except psycopg.Error as error:
        raise CommandFailed(f"migration {migration} failed and changed nothing: {error}") from None
