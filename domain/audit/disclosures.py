"""Disclosures: records that a user read personal data in history. One stream for each disclosure.

A disclosure is recorded before the data is returned: without a record, no data is disclosed.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, stored_as
from domain.core.unit_of_work import Work


class RecordDisclosure(msgspec.Struct, frozen=True, kw_only=True):
    """The origin of the command names the reader."""

    criteria: dict[str, str]
    first_position: int
    last_position: int
    count: int


class RecordPersonExport(msgspec.Struct, frozen=True, kw_only=True):
    """The origin of the command names the reader."""

    visitor_ids: tuple[UUID, ...]


class Disclosure(Aggregate, frozen=True, kw_only=True):
    """One disclosure; its stream has one event."""


@stored_as("Disclosure.PersonalDataRead", phrase="read personal data in history")
class PersonalDataRead(DomainEvent[Disclosure], frozen=True, kw_only=True):
    criteria: dict[str, str]
    """The criteria of the query, by name. Only criteria that match events are recorded, so that no
    typed name of a person is."""
    first_position: int
    last_position: int
    """All disclosed events are between these positions, inclusive."""
    count: int
    """Number of events whose personal data was disclosed."""


@stored_as("Disclosure.PersonExported", phrase="exported all that is known of a person")
class PersonExported(DomainEvent[Disclosure], frozen=True, kw_only=True):
    """Their name and email are not here: they must stay erasable."""

    visitor_ids: tuple[UUID, ...]
    """The person at each event."""


def record_disclosure(command: RecordDisclosure, work: Work) -> None:
    read = PersonalDataRead(**msgspec.structs.asdict(command))
    work.record(Disclosure(id=work.new_id()), read)


def record_person_export(command: RecordPersonExport, work: Work) -> None:
    work.record(Disclosure(id=work.new_id()), PersonExported(visitor_ids=command.visitor_ids))
