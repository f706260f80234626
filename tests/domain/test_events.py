"""Events: creation, changes, sync and cleanup."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import areas, events
from domain.areas import CreateArea
from domain.core.errors import ChangedMeanwhile, InvalidFields, NotFound
from domain.core.values import Text
from domain.event_editing import ChangeEvent, CleanUpEvent, CreateEvent, DeleteEvent
from domain.events import Event
from domain.provider_items import SyncOutcome
from tests.domain.fair import FAIR, FAIR_CREATED, a_fair, synced
from tests.domain.scenario import IN_A_MONTH, IN_A_WEEK, NOW, Scenario


def create(**changes: Any) -> CreateEvent:
    fields: dict[str, Any] = {
        "name": Text("Fair"),
        "event_datetime": IN_A_MONTH,
        "registration_deadline": IN_A_WEEK,
    }
    return CreateEvent(**fields | changes)


def test_a_new_event_is_created_as_asked() -> None:
    assert Scenario().when(create()) == [FAIR_CREATED]


@pytest.mark.parametrize(
    ("starts", "deadline", "wrong"),
    [
        (
            NOW - timedelta(days=1),
            NOW + timedelta(days=1),
            ["event_datetime", "registration_deadline"],
        ),
        (NOW, NOW, ["event_datetime", "registration_deadline"]),
        (IN_A_MONTH, NOW, ["registration_deadline"]),
        (IN_A_WEEK, IN_A_MONTH, ["registration_deadline"]),
        (IN_A_MONTH, NOW.date() - timedelta(days=1), ["registration_deadline"]),
        (IN_A_MONTH, IN_A_MONTH.date() + timedelta(days=1), ["registration_deadline"]),
    ],
)
def test_invalid_times_are_refused_by_field(
    starts: datetime, deadline: datetime | date, wrong: list[str]
) -> None:
    with pytest.raises(InvalidFields) as refusal:
        Scenario().when(create(event_datetime=starts, registration_deadline=deadline))
    assert list(refusal.value.messages) == wrong


def test_all_wrong_fields_are_named_at_once() -> None:
    with pytest.raises(InvalidFields) as refusal:
        Scenario().when(
            create(area_id=UUID(int=9), event_datetime=NOW, registration_deadline=IN_A_WEEK)
        )
    assert set(refusal.value.messages) == {"area_id", "event_datetime", "registration_deadline"}


def test_a_deadline_given_as_a_date_is_the_end_of_that_day() -> None:
    (created,) = Scenario().when(create(registration_deadline=date(2030, 5, 8)))
    assert isinstance(created, events.Created)
    assert created.registration_deadline.isoformat() == "2030-05-08T23:59:59+00:00"


def test_a_deadline_by_the_events_own_date_ends_when_it_begins() -> None:
    (created,) = Scenario().when(create(registration_deadline=IN_A_MONTH.date()))
    assert isinstance(created, events.Created)
    assert created.registration_deadline == IN_A_MONTH


def test_a_change_leads_to_one_event_for_each_thing_that_differs() -> None:
    later = IN_A_MONTH + timedelta(days=1)
    changes = ChangeEvent(
        event_id=FAIR, name=Text("Big Fair"), event_datetime=later, status="closed"
    )
    assert a_fair().when(changes) == [
        events.Renamed(name="Big Fair"),
        events.Rescheduled(event_datetime=later, registration_deadline=IN_A_WEEK),
        events.Closed(),
    ]


def test_a_change_to_the_present_value_records_nothing() -> None:
    assert a_fair().when(ChangeEvent(event_id=FAIR, name=Text("Fair"), status="open")) == []


def test_an_event_cannot_be_moved_before_its_deadline() -> None:
    with pytest.raises(InvalidFields) as refusal:
        a_fair().when(ChangeEvent(event_id=FAIR, event_datetime=NOW + timedelta(days=1)))
    assert list(refusal.value.messages) == ["event_datetime"]


LATER = IN_A_MONTH + timedelta(days=300)


@pytest.mark.parametrize(
    ("now", "changes"),
    [
        (IN_A_WEEK, {"event_datetime": LATER}),
        (IN_A_MONTH, {"event_datetime": LATER}),
        (IN_A_MONTH, {"event_datetime": LATER, "registration_deadline": IN_A_WEEK}),
        (IN_A_WEEK, {"event_datetime": IN_A_MONTH, "registration_deadline": IN_A_WEEK}),
        (IN_A_MONTH, {"event_datetime": IN_A_MONTH, "registration_deadline": IN_A_WEEK}),
        (LATER, {"name": Text("Old Fair"), "registration_deadline": IN_A_WEEK, "area_id": None}),
        (
            LATER,
            {"event_datetime": LATER + timedelta(days=1), "registration_deadline": LATER.date()},
        ),
    ],
)
def test_an_unchanged_time_is_not_validated_again(now: datetime, changes: dict[str, Any]) -> None:
    scenario = a_fair()
    scenario.now = now
    scenario.when(ChangeEvent(event_id=FAIR, **changes))


@pytest.mark.parametrize(
    ("now", "changes", "wrong"),
    [
        (IN_A_MONTH, {"event_datetime": IN_A_MONTH - timedelta(days=1)}, ["event_datetime"]),
        (IN_A_WEEK, {"registration_deadline": IN_A_WEEK - timedelta(1)}, ["registration_deadline"]),
        (NOW, {"registration_deadline": IN_A_MONTH + timedelta(1)}, ["registration_deadline"]),
        (NOW, {"event_datetime": IN_A_WEEK - timedelta(seconds=1)}, ["event_datetime"]),
        (NOW, {"event_datetime": NOW, "registration_deadline": IN_A_WEEK}, ["event_datetime"]),
    ],
)
def test_a_changed_time_is_validated(
    now: datetime, changes: dict[str, Any], wrong: list[str]
) -> None:
    scenario = a_fair()
    scenario.now = now
    with pytest.raises(InvalidFields) as refusal:
        scenario.when(ChangeEvent(event_id=FAIR, **changes))
    assert list(refusal.value.messages) == wrong


def test_a_deadline_given_as_its_present_date_is_no_change() -> None:
    evening = datetime(2030, 5, 8, 23, 59, 59, tzinfo=UTC)
    scenario = Scenario().given(
        FAIR, msgspec.structs.replace(FAIR_CREATED, registration_deadline=evening)
    )
    scenario.now = IN_A_MONTH
    assert scenario.when(ChangeEvent(event_id=FAIR, registration_deadline=date(2030, 5, 8))) == []


def test_an_unchanged_area_is_not_validated_again() -> None:
    """History may have lost it, as no command can."""
    gone = UUID(int=9)
    scenario = Scenario().given(FAIR, msgspec.structs.replace(FAIR_CREATED, area_id=gone))
    scenario.when(ChangeEvent(event_id=FAIR, area_id=gone, name=Text("Big Fair")))


def test_a_past_event_can_still_be_renamed_and_closed() -> None:
    scenario = a_fair()
    scenario.now = IN_A_MONTH + timedelta(days=1)
    scenario.when(ChangeEvent(event_id=FAIR, name=Text("Old Fair"), status="closed"))


def test_areas_count_the_events_that_come_and_go() -> None:
    scenario = Scenario()
    scenario.when(CreateArea(name=Text("Hall")))
    hall = scenario.value.id
    scenario.when(CreateArea(name=Text("Annex")))
    annex = scenario.value.id
    scenario.when(create(area_id=hall))
    fair = scenario.value.event.id
    scenario.when(ChangeEvent(event_id=fair, area_id=annex))
    scenario.when(create(area_id=annex))
    scenario.when(DeleteEvent(event_id=fair))
    counts = {
        id: state.event_count
        for id in (hall, annex)
        if isinstance(state := scenario.state(id), areas.Area)
    }
    assert counts == {hall: 0, annex: 1}


def test_a_deleted_event_is_gone() -> None:
    scenario = a_fair()
    assert scenario.when(DeleteEvent(event_id=FAIR)) == [events.Deleted()]
    for command in (DeleteEvent(event_id=FAIR), ChangeEvent(event_id=FAIR, name=Text("X"))):
        with pytest.raises(NotFound):
            scenario.when(command)


def test_a_change_of_an_older_version_is_refused() -> None:
    scenario = a_fair()
    scenario.when(ChangeEvent(event_id=FAIR, status="closed", expected_version=1))
    with pytest.raises(ChangedMeanwhile):
        scenario.when(ChangeEvent(event_id=FAIR, status="open", expected_version=1))


def test_a_sync_creates_the_event_under_the_providers_id_and_its_area_once() -> None:
    scenario = Scenario()
    scenario.when(synced(area_name=Text("Cape Town")))
    assert scenario.value == SyncOutcome("new")
    event = scenario.state(FAIR)
    assert isinstance(event, Event)
    scenario.when(synced(event_id=UUID(int=2001), area_name=Text("CAPE TOWN")))
    other = scenario.state(UUID(int=2001))
    assert isinstance(other, Event)
    assert event.details.area_id == other.details.area_id is not None


def test_an_unchanged_item_records_nothing() -> None:
    scenario = Scenario()
    scenario.when(synced(area_name=Text("Cape Town")))
    assert scenario.when(synced(area_name=Text("Cape Town"))) == []
    assert scenario.value == SyncOutcome("unchanged")


def test_a_changed_item_updates_the_event_even_one_that_is_past() -> None:
    scenario = a_fair()
    scenario.now = IN_A_MONTH + timedelta(days=100)
    _, *changes = scenario.when(synced(name=Text("Fair, renamed")))
    assert changes == [events.Renamed(name="Fair, renamed")]
    assert scenario.value == SyncOutcome("updated")


def test_clean_up_removes_only_events_before_the_given_time() -> None:
    assert a_fair().when(CleanUpEvent(event_id=FAIR, before=IN_A_MONTH)) == []
    late = IN_A_MONTH + timedelta(seconds=1)
    assert a_fair().when(CleanUpEvent(event_id=FAIR, before=late)) == [events.CleanedUp()]


def test_a_sync_brings_a_cleaned_up_event_back_only_with_a_new_date() -> None:
    scenario = a_fair()
    scenario.when(CleanUpEvent(event_id=FAIR, before=IN_A_MONTH + timedelta(days=7)))
    assert scenario.when(synced(name=Text("Renamed"))) == []
    moved = IN_A_MONTH + timedelta(days=365)
    assert [type(e) for e in scenario.when(synced(event_datetime=moved))] == [events.Created]
    assert scenario.value == SyncOutcome("new")


def test_a_sync_never_brings_back_what_an_organizer_deleted() -> None:
    scenario = a_fair()
    scenario.when(DeleteEvent(event_id=FAIR))
    assert scenario.when(synced(event_datetime=IN_A_MONTH + timedelta(days=365))) == []


def test_an_item_with_the_id_of_another_aggregate_is_refused() -> None:
    scenario = Scenario().given(FAIR, areas.Created(name="Hall"))
    with pytest.raises(NotFound):
        scenario.when(synced())
