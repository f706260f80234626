"""This release's migrations, and what a database has of them."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from runtime.errors import CommandFailed
from runtime.installation import session
from runtime.schema import ledger
from runtime.schema.ledger import Applied, SchemaState
from runtime.schema.migrations import Migration, migrations_of

ROOMS_WITH_TABLES = ("domain", "projections", "workers")
"""In the order in which their migrations are applied."""


def migrations() -> list[Migration]:
    return migrations_of(*ROOMS_WITH_TABLES)


def schema_state(connection: Connection[Any]) -> SchemaState:
    """Raises `CommandFailed` when the database cannot be brought up to this release."""
    return ledger.compare(migrations(), ledger.applied(connection))


def newer_in_words(newer: Sequence[Applied]) -> str:
    last = newer[-1]
    return f"the database is newer than this release: {last.release} has applied {last}"


def refuse_newer(database_url: str) -> None:
    """Raises `CommandFailed` when a newer release has upgraded the database: this one can do
    nothing for it. Roles of this release go on nevertheless."""
    with session(database_url) as connection:
        if newer := schema_state(connection).newer:
            raise CommandFailed(
                f"{newer_in_words(newer)}; nothing was changed: run `migrate` of that release;"
                " roles of this release can go on"
            )


def require_migrated(database_url: str) -> None:
    """Raises `CommandFailed` when migrations of this release are due."""
    with session(database_url) as connection:
        if due := schema_state(connection).due:
            raise CommandFailed(
                f"migration {due[0]} was not applied to the database: run `events-face migrate`"
            )
