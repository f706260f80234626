"""A migrated, empty database for each test.

To create and drop one takes 100 to 200 ms, to empty one 20: a test that changed only rows leaves
its database, emptied, to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from tests.support.waiting import until

TEMPLATE = "template_events_face"

_SCHEMA = """
    SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
        SELECT concat_ws(' ',
            oid, relname, relnamespace, relkind, relpersistence, relacl, reloptions
        ) AS line FROM pg_class WHERE oid >= 16384
        UNION ALL
        SELECT concat_ws(' ', datallowconn, datconnlimit, datacl, setrole, setconfig)
        FROM pg_database d LEFT JOIN pg_db_role_setting ON d.oid = setdatabase
        WHERE datname = current_database()
        UNION ALL
        SELECT concat_ws(' ', catalog, count(*), sum(version)) FROM (
            SELECT 'attribute' AS catalog, xmin::text::bigint AS version FROM pg_attribute
            UNION ALL SELECT 'default', xmin::text::bigint FROM pg_attrdef
            UNION ALL SELECT 'constraint', xmin::text::bigint FROM pg_constraint
            UNION ALL SELECT 'index', xmin::text::bigint FROM pg_index
            UNION ALL SELECT 'function', xmin::text::bigint FROM pg_proc
            UNION ALL SELECT 'trigger', xmin::text::bigint FROM pg_trigger
            UNION ALL SELECT 'event trigger', xmin::text::bigint FROM pg_event_trigger
            UNION ALL SELECT 'rule', xmin::text::bigint FROM pg_rewrite
            UNION ALL SELECT 'policy', xmin::text::bigint FROM pg_policy
            UNION ALL SELECT 'schema', xmin::text::bigint FROM pg_namespace
            UNION ALL SELECT 'extension', xmin::text::bigint FROM pg_extension
        ) AS definitions GROUP BY catalog
    ) AS lines
"""
"""A sum over everything that a statement other than INSERT, UPDATE, DELETE and TRUNCATE changes."""

_USED = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""

_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Databases:
    """The databases of one server that one test process uses."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._empty = list[str]()
        self._schema = ""
        self._rows: dict[str, list[bytes]] = {}
        """What the migration writes, by table."""

    @contextmanager
    def new(self) -> Iterator[str]:
        """The URL of one that nothing else uses until the block ends."""
        name = self._empty.pop() if self._empty else self._create()
        yield self._url(name)
        if self._emptied(name):
            self._empty.append(name)
        else:
            self._drop(name)

    @contextmanager
    def without_tables(self) -> Iterator[str]:
        """The URL of one that is as PostgreSQL creates it."""
        name = f"test_{uuid4().hex}"
        self._execute("CREATE DATABASE {}", name)
        yield self._url(name)
        self._drop(name)

    def _create(self) -> str:
        name = f"test_{uuid4().hex}"
        self._execute("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, TEMPLATE)
        if not self._schema:
            with psycopg.connect(self._url(name)) as connection:
                self._schema = _schema(connection)
                self._rows = {table: _copied(connection, table) for table in _used(connection)}
        return name

    def _emptied(self, name: str) -> bool:
        """Whether it is again as the migration leaves it."""
        try:
            with psycopg.connect(self._url(name), autocommit=True) as connection:
                _end_others(connection)
                if _schema(connection) != self._schema:
                    return False
                with connection.transaction():
                    _empty(connection)
                    for table, rows in self._rows.items():
                        _copy_back(connection, table, rows)
        except psycopg.Error:
            return False
        return True

    def _drop(self, name: str) -> None:
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _execute(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _url(self, name: str) -> str:
        return make_conninfo(self._server_url, dbname=name)


def _schema(connection: Connection[Any]) -> str:
    (schema,) = connection.execute(_SCHEMA).fetchone() or ("",)
    return str(schema)


def _used(connection: Connection[Any]) -> list[str]:
    return [table for (table,) in connection.execute(_USED).fetchall()]


def _end_others(connection: Connection[Any]) -> None:
    until(lambda: not connection.execute(_OTHER_SESSIONS).fetchall())


def _empty(connection: Connection[Any]) -> None:
    if used := _used(connection):
        tables = sql.SQL(", ").join(map(sql.Identifier, used))
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(tables))
    connection.execute("DELETE FROM pg_statistic WHERE starelid >= 16384")


def _copied(connection: Connection[Any], table: str) -> list[bytes]:
    copy = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
    with connection.cursor().copy(copy) as rows:
        return [bytes(row) for row in rows]


def _copy_back(connection: Connection[Any], table: str, rows: list[bytes]) -> None:
    copy = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
    with connection.cursor().copy(copy) as copying:
        for row in rows:
            copying.write(row)
