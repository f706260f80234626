"""The PostgreSQL that all contenders share: the same binaries, settings and durability for each."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from runtime.embedded.cluster import binary
from runtime.embedded.postgres import embedded_postgres

RECORDED_SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "shared_buffers",
    "max_wal_size",
)


class Database(msgspec.Struct, frozen=True):
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of libpq and asyncpg."""
        parts = conninfo_to_dict(self.url)
        return {
            "PGHOST": str(parts["host"]),
            "PGPORT": str(parts["port"]),
            "PGUSER": str(parts["user"]),
            "PGDATABASE": str(parts["dbname"]),
        }

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def number(self, query: LiteralString) -> float:
        """The one number that a query gives."""
        with self.connect() as connection:
            row = connection.execute(query).fetchone()
        return float(row[0]) if row else 0.0

    def count(self, table: str, condition: LiteralString = "true") -> int:
        statement = SQL("SELECT count(*) FROM {} WHERE {}")
        with self.connect() as connection:
            row = connection.execute(statement.format(Identifier(table), SQL(condition))).fetchone()
        return row[0] if row else 0


class Server(msgspec.Struct, frozen=True):
    database: Database
    """The one that is always there."""

    @contextmanager
    def new_database(self) -> Iterator[Database]:
        """Empty, and dropped at the end."""
        name = f"bench_{secrets.token_hex(4)}"
        with self.database.connect() as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield Database(urlsplit(self.database.url)._replace(path=f"/{name}").geturl())
        finally:
            with self.database.connect() as connection:
                connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def settle(self) -> None:
        """A turn must not pay for the previous turn's pending writes."""
        with self.database.connect() as connection:
            connection.execute("CHECKPOINT")

    def settings(self) -> dict[str, str]:
        with self.database.connect() as connection:
            return {
                name: str(row[0])
                for name in RECORDED_SETTINGS
                if (row := connection.execute("SELECT current_setting(%s)", [name]).fetchone())
            }


@contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    with embedded_postgres(folder) as url:
        yield Server(Database(url))


def pgbench() -> str:
    return str(binary("pgbench"))
