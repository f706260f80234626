"""A sync of events that organizers have changed as well."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import events
from domain.areas import Area, CreateArea, DeleteArea, RenameArea
from domain.core.errors import NotFound
from domain.core.values import Text
from domain.details import Details
from domain.event_editing import ChangeEvent, CleanUpEvent, DeleteEvent
from domain.events import Event
from domain.following import FIELDS, Field
from domain.provider_items import FollowProvider, SyncOutcome
from tests.domain.fair import FAIR, FAIR_CREATED, synced
from tests.domain.scenario import IN_A_MONTH, IN_A_WEEK, Scenario

LATER = IN_A_MONTH + timedelta(days=1)
ROME, PARIS = Text("Rome"), Text("Paris")

HERE: dict[Field, dict[str, Any]] = {
    "name": {"name": Text("Changed here")},
    "event_datetime": {"event_datetime": LATER},
    "registration_deadline": {"registration_deadline": IN_A_WEEK + timedelta(days=1)},
    "area": {"area_id": None},
    "status": {"status": "closed"},
}
"""A change that an organizer makes, by field."""

THERE: dict[Field, dict[str, Any]] = {
    "name": {"name": Text("Changed there")},
    "event_datetime": {"event_datetime": LATER + timedelta(days=1)},
    "registration_deadline": {"registration_deadline": IN_A_WEEK + timedelta(days=2)},
    "area": {"area_name": PARIS},
    "status": {"status": "closed"},
}
"""A change that the provider makes, by field."""


def followed() -> Scenario:
    """An event that was taken from the provider."""
    scenario = Scenario()
    scenario.when(synced(area_name=ROME))
    return scenario


def followed_by_an_older_release() -> Scenario:
    """Its history has neither the last values of the provider nor which events are from there."""
    scenario = Scenario()
    scenario.when(CreateArea(name=ROME))
    created = msgspec.structs.replace(FAIR_CREATED, area_id=scenario.value.id)
    return scenario.given(FAIR, created)


def details(scenario: Scenario) -> Details:
    event = scenario.state(FAIR)
    assert isinstance(event, Event)
    return event.details


def area(scenario: Scenario) -> Area | None:
    id = details(scenario).area_id
    found = scenario.state(id) if id else None
    assert found is None or isinstance(found, Area)
    return found


@pytest.mark.parametrize("field", FIELDS)
def test_a_change_by_an_organizer_stays_while_the_provider_repeats_its_value(
    field: Field,
) -> None:
    scenario = followed()
    scenario.when(ChangeEvent(event_id=FAIR, **HERE[field]))
    changed = details(scenario)
    assert scenario.when(synced(area_name=ROME)) == []
    assert scenario.value == SyncOutcome("unchanged", kept=(field,))
    assert details(scenario) == changed


@pytest.mark.parametrize("there", FIELDS)
@pytest.mark.parametrize("here", FIELDS)
def test_the_provider_changes_each_field_except_those_changed_here(
    here: Field, there: Field
) -> None:
    scenario = followed()
    scenario.when(ChangeEvent(event_id=FAIR, **HERE[here]))
    kept = details(scenario)
    scenario.when(synced(**{"area_name": ROME, **THERE[there]}))
    if here == "status" == there:  # both closed it, and so it follows again
        assert scenario.value == SyncOutcome("unchanged")
    elif here == there:
        assert scenario.value == SyncOutcome("unchanged", kept=(here,))
        assert details(scenario) == kept
    else:
        assert scenario.value == SyncOutcome("updated", kept=(here,))
        taken = {"area": "area_id"}.get(there, there)
        unchanged = msgspec.structs.replace(details(scenario), **{taken: getattr(kept, taken)})
        assert unchanged == kept
        assert details(scenario) != kept


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_follows_the_provider_again_when_an_organizer_says_so(field: Field) -> None:
    scenario = followed()
    scenario.when(ChangeEvent(event_id=FAIR, **HERE[field]))
    scenario.when(FollowProvider(event_id=FAIR, field=field))
    assert scenario.when(synced(area_name=ROME)) == []
    assert scenario.value == SyncOutcome("unchanged")
    scenario.when(synced(**{"area_name": ROME, **THERE[field]}))
    assert scenario.value == SyncOutcome("updated")


def test_a_field_that_follows_again_gets_the_last_value_of_the_provider() -> None:
    scenario = followed()
    scenario.when(ChangeEvent(event_id=FAIR, name=Text("Changed here"), area_id=None))
    scenario.when(synced(name=Text("Changed there"), area_name=PARIS))
    scenario.when(FollowProvider(event_id=FAIR, field="name"))
    assert details(scenario).name == "Changed there"
    scenario.when(FollowProvider(event_id=FAIR, field="area"))
    there = area(scenario)
    assert there is not None
    assert (there.name, there.event_count) == ("Paris", 1)
    scenario.when(synced(name=Text("Changed there"), area_name=PARIS))
    assert scenario.value == SyncOutcome("unchanged")


def test_only_an_event_of_the_provider_follows_it() -> None:
    scenario = Scenario().given(FAIR, FAIR_CREATED)
    for id in (FAIR, UUID(int=9)):
        with pytest.raises(NotFound):
            scenario.when(FollowProvider(event_id=id, field="name"))


def test_an_area_that_was_renamed_here_still_belongs_to_the_provider() -> None:
    scenario = followed()
    rome = area(scenario)
    assert rome is not None
    scenario.when(RenameArea(area_id=rome.id, name=Text("Roma")))
    assert scenario.when(synced(area_name=ROME)) == []
    scenario.when(synced(area_name=ROME, name=Text("Changed there")))
    assert scenario.value == SyncOutcome("updated")
    assert details(scenario).area_id == rome.id


def test_an_area_that_was_emptied_and_deleted_here_does_not_come_back() -> None:
    scenario = followed()
    rome = area(scenario)
    assert rome is not None
    scenario.when(ChangeEvent(event_id=FAIR, area_id=None))
    scenario.when(DeleteArea(area_id=rome.id))
    scenario.when(synced(area_name=ROME, name=Text("Changed there")))
    assert scenario.value == SyncOutcome("updated", kept=("area",))
    scenario.when(FollowProvider(event_id=FAIR, field="area"))
    back = area(scenario)
    assert back is not None
    assert (back.name, back.id == rome.id) == ("Rome", False)


def test_a_deadline_set_here_moves_with_an_event_that_the_provider_moves_earlier() -> None:
    scenario = followed()
    scenario.when(ChangeEvent(event_id=FAIR, registration_deadline=IN_A_MONTH))
    scenario.when(synced(area_name=ROME, event_datetime=IN_A_WEEK))
    assert details(scenario).registration_deadline == details(scenario).event_datetime == IN_A_WEEK


def test_a_removed_event_does_not_come_back_for_a_date_that_was_changed_only_here() -> None:
    scenario = followed()
    scenario.when(ChangeEvent(event_id=FAIR, event_datetime=LATER))
    scenario.when(CleanUpEvent(event_id=FAIR, before=LATER + timedelta(days=1)))
    assert scenario.when(synced(area_name=ROME)) == []
    scenario.when(synced(area_name=ROME, event_datetime=LATER + timedelta(days=365)))
    assert scenario.value == SyncOutcome("new")
    scenario.when(DeleteEvent(event_id=FAIR))
    assert scenario.when(synced(area_name=ROME, event_datetime=LATER)) == []


class TestOfAnOlderRelease:
    @pytest.mark.parametrize("field", FIELDS)
    def test_a_field_that_was_never_changed_follows_the_provider(self, field: Field) -> None:
        scenario = followed_by_an_older_release()
        scenario.when(synced(**{"area_name": ROME, **THERE[field]}))
        assert scenario.value == SyncOutcome("updated")

    @pytest.mark.parametrize("field", FIELDS)
    def test_a_changed_field_stays_until_it_follows_again(self, field: Field) -> None:
        scenario = followed_by_an_older_release()
        scenario.when(ChangeEvent(event_id=FAIR, **HERE[field]))
        scenario.when(synced(area_name=ROME))
        assert scenario.value == SyncOutcome("unchanged", kept=(field,))
        scenario.when(FollowProvider(event_id=FAIR, field=field))
        assert scenario.when(synced(area_name=ROME)) == []
        assert scenario.value == SyncOutcome("unchanged")

    def test_a_field_changed_to_the_value_of_the_provider_follows_it(self) -> None:
        scenario = followed_by_an_older_release()
        scenario.given(
            FAIR, events.Rescheduled(event_datetime=LATER, registration_deadline=IN_A_WEEK)
        )
        scenario.when(synced(area_name=ROME, event_datetime=LATER))
        assert scenario.value == SyncOutcome("unchanged")
        scenario.when(synced(area_name=ROME, event_datetime=LATER + timedelta(days=1)))
        assert scenario.value == SyncOutcome("updated")
