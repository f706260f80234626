"""Areas: names are unique in any case, and an area in use cannot be deleted."""

from uuid import UUID

import pytest

from domain import areas, event_editing
from domain.areas import AreaInUse, AreaNameTaken, CreateArea, DeleteArea, RenameArea
from domain.core.errors import ChangedMeanwhile, NotFound
from domain.core.values import Text
from tests.domain.scenario import IN_A_MONTH, IN_A_WEEK, Scenario, identity

HALL = UUID(int=1000)
HALL_NAME = identity.area_name(Text("Great Hall"))


def a_hall() -> Scenario:
    return (
        Scenario()
        .given(HALL, areas.Created(name="Great Hall"))
        .given(HALL_NAME, areas.NameClaimed(area_id=HALL))
    )


def test_a_new_area_claims_its_name() -> None:
    scenario = Scenario()
    assert scenario.when(CreateArea(name=Text("Great Hall"))) == [
        areas.NameClaimed(area_id=scenario.value.id),
        areas.Created(name="Great Hall"),
    ]


@pytest.mark.parametrize("name", ["Great Hall", "GREAT HALL", "great hall", "\uff47reat Hall"])
def test_a_name_is_taken_in_every_case_and_width(name: str) -> None:
    with pytest.raises(AreaNameTaken):
        a_hall().when(CreateArea(name=Text(name)))


def test_non_ascii_names_that_differ_in_case_only_are_the_same() -> None:
    scenario = Scenario()
    scenario.when(CreateArea(name=Text("Straße Ärzte")))
    with pytest.raises(AreaNameTaken):
        scenario.when(CreateArea(name=Text("STRASSE äRZTE")))


def test_renaming_frees_the_old_name_and_takes_the_new() -> None:
    scenario = a_hall()
    assert scenario.when(RenameArea(area_id=HALL, name=Text("Annex"))) == [
        areas.NameClaimed(area_id=HALL),
        areas.NameReleased(),
        areas.Renamed(name="Annex"),
    ]
    scenario.when(CreateArea(name=Text("great hall")))
    with pytest.raises(AreaNameTaken):
        scenario.when(CreateArea(name=Text("ANNEX")))


def test_renaming_to_another_case_of_the_same_name_is_no_conflict_with_itself() -> None:
    assert a_hall().when(RenameArea(area_id=HALL, name=Text("GREAT HALL"))) == [
        areas.Renamed(name="GREAT HALL")
    ]


def test_renaming_to_the_same_name_changes_nothing() -> None:
    assert a_hall().when(RenameArea(area_id=HALL, name=Text("Great Hall"))) == []


def test_a_refused_rename_leaves_both_names_as_they_were() -> None:
    scenario = a_hall()
    scenario.when(CreateArea(name=Text("Annex")))
    with pytest.raises(AreaNameTaken):
        scenario.when(RenameArea(area_id=HALL, name=Text("Annex")))
    with pytest.raises(AreaNameTaken):
        scenario.when(CreateArea(name=Text("Great Hall")))


def test_an_area_with_events_cannot_be_deleted_until_they_leave() -> None:
    scenario = a_hall()
    scenario.when(
        event_editing.CreateEvent(
            name=Text("Fair"),
            event_datetime=IN_A_MONTH,
            registration_deadline=IN_A_WEEK,
            area_id=HALL,
        )
    )
    event_id = scenario.value.event.id
    with pytest.raises(AreaInUse):
        scenario.when(DeleteArea(area_id=HALL))
    scenario.when(event_editing.ChangeEvent(event_id=event_id, area_id=None))
    assert scenario.when(DeleteArea(area_id=HALL)) == [areas.Deleted(), areas.NameReleased()]


def test_a_deleted_area_is_gone_and_its_name_is_free() -> None:
    scenario = a_hall()
    scenario.when(DeleteArea(area_id=HALL))
    with pytest.raises(NotFound):
        scenario.when(RenameArea(area_id=HALL, name=Text("Annex")))
    with pytest.raises(NotFound):
        scenario.when(DeleteArea(area_id=HALL))
    scenario.when(CreateArea(name=Text("Great Hall")))


def test_a_change_of_an_older_version_is_refused() -> None:
    scenario = a_hall()
    with pytest.raises(ChangedMeanwhile) as refusal:
        scenario.when(RenameArea(area_id=HALL, name=Text("Annex"), expected_version=7))
    assert refusal.value.current_version == 1
    scenario.when(RenameArea(area_id=HALL, name=Text("Annex"), expected_version=1))


def test_the_id_of_another_aggregate_is_not_an_area() -> None:
    with pytest.raises(NotFound):
        a_hall().when(DeleteArea(area_id=HALL_NAME))
