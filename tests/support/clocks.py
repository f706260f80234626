"""A database whose clock is not this host's."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict


class OtherClock(msgspec.Struct, frozen=True):
    """Called with what the database's clock is to be ahead by (less than nothing: behind), gives
    the database's URL. PostgreSQL has one clock: here a test function is found before its own."""

    database_url: str

    def __call__(self, ahead: timedelta) -> str:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL(
                    "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz"
                    " LANGUAGE sql"
                    " RETURN pg_catalog.clock_timestamp() + make_interval(secs => {})"
                ).format(sql.Literal(ahead.total_seconds()))
            )
            name = str(conninfo_to_dict(self.database_url)["dbname"])
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET search_path = public, pg_catalog").format(
                    sql.Identifier(name)
                )
            )
        return self.database_url
