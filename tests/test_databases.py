"""The databases that tests leave to each other."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from domain.history.store import load_keys
from runtime.settings import Settings
from tests.support.databases import Databases
from tests.support.installation import installation_on

CHANGES_OF_THE_SCHEMA = [
    "ALTER TABLE areas ADD note text",
    "ALTER TABLE areas ALTER name DROP NOT NULL",
    "ALTER TABLE areas SET (autovacuum_enabled = off)",
    "CREATE TABLE more ()",
    "CREATE INDEX ON areas (name)",
    "CREATE FUNCTION more() RETURNS int LANGUAGE sql RETURN 1",
    "DROP TABLE areas",
    "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END$$",
    "DO $$BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 7', current_database()); END$$",
]


@pytest.mark.anyio
async def test_the_next_test_finds_a_database_as_the_migration_leaves_it(
    databases: Databases, settings: Settings
) -> None:
    with databases.new() as url:
        as_new = contents(url)
        with psycopg.connect(url) as connection:
            keys = load_keys(connection, settings.secret_keys)
        async with installation_on(url, keys) as installation:
            await installation.register(await installation.event(), "ada@example.com")
            await installation.project()
            await installation.connection.execute("ANALYZE")
        assert contents(url) != as_new
    with databases.new() as again:
        assert again == url
        assert contents(again) == as_new


@pytest.mark.parametrize("statement", CHANGES_OF_THE_SCHEMA)
def test_a_database_with_a_changed_schema_is_not_reused(
    databases: Databases, statement: str
) -> None:
    with databases.new() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
    with databases.new() as another:
        assert another != url


def contents(url: str) -> dict[str, list[str]]:
    """All rows, where sequences are, and what is known of columns."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(
            "SELECT relname FROM pg_class"
            " WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace"
            " ORDER BY relname"
        )
        tables = [table for (table,) in cursor.fetchall()]
        known = connection.execute("SELECT * FROM pg_stats WHERE schemaname = 'public'").fetchall()
        return {"pg_stats": sorted(map(str, known))} | {
            table: sorted(
                map(str, connection.execute(SQL("TABLE {}").format(Identifier(table))).fetchall())
            )
            for table in tables
        }
