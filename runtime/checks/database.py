"""Checks whether a PostgreSQL server is suitable."""

from __future__ import annotations

import time
from typing import Any, cast

from psycopg import Connection

from runtime.checks.finding import Finding, error, ok, warning

MIN_POSTGRESQL_VERSION = 150000
"""15.0, in the format of `server_version_num`."""

SKEW_WARNING, SKEW_ERROR = 5.0, 60.0
"""Seconds. Each host uses its own clock for deadlines and for the expiry of tokens."""

_DURABILITY_SETTINGS = ["fsync", "full_page_writes", "synchronous_commit"]


def version(connection: Connection[Any]) -> Finding:
    found = connection.info.server_version
    name = f"PostgreSQL {found // 10000}.{found % 10000}"
    if found < MIN_POSTGRESQL_VERSION:
        return error("database version", f"{name} is too old", "use PostgreSQL 15 or newer")
    return ok("database version", name)


def encoding(connection: Connection[Any]) -> Finding:
    found = _value(connection, "SHOW server_encoding")
    if found != "UTF8":
        return error(
            "database encoding",
            f"the encoding of the database is {found}, which cannot store every name",
            "create a new one: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
        )
    return ok("database encoding", found)


def clock(connection: Connection[Any]) -> Finding:
    """Compares the clocks of this host and the database: the minimum difference, since the time of
    the round trip is unknown."""
    before = time.time()
    there = float(_value(connection, "SELECT extract(epoch FROM clock_timestamp())"))
    after = time.time()
    skew = max(before - there, there - after, 0.0)
    if skew <= SKEW_WARNING:
        return ok("clock", "same as the database's")
    finding = error if skew > SKEW_ERROR else warning
    side = "behind" if there > after else "ahead of"
    return finding(
        "clock",
        f"this host's clock is {skew:.0f} s {side} the database's: deadlines are checked wrongly",
        "synchronise both hosts with the same time servers (chrony, systemd-timesyncd)",
    )


def durability(connection: Connection[Any]) -> Finding:
    rows = connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [_DURABILITY_SETTINGS]
    ).fetchall()
    lax = sorted(name for name, setting in rows if setting == "off")
    if lax:
        return error(
            "durability",
            f"{', '.join(lax)} off: a crash of the server may lose confirmed changes",
            f"set {', '.join(f'{name} = on' for name in lax)} in postgresql.conf",
        )
    return ok("durability", "confirmed changes survive a crash")


def writable(connection: Connection[Any]) -> Finding:
    if _value(connection, "SHOW transaction_read_only") == "on":
        return error(
            "database role",
            "the database takes no writes: it is a replica, or read-only",
            "set DATABASE_URL to the primary; READ_DATABASE_URL is for a replica",
        )
    return ok("database role", "takes writes")


def free_connections(connection: Connection[Any], needed: int) -> Finding:
    """`needed`: connections of one more process of the role that uses the most."""
    row = connection.execute(
        """
        SELECT current_setting('max_connections')::int
                 - current_setting('superuser_reserved_connections')::int
                 - coalesce(current_setting('reserved_connections', true)::int, 0),
               (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
        """
    ).fetchone()
    limit, used = cast("tuple[int, int]", row)
    usage = f"{used} of {limit} in use"
    if limit - used < needed:
        return warning(
            "connections",
            f"{usage}, and one more API process uses up to {needed}",
            "raise max_connections, or run fewer API processes",
        )
    return ok("connections", f"{usage}; an API process uses up to {needed}")


def _value(connection: Connection[Any], statement: str) -> str:
    (found,) = cast("tuple[object]", connection.execute(statement.encode()).fetchone())
    return str(found)
