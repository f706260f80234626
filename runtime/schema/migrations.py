"""Migrations: the SQL files in the folder `migrations` of each room that owns tables.

`0003_seals.sql` is the third of its room. Each room counts for itself: no room refers to a table of
one above it, so all of `domain` can come before the first of `projections`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from importlib.resources import files

import msgspec

from runtime.errors import CommandFailed

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_CREATED = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)")
_DROPPED = re.compile(r"DROP TABLE (?:IF EXISTS )?(\w+)")


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    room: str
    number: int
    name: str
    statements: str

    @property
    def checksum(self) -> str:
        return sha256(self.statements.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.room}/{self.number:04}_{self.name}"


def migrations_of(*rooms: str) -> list[Migration]:
    """In the order in which they are applied. Raises `CommandFailed` unless each room's numbers are
    1, 2, 3, ..."""
    return [migration for room in rooms for migration in _of_room(room)]


def _of_room(room: str) -> list[Migration]:
    found = []
    for file in (files(room) / "migrations").iterdir():
        named = _NAME.fullmatch(file.name)
        if named is None:
            raise CommandFailed(f"{room}/migrations/{file.name} is not named like 0001_name.sql")
        text = file.read_text(encoding="utf-8")
        found.append(Migration(room=room, number=int(named[1]), name=named[2], statements=text))
    found.sort(key=lambda migration: migration.number)
    for number, migration in enumerate(found, start=1):
        if migration.number != number:
            raise CommandFailed(f"{room}/migrations has not exactly one file of number {number:04}")
    return found


def tables_of(migrations: Iterable[Migration]) -> dict[str, Migration]:
    """The tables that there are when all of these were applied, and which one created each."""
    tables = dict[str, Migration]()
    for migration in migrations:
        tables |= dict.fromkeys(_CREATED.findall(migration.statements), migration)
        for dropped in _DROPPED.findall(migration.statements):
            tables.pop(dropped, None)
    return tables
