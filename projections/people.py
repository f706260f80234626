"""Names and emails of visitors, read from history and decrypted with keys that an erasure deletes.

The read tables do not hold them, so no file of the database has them in plain text, and a person
whose key was deleted cannot be read any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.answers import Answers
from domain.history.store import read_last_personal_data, read_personal_data
from domain.privacy.keys import InstallationKeys
from domain.visitors import Person


class _AtPosition(msgspec.Struct, frozen=True):
    position: int
    """Position in history of the event that says who it is."""


class WithPerson(_AtPosition, frozen=True, kw_only=True):
    """A row that belongs to a registration, with the person who registered."""

    person: Person | None = None
    """None when the person was erased, and until `with_people` has read it."""

    @property
    def full_name(self) -> str | None:
        return self.person.full_name if self.person else None

    @property
    def email(self) -> str | None:
        return self.person.email if self.person else None

    @property
    def answers(self) -> Answers | None:
        return self.person.answers if self.person else None


PersonRow = TypeVar("PersonRow", bound=WithPerson)


async def with_people(
    connection: AsyncConnection[Any], keys: InstallationKeys, rows: Sequence[PersonRow]
) -> list[PersonRow]:
    """The same rows, each with its person."""
    people = await people_at(connection, keys, [row.position for row in rows])
    return [msgspec.structs.replace(row, person=people.get(row.position)) for row in rows]


async def names_of(
    connection: AsyncConnection[Any], keys: InstallationKeys, visitor_ids: Collection[UUID]
) -> dict[UUID, str]:
    """The present names in history, without those of people who were erased."""
    people = await people_of(connection, keys, visitor_ids)
    return {id: person.full_name for id, person in people.items()}


async def people_of(
    connection: AsyncConnection[Any], keys: InstallationKeys, visitor_ids: Collection[UUID]
) -> dict[UUID, Person]:
    """As history has them now, without those who were erased."""
    found = await read_last_personal_data(connection, visitor_ids, keys)
    return {id: data for id, data in found.items() if isinstance(data, Person)}


async def people_at(
    connection: AsyncConnection[Any], keys: InstallationKeys, positions: Iterable[int]
) -> Mapping[int, Person]:
    """People by the position of their registration, without those who were erased."""
    found = await read_personal_data(connection, list(positions), keys)
    return {position: data for position, data in found.items() if isinstance(data, Person)}
