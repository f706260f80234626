"""Disclosures: that somebody read personal data in history. One stream for each reading.

It is recorded before the data is given away: what cannot be recorded is not disclosed.
"""

from __future__ import annotations

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, stored_as
from domain.core.unit_of_work import Work


class RecordDisclosure(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads is told by the command's origin."""

    criteria: dict[str, str]
    first_position: int
    last_position: int
    count: int


class Disclosure(Aggregate, frozen=True, kw_only=True):
    """One reading; it has happened once its stream has an event."""


@stored_as("Disclosure.PersonalDataRead")
class PersonalDataRead(DomainEvent[Disclosure], frozen=True, kw_only=True):
    criteria: dict[str, str]
    """What was asked for, by name. Only criteria that events fulfil get here, so that nobody's
    name does."""
    first_position: int
    last_position: int
    """All that was opened lies between these, both included."""
    count: int
    """Events whose personal data was opened."""


def record_disclosure(command: RecordDisclosure, work: Work) -> None:
    read = PersonalDataRead(**msgspec.structs.asdict(command))
    work.record(Disclosure(id=work.new_id()), read)
