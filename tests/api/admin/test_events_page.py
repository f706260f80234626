"""`/admin/events/`: what organizers do there, and what auditors only see."""

from __future__ import annotations

from uuid import uuid4

import pytest

from domain.history.store import read_events
from tests.api.admin.panel import TYPED, Page, Panel
from tests.api.serving import EVENT, Api

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"

NOTHING = "\u2013"


async def test_an_organizer_creates_changes_closes_opens_and_deletes_an_event(
    api: Api, organizer: Panel
) -> None:
    area = await api.area()
    await api.settled()
    await organizer.open(EVENTS)
    await organizer.follow("New event")
    page = await organizer.submit(**TYPED, area_id="Great Hall")
    assert (page.heading, page.notice) == ("PyCon", "“PyCon” was created.")
    assert "17 May 2099, 09:00 UTC" in page.text
    assert page.links["Great Hall"] == f"/admin/areas/{area}"
    await organizer.follow("Edit")
    page = await organizer.submit(name="EuroPython", area_id="", status="closed")
    assert (page.heading, page.notice) == ("EuroPython", "The event was changed.")
    assert "Great Hall" not in page.links
    page = await organizer.submit(button="Open registration")
    assert page.notice == "Registration is open."
    page = await organizer.submit(button="Close registration")
    assert page.notice == "Registration is closed."
    event = page.address.removeprefix(EVENTS)
    assert (await api.register(event)).status_code == 409
    page = await organizer.follow("Delete")
    assert page.heading == "Delete “EuroPython”?"
    page = await organizer.submit()
    assert page.notice == "The event was deleted."
    assert "EuroPython" not in page.links


async def test_history_shows_which_account_did_it(api: Api, stranger: Panel) -> None:
    ada = await api.account("ada", "organizer")
    await stranger.sign_in("ada")
    await stranger.open(f"{EVENTS}new")
    await stranger.submit(**TYPED)
    async with api.connections.readers.connection() as connection:
        history = await read_events(connection, after=0, limit=100)
    (created,) = [e for e in history if e.event.topic == "Event.Created"]
    assert created.metadata.actor == ada.id
    assert created.metadata.correlation_id


async def test_an_auditor_sees_events_and_no_way_to_change_them(api: Api, auditor: Panel) -> None:
    id = await api.event()
    await api.settled()
    page = await auditor.open(EVENTS)
    assert page.rows[0][0] == "PyCon"
    for shown in (page, await auditor.follow("PyCon")):
        assert {"New event", "Edit", "Delete"}.isdisjoint(shown.links)
        assert set(shown.buttons) <= {"Search", "Show"}
        assert shown.root.one("main").all("input", type="checkbox") == []
    for path in ("new", f"{id}/edit", f"{id}/delete"):
        assert (await auditor.open(f"{EVENTS}{path}")).status == 403
    for path in ("new", "selected", f"{id}/edit", f"{id}/closed", f"{id}/delete"):
        answer = await auditor.send(f"{EVENTS}{path}", id=id, **TYPED)
        assert answer.status_code == 403
    assert (await auditor.open(EVENTS)).rows[0][3] == "can register"


async def test_the_write_policy_gives_no_access_to_pages(stranger: Panel) -> None:
    token = await stranger.token()
    for path in ("new", "selected", f"{uuid4()}/delete"):
        answer = await stranger.send(f"{EVENTS}{path}", csrf_token=token, **TYPED)
        assert (answer.status_code, answer.headers["location"]) == (303, "/admin/sign-in")


async def test_a_rejected_form_keeps_its_input_and_shows_the_errors_beside_it(
    api: Api, organizer: Panel
) -> None:
    await api.area()
    id = await api.event()
    await api.settled()
    wrong = TYPED | {"name": "", "registration_deadline": "2099-05-18T09:00"}
    wrong["area_id"] = "Great Hall"
    crossed = {"registration_deadline": "must not be after the event"}
    for path, more in (("new", crossed), (f"{id}/edit", {})):  # a change sends what was typed
        await organizer.open(f"{EVENTS}{path}")
        page = await organizer.submit(**wrong)
        assert (page.status, page.errors) == (422, {"name": "must not be empty"} | more)
        assert {field: page.value(field) for field in wrong} == wrong
    page = await organizer.submit(name="EuroPython", registration_deadline="2099-05-17T09:00")
    assert (page.heading, page.notice) == ("EuroPython", "The event was changed.")


async def test_text_that_is_not_a_time_is_refused_beside_the_field(organizer: Panel) -> None:
    await organizer.open(f"{EVENTS}new")
    for garbage in ("", "soon", "2099-05-17T", "99999-01-01T00:00", "T:", "a\0T"):
        page = await organizer.submit(**TYPED | {"event_datetime": garbage})
        assert (page.status, list(page.errors)) == (422, ["event_datetime"])


async def test_an_area_deleted_meanwhile_is_reported_beside_the_field(
    api: Api, organizer: Panel
) -> None:
    area = await api.area()
    await api.settled()
    await organizer.open(f"{EVENTS}new")
    await api.http.delete(f"/api/events/areas/{area}")
    page = await organizer.submit(**TYPED, area_id=area)
    assert (page.status, list(page.errors)) == (422, ["area_id"])


async def test_an_unknown_id_is_answered_with_a_page(organizer: Panel) -> None:
    for path in ("", "/edit", "/delete"):
        page = await organizer.open(f"{EVENTS}{uuid4()}{path}")
        assert (page.status, page.heading) == (404, "Not found")
    for path in ("/edit", "/delete", "/closed", "/open", "/sold"):
        answer = await organizer.send(f"{EVENTS}{uuid4()}{path}", **TYPED)
        assert (answer.status_code, Page(answer).heading) == (404, "Not found")


async def test_a_script_in_a_name_is_shown_as_text(organizer: Panel) -> None:
    name = "<script>alert(1)</script>"
    await organizer.open(f"{EVENTS}new")
    page = await organizer.submit(**TYPED | {"name": name})
    assert (page.heading, name in page.notice) == (name, True)
    assert EVENT["name"] not in page.text
