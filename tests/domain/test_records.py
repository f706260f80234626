"""Commands that record what has happened outside: history gets what they report."""

from datetime import UTC, datetime
from uuid import UUID

from domain.audit.disclosures import (
    PersonalDataRead,
    PersonExported,
    RecordDisclosure,
    RecordPersonExport,
)
from domain.syncs import Completed, Counts, Failed, RecordFailedSync, RecordSync
from tests.domain.scenario import Scenario

BEGUN = datetime(2030, 5, 1, tzinfo=UTC)


def test_a_sync_is_recorded_as_it_was_reported() -> None:
    counts = Counts(new=2, unchanged=1)
    assert Scenario().when(RecordSync(started_at=BEGUN, full=True, counts=counts)) == [
        Completed(started_at=BEGUN, full=True, counts=counts)
    ]
    assert Scenario().when(RecordFailedSync(started_at=BEGUN, full=False, reason="500")) == [
        Failed(started_at=BEGUN, full=False, reason="500")
    ]


def test_a_disclosure_is_recorded_with_its_range() -> None:
    read = {"first_position": 7, "last_position": 9, "count": 2}
    assert Scenario().when(RecordDisclosure(criteria={"type": "Visitor"}, **read)) == [
        PersonalDataRead(criteria={"type": "Visitor"}, **read)
    ]


def test_an_export_of_a_person_is_recorded_without_saying_who_it_is() -> None:
    ids = (UUID(int=7), UUID(int=8))
    assert Scenario().when(RecordPersonExport(visitor_ids=ids)) == [PersonExported(visitor_ids=ids)]
