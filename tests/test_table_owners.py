"""Each table belongs to the room that creates it. Rooms above may use it, no other room does; and
docs/architecture.md says which ones write it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]

RANKS = {"domain": 0, "runtime": 1, "projections": 2, "api": 3, "workers": 3, "events_face": 4}

CREATES = re.compile(r"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)")

WRITES = re.compile(
    r"(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|MERGE INTO|COPY|ALTER TABLE|DROP TABLE)"
    r"\s+(?:TABLE\s+|ONLY\s+|IF EXISTS\s+)?(\w+)"
)

IS_SQL = re.compile(
    r"\b(?:SELECT|FROM|JOIN|INSERT INTO|UPDATE|DELETE|TRUNCATE|MERGE|LOCK TABLE|REFERENCES|ALTER"
    r"|CREATE|DROP|COPY|to_regclass)\b"
)

NAMING_CALLS = {"Identifier", "to_regclass", "regclass"}

Statements = Mapping[Path, list[str]]


def statements_of(folder: Path) -> Statements:
    """Each file's SQL: that of .sql files, and of strings in Python."""
    found: dict[Path, list[str]] = {}
    for room in RANKS:
        for file in sorted((folder / room).rglob("*")):
            if file.suffix == ".sql":
                found[file.relative_to(folder)] = [_without_comments(file.read_text())]
            elif file.suffix == ".py":
                found[file.relative_to(folder)] = list(_sql_in(ast.parse(file.read_text())))
    return found


def _sql_in(tree: ast.Module) -> Iterator[str]:
    """An f-string counts as a whole, whatever is put into it; a docstring does not count."""
    ignored = {
        id(statement.value) for statement in ast.walk(tree) if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                ignored.update(map(id, values))
                text = "".join(
                    str(v.value) if isinstance(v, ast.Constant) else "{}" for v in values
                )
            case ast.Constant(value=str(text)) if id(node) not in ignored:
                pass
            case ast.Call(
                func=ast.Name(id=name) | ast.Attribute(attr=name),
                args=[*_, ast.Constant(value=str(table))],
            ) if name in NAMING_CALLS:
                text = f"FROM {table}"
            case _:
                continue
        if IS_SQL.search(text):
            yield _without_comments(text)


def _without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


def owners(statements: Statements) -> dict[str, set[str]]:
    found = defaultdict[str, set[str]](set)
    for file, texts in statements.items():
        for text in texts:
            for table in CREATES.findall(text):
                found[table].add(file.parts[0])
    return dict(found)


def arrows_up(statements: Statements) -> set[tuple[str, str]]:
    """File and table, wherever the table's name is in SQL of a room below or beside its owner."""
    owned = {table: next(iter(rooms)) for table, rooms in owners(statements).items()}
    return {
        (str(file), table)
        for file, texts in statements.items()
        for table, owner in owned.items()
        if owner != file.parts[0]
        and RANKS[owner] >= RANKS[file.parts[0]]
        and any(re.search(rf"\b{table}\b", text) for text in texts)
    }


def writers(statements: Statements) -> dict[str, set[str]]:
    """The rooms that write each table."""
    tables = owners(statements)
    found = defaultdict[str, set[str]](set)
    for file, texts in statements.items():
        for text in texts:
            for table in set(WRITES.findall(text)) & set(tables):
                found[table].add(file.parts[0])
    return dict(found)


@cache
def statements() -> Statements:
    """Of the product."""
    return statements_of(HERE)


def test_each_table_has_one_owner() -> None:
    assert {table: rooms for table, rooms in owners(statements()).items() if len(rooms) > 1} == {}


def test_no_room_refers_to_a_table_of_a_room_above_or_beside_it() -> None:
    assert arrows_up(statements()) == set()


def test_the_documentation_says_who_owns_and_who_writes_each_table() -> None:
    text = (HERE / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| `(\w+)` \| ([^|]+) \|$", text, re.MULTILINE)
    documented = {
        table: (owner, set(re.findall(r"`(\w+)`", written_by)))
        for tables, owner, written_by in rows
        for table in re.findall(r"`(\w+)`", tables)
    }
    written = writers(statements())
    assert documented == {
        table: (owner, written.get(table, set()))
        for table, (owner,) in owners(statements()).items()
        if table != "left_over"  # for the time of a rebuild, in a schema of its own
    }


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("domain/a.py", 'QUERY = "SELECT id FROM outbox"'),
        ("domain/a.py", 'def f(x):\n    return f"SELECT {x} FROM history, outbox WHERE {x}"'),
        ("domain/a.py", 'QUERY = SQL("SELECT FROM {}").format(Identifier("public", "outbox"))'),
        ("domain/a.sql", "CREATE INDEX an_index ON outbox (id);"),
        ("runtime/a.py", 'QUERY = "DELETE FROM a USING outbox AS b"'),
        ("api/a.py", "QUERY = \"SELECT to_regclass('runs') IS NULL\""),
    ],
)
def test_a_reference_to_a_room_above_or_beside_is_found(
    tmp_path: Path, file: str, text: str
) -> None:
    planted = {
        "projections/t.py": 'TABLE = "CREATE TABLE IF NOT EXISTS outbox (id int)"',
        "workers/t.sql": "CREATE TABLE runs (id int);",
        "api/fine.py": 'QUERY = "SELECT FROM outbox"',
        "domain/fine.py": '"""Rows that are SELECTed FROM outbox."""\nNAME = "outbox"',
        "domain/fine.sql": "SELECT 1; -- FROM outbox",
        file: text,
    }
    for name, content in planted.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    table = "runs" if file.startswith("api") else "outbox"
    assert arrows_up(statements_of(tmp_path)) == {(file, table)}


def test_two_owners_of_one_table_are_found(tmp_path: Path) -> None:
    for room in ("domain", "api"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "t.sql").write_text("CREATE TABLE runs (id int);")
    assert owners(statements_of(tmp_path)) == {"runs": {"domain", "api"}}
