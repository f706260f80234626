"""What the form of an event does when somebody else has changed the event meanwhile."""

from __future__ import annotations

import pytest

from tests.api.admin.panel import TYPED, Browsers, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"

NOTHING = "\u2013"


async def test_two_who_edit_an_event_keep_their_input(api: Api, browsers: Browsers) -> None:
    id = await api.event(area_id=await api.area())
    await api.settled()
    ada, eve = await browsers("ada", "organizer"), await browsers("eve", "organizer")
    for panel in (ada, eve):
        await panel.open(f"{EVENTS}{id}/edit")
    await ada.submit(name="PyCon DE", status="closed", area_id="")
    page = await eve.submit(name="PyCon FR", registration_deadline="2099-05-15T09:00")
    assert page.status == 412
    assert "Someone else changed this event" in page.alert
    assert page.rows == [
        ["Name", "PyCon", "PyCon DE", "PyCon FR"],
        ["Area", "Great Hall", "none", NOTHING],
        ["Registration", "open", "closed", NOTHING],
    ]
    assert page.value("name") == "PyCon FR"
    assert page.value("status") == "closed"
    assert (await eve.open(f"{EVENTS}{id}")).heading == "PyCon DE"
    await eve.open(f"{EVENTS}{id}/edit")
    eve.page = page
    page = await eve.submit()
    assert (page.heading, page.notice) == ("PyCon FR", "The event was changed.")
    assert "15 May 2099" in page.text
    assert "Open registration" in page.buttons


async def test_a_change_that_was_undone_is_a_conflict_without_a_difference(
    api: Api, organizer: Panel
) -> None:
    id = await api.event()
    await api.settled()
    await organizer.open(f"{EVENTS}{id}/edit")
    for status in ("closed", "open"):
        await api.http.patch(f"/api/events/{id}", json={"status": status})
    page = await organizer.submit(name="PyCon DE")
    assert (page.status, page.rows) == (412, [])
    assert (await organizer.submit()).heading == "PyCon DE"


async def test_an_invented_form_overwrites_nothing(api: Api, organizer: Panel) -> None:
    id = await api.event()
    await api.settled()
    for version in ("", "x", "-1", "\u00b2", "9" * 5000):
        answer = await organizer.send(f"{EVENTS}{id}/edit", **TYPED, version=version)
        assert answer.status_code == 412, version
