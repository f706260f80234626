"""Who registered. The read tables do not say it: history does, under keys that an erasure deletes.

So no name and no email is in a file of the database, and where the key is gone the person is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from psycopg import AsyncConnection

from domain.history.store import open_all, read_at
from domain.privacy.keys import InstallationKeys
from domain.visitors import Person, Registered


class _AtPosition(msgspec.Struct, frozen=True):
    position: int
    """Of the registration."""


class OfPerson(_AtPosition, frozen=True, kw_only=True):
    """What a registration led to."""

    person: Person | None = None
    """None when it was erased, and as long as it was not read."""

    @property
    def full_name(self) -> str | None:
        return self.person.full_name if self.person else None

    @property
    def email(self) -> str | None:
        return self.person.email if self.person else None


Of = TypeVar("Of", bound=OfPerson)


async def with_people(
    connection: AsyncConnection[Any], keys: InstallationKeys, rows: Sequence[Of]
) -> list[Of]:
    """The rows, each with its person."""
    people = await people_at(connection, keys, [row.position for row in rows])
    return [msgspec.structs.replace(row, person=people.get(row.position)) for row in rows]


async def people_at(
    connection: AsyncConnection[Any], keys: InstallationKeys, positions: Iterable[int]
) -> Mapping[int, Person]:
    """By the position of the registration; those who were erased are missing."""
    events = await open_all(connection, await read_at(connection, positions), keys)
    return {
        recorded.position: recorded.event.person
        for recorded in events
        if isinstance(recorded.event, Registered) and recorded.event.person
    }
