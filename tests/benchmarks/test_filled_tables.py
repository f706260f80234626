"""Benchmarks that fill read tables by hand know all their columns."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

INSERT = re.compile(r"INSERT INTO (?:library_)?(visitors|outbox|events) \(([a-z_,\s]+)\)")

FILLED = [
    pytest.param(table, columns.replace(",", " ").split(), id=f"{file.name}-{table}")
    for file in sorted(BENCHMARKS.rglob("*.py"))
    for table, columns in INSERT.findall(file.read_text())
]


def test_benchmarks_fill_tables_by_hand() -> None:
    assert len(FILLED) >= 2


@pytest.mark.parametrize(("table", "columns"), FILLED)
def test_rows_made_by_hand_have_all_columns_that_must_be_given(
    database_url: str, table: str, columns: list[str]
) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL"
            " AND is_generated = 'NEVER' AND is_identity = 'NO'",
            [table],
        )
        required = {name for (name,) in found}
    assert required
    assert required <= set(columns)
