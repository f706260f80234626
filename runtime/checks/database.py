"""Whether a PostgreSQL server is one that this system can rely on."""

from __future__ import annotations

import time
from typing import Any, cast

from psycopg import Connection

from runtime.checks.finding import Finding, error, ok, warning

OLDEST = 150000
"""As the server tells its version: 15.0."""

SKEW_NOTICED, SKEW_TOO_MUCH = 5.0, 60.0
"""Seconds. A host decides by its own clock whether a deadline has passed or a token has run out."""

_DURABLE = ["fsync", "full_page_writes", "synchronous_commit"]


def version(connection: Connection[Any]) -> Finding:
    found = connection.info.server_version
    told = f"PostgreSQL {found // 10000}.{found % 10000}"
    if found < OLDEST:
        return error("database version", f"{told} is too old", "use PostgreSQL 15 or newer")
    return ok("database version", told)


def encoding(connection: Connection[Any]) -> Finding:
    found = _value(connection, "SHOW server_encoding")
    if found != "UTF8":
        return error(
            "database encoding",
            f"the database's encoding is {found}, which does not hold every name",
            "create it anew: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
        )
    return ok("database encoding", found)


def clock(connection: Connection[Any]) -> Finding:
    """The least that both clocks can be apart: how long the answer was under way is not known."""
    before = time.time()
    there = float(_value(connection, "SELECT extract(epoch FROM clock_timestamp())"))
    after = time.time()
    skew = max(before - there, there - after, 0.0)
    if skew <= SKEW_NOTICED:
        return ok("clock", "as the database's")
    tell = error if skew > SKEW_TOO_MUCH else warning
    side = "behind" if there > after else "ahead of"
    return tell(
        "clock",
        f"this host's clock is {skew:.0f} s {side} the database's: deadlines pass at another time",
        "let both hosts follow the same time servers (chrony, systemd-timesyncd)",
    )


def durability(connection: Connection[Any]) -> Finding:
    rows = connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [_DURABLE]
    ).fetchall()
    lax = sorted(name for name, setting in rows if setting == "off")
    if lax:
        return error(
            "durability",
            f"{', '.join(lax)} off: what was answered may be lost when the server crashes",
            f"set {', '.join(f'{name} = on' for name in lax)} in postgresql.conf",
        )
    return ok("durability", "what was answered survives a crash")


def writable(connection: Connection[Any]) -> Finding:
    if _value(connection, "SHOW transaction_read_only") == "on":
        return error(
            "database role",
            "the database takes no writes: it is a replica, or set to read only",
            "let DATABASE_URL name the primary; READ_DATABASE_URL is for a replica",
        )
    return ok("database role", "takes writes")


def free_connections(connection: Connection[Any], needed: int) -> Finding:
    """`needed`: by one more process of the role that takes the most."""
    row = connection.execute(
        """
        SELECT current_setting('max_connections')::int
                 - current_setting('superuser_reserved_connections')::int
                 - coalesce(current_setting('reserved_connections', true)::int, 0),
               (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
        """
    ).fetchone()
    most, used = cast("tuple[int, int]", row)
    told = f"{used} of {most} in use"
    if most - used < needed:
        return warning(
            "connections",
            f"{told}, and one more API process takes up to {needed}",
            "raise max_connections, or run fewer API processes",
        )
    return ok("connections", f"{told}; an API process takes up to {needed}")


def _value(connection: Connection[Any], statement: str) -> str:
    (found,) = cast("tuple[object]", connection.execute(statement.encode()).fetchone())
    return str(found)
