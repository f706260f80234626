"""Events of the provider on the pages of the panel."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.api.admin.panel import Panel
from tests.api.serving import Api
from tests.support.installation import Installation, a_provided_event

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"


async def test_a_past_event_is_renamed_and_its_times_stay_to_the_microsecond(
    api: Api, organizer: Panel, installation: Installation
) -> None:
    past = datetime(2020, 5, 17, 9, 0, 0, 123456, tzinfo=UTC)
    event = a_provided_event("PyCon", at=past)
    await installation.give(event)
    await api.settled()
    await organizer.open(f"{EVENTS}{event.event_id}/edit")
    page = await organizer.submit(name="EuroPython")
    assert (page.heading, page.notice) == ("EuroPython", "The event was changed.")
    changed = (await api.http.get(f"/api/events/{event.event_id}")).json()["data"]
    as_it_is = {name: changed[name] for name in ("event_datetime", "registration_deadline")}
    assert as_it_is["event_datetime"] == "2020-05-17T09:00:00.123456Z"
    address = f"/api/events/{event.event_id}"
    same = await api.http.patch(address, json={**as_it_is, "name": "PyCon", "area_id": None})
    assert same.status_code == 200, same.text
    later = await api.http.patch(address, json={"event_datetime": "2099-05-17"})
    assert later.status_code == 200, later.text
    assert later.json()["data"]["registration_deadline"] == as_it_is["registration_deadline"]
    await api.settled()
    await organizer.open(f"{EVENTS}{event.event_id}/edit")
    page = await organizer.submit(event_datetime="2020-05-18T09:00")
    assert page.status == 422


async def test_a_field_that_was_changed_here_follows_the_provider_again(
    api: Api, organizer: Panel, installation: Installation
) -> None:
    event = a_provided_event("PyCon", at=datetime(2099, 5, 17, 9, tzinfo=UTC), area="Rome")
    await installation.give(event)
    await api.settled()
    page = await organizer.open(f"{EVENTS}{event.event_id}")
    assert "From the provider" in page.text
    assert "changed here" not in page.text.replace("A field that was changed here", "")
    page = await organizer.submit(button="Close registration")
    assert page.buttons.count("Follow the provider") == 1
    page = await organizer.submit(button="Follow the provider")
    assert page.notice == "Registration now follows the provider again."
    assert "Close registration" in page.buttons
    assert "Follow the provider" not in page.buttons
    made_here = await api.event()
    await api.settled()
    assert "From the provider" not in (await organizer.open(f"{EVENTS}{made_here}")).text
    answer = await organizer.send(f"{EVENTS}{made_here}/follow/name")
    assert answer.status_code == 404
    answer = await organizer.send(f"{EVENTS}{event.event_id}/follow/cancelled")
    assert answer.status_code == 404
