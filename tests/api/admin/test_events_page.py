"""`/admin/events/`: what organizers do there, and what auditors only see."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from domain.core.values import Text
from domain.history.store import read_events
from domain.provider_items import SyncEvent
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.serving import DEFAULTS, EVENT, Api
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"

NOTHING = "\u2013"

TYPED = {
    "name": "PyCon",
    "event_datetime": "2099-05-17T09:00",
    "registration_deadline": "2099-05-16T09:00",
}


async def test_an_organizer_creates_changes_closes_opens_and_deletes_an_event(
    api: Api, organizer: Panel
) -> None:
    area = await api.area()
    await api.settled()
    await organizer.open(EVENTS)
    await organizer.follow("New event")
    page = await organizer.submit(**TYPED, area_id=area)
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
    assert (page.address, page.notice) == (EVENTS, "The event was deleted.")
    assert "There are no events yet" in page.text


async def test_history_tells_which_account_did_it(api: Api, stranger: Panel) -> None:
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
    for path in ("new", "close", f"{id}/edit", f"{id}/closed", f"{id}/delete"):
        answer = await auditor.send(f"{EVENTS}{path}", id=id, **TYPED)
        assert answer.status_code == 403
    assert (await auditor.open(EVENTS)).rows[0][2] == "open"


async def test_the_write_policy_opens_no_page(stranger: Panel) -> None:
    token = await stranger.token()
    for path in ("new", "close", f"{uuid4()}/delete"):
        answer = await stranger.send(f"{EVENTS}{path}", csrf_token=token, **TYPED)
        assert (answer.status_code, answer.headers["location"]) == (303, "/admin/sign-in")


async def test_what_was_typed_stays_with_what_is_wrong_beside_it(
    api: Api, organizer: Panel
) -> None:
    area = await api.area()
    id = await api.event()
    await api.settled()
    wrong = TYPED | {"name": "", "registration_deadline": "2099-05-18T09:00", "area_id": area}
    crossed = {"registration_deadline": "must not be after the event"}
    for path, more in (("new", crossed), (f"{id}/edit", {})):  # a change sends what was typed
        await organizer.open(f"{EVENTS}{path}")
        page = await organizer.submit(**wrong)
        assert (page.status, page.errors) == (422, {"name": "must not be empty"} | more)
        assert {field: page.value(field) for field in wrong} == wrong
    page = await organizer.submit(name="EuroPython", registration_deadline="2099-05-17T09:00")
    assert (page.heading, page.notice) == ("EuroPython", "The event was changed.")


async def test_a_past_event_is_renamed_and_its_times_stay_to_the_microsecond(
    api: Api, organizer: Panel, installation: Installation
) -> None:
    past = datetime(2020, 5, 17, 9, 0, 0, 123456, tzinfo=UTC)
    event = SyncEvent(
        event_id=uuid4(),
        name=Text("PyCon"),
        event_datetime=past,
        registration_deadline=past,
        area_name=None,
        status="open",
    )
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
    begins = datetime(2099, 5, 17, 9, tzinfo=UTC)
    event = SyncEvent(
        event_id=uuid4(),
        name=Text("PyCon"),
        event_datetime=begins,
        registration_deadline=begins,
        area_name=Text("Rome"),
        status="open",
    )
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


async def test_what_is_no_time_is_said_to_be_none(organizer: Panel) -> None:
    await organizer.open(f"{EVENTS}new")
    for garbage in ("", "soon", "2099-05-17T", "99999-01-01T00:00", "T:", "a\0T"):
        page = await organizer.submit(**TYPED | {"event_datetime": garbage})
        assert (page.status, list(page.errors)) == (422, ["event_datetime"])


async def test_an_area_that_is_gone_is_said_beside_the_field(api: Api, organizer: Panel) -> None:
    area = await api.area()
    await api.settled()
    await organizer.open(f"{EVENTS}new")
    await api.http.delete(f"/api/events/areas/{area}")
    page = await organizer.submit(**TYPED, area_id=area)
    assert (page.status, list(page.errors)) == (422, ["area_id"])


async def test_two_who_edit_an_event_keep_what_each_has_typed(api: Api, browsers: Browsers) -> None:
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


async def test_a_change_and_back_again_is_a_conflict_without_a_difference(
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


async def test_a_made_up_form_overwrites_nothing(api: Api, organizer: Panel) -> None:
    id = await api.event()
    await api.settled()
    for version in ("", "x", "-1", "\u00b2", "9" * 5000):
        answer = await organizer.send(f"{EVENTS}{id}/edit", **TYPED, version=version)
        assert answer.status_code == 412, version


async def test_the_ticked_events_are_closed_and_the_list_stays_where_it_was(
    api: Api, organizer: Panel
) -> None:
    ids = [await api.event(name=f"Fair {number}") for number in range(3)]
    await api.settled()
    page = await organizer.open(f"{EVENTS}?name=fair&order=name")
    page = await organizer.submit(f"{EVENTS}close", id=ids[:2])
    assert (page.address, page.notice) == (
        f"{EVENTS}?name=fair&order=name",
        "2 events were closed.",
    )
    assert page.column(3) == ["closed", "closed", "open"]
    page = await organizer.submit(f"{EVENTS}close", id=ids[:1])
    assert page.notice == "1 event was closed."
    page = await organizer.submit(f"{EVENTS}close")
    assert page.notice == "First select the events to close."


async def test_an_event_that_was_deleted_meanwhile_keeps_no_other_open(
    api: Api, organizer: Panel
) -> None:
    gone, fair = await api.event(name="Gone"), await api.event(name="Fair")
    await api.settled()
    await organizer.open(EVENTS)
    await api.http.delete(f"/api/events/{gone}")
    page = await organizer.submit(f"{EVENTS}close", id=[gone, fair])
    assert page.notice == "1 event was closed. 1 was deleted in the meantime."
    assert [row[1:4:2] for row in page.rows] == [["Fair", "closed"]]


async def test_made_up_ticks_close_nothing(api: Api, organizer: Panel) -> None:
    fair = await api.event(name="Fair")
    await api.settled()
    for ticks in ([fair, "x"], [fair] * 51, ["\0"]):
        answer = await organizer.send(f"{EVENTS}close", id=ticks)
        assert (answer.status_code, Page(answer).heading) == (422, "Validation failed")
    assert (await organizer.open(EVENTS)).rows[0][3] == "open"


async def test_closing_leads_back_to_nothing_but_the_list(organizer: Panel) -> None:
    token = await organizer.token()
    for back in ("//evil.example", "\r\nX-Evil: 1", "?\r\nX-Evil: 1", "?name=\u03a9"):
        address = f"{EVENTS}close?{urlencode({'back': back})}"
        answer = await organizer.send(address, csrf_token=token)
        assert answer.status_code == 303
        path, _, query = answer.headers["location"].partition("?")
        assert (path, "x-evil" in answer.headers) == (EVENTS, False)
        assert query.isascii()


async def test_events_are_found_by_name_status_area_and_date(api: Api, organizer: Panel) -> None:
    hall = await api.area()
    await api.event(name="PyCon DE", area_id=hall)
    await api.event(name="PyCon FR", status="closed")
    await api.event(
        name="Fair",
        event_datetime="2098-03-02T09:00:00Z",
        registration_deadline="2098-03-02T09:00:00Z",
    )
    await api.settled()
    page = await organizer.open(EVENTS)
    assert sorted(page.column(1)[:2]) == ["PyCon DE", "PyCon FR"]
    assert page.column(1)[2:] == ["Fair"]
    assert (await organizer.submit(EVENTS, name="pycon", status="open")).column(1) == ["PyCon DE"]
    assert (await organizer.submit(EVENTS, name="", status="", area=hall)).column(1) == ["PyCon DE"]
    await organizer.open(f"{EVENTS}?order=-name")
    await organizer.follow("2098 1")
    await organizer.follow("March 1")
    page = await organizer.follow("2 1")
    assert page.column(1) == ["Fair"]
    assert page.value("order") == "-name"
    page = await organizer.follow("2098")
    assert page.column(1) == ["Fair"]
    page = await organizer.follow("All dates")
    assert page.column(1) == ["PyCon FR", "PyCon DE", "Fair"]
    page = await organizer.submit(EVENTS, name="nothing like this")
    assert "No event matches" in page.text


async def test_an_order_is_said_to_those_who_do_not_see_it(api: Api, organizer: Panel) -> None:
    await api.event()
    await api.settled()
    for order, heading, direction in [
        ("name", "Name", "ascending"),
        ("-name", "Name", "descending"),
        ("oldest", "Begins", "ascending"),
        ("newest", "Begins", "descending"),
    ]:
        page = await organizer.open(f"{EVENTS}?order={order}")
        (sorted_by,) = [th for th in page.root.all("th") if th.has("aria-sort")]
        assert (sorted_by.text, sorted_by.get("aria-sort")) == (heading, direction)


async def test_what_is_not_there_is_said_on_a_page(organizer: Panel) -> None:
    for path in ("", "/edit", "/delete"):
        page = await organizer.open(f"{EVENTS}{uuid4()}{path}")
        assert (page.status, page.heading) == (404, "Not found")
    for path in ("/edit", "/delete", "/closed", "/open", "/sold"):
        answer = await organizer.send(f"{EVENTS}{uuid4()}{path}", **TYPED)
        assert (answer.status_code, Page(answer).heading) == (404, "Not found")


async def test_a_script_in_a_name_is_text(organizer: Panel) -> None:
    name = "<script>alert(1)</script>"
    await organizer.open(f"{EVENTS}new")
    page = await organizer.submit(**TYPED | {"name": name})
    assert (page.heading, name in page.notice) == (name, True)
    assert EVENT["name"] not in page.text


DETAILS = {
    "description": "Talks,\r\nand sprints.",
    "ends_at": "2099-05-19T16:00",
    "timezone": "Europe/Berlin",
    "capacity": "300",
    "waiting_list": "automatic",
    "cancel_until": "2099-05-15T09:00",
    "confirm_within": "2 days",
    "reminders": "1 day, 2 hours 30 minutes",
}


async def test_each_detail_of_an_event_is_typed_shown_and_taken_back(
    api: Api, organizer: Panel
) -> None:
    await organizer.open(f"{EVENTS}new")
    page = await organizer.submit(**TYPED | DETAILS)
    assert page.heading == "PyCon", page.errors
    id = page.address.removeprefix(EVENTS)
    created = (await api.http.get(f"/api/events/{id}")).json()["data"]
    assert {name: created[name] for name in DETAILS} == {
        "description": "Talks,\nand sprints.",
        "ends_at": "2099-05-19T16:00:00Z",
        "timezone": "Europe/Berlin",
        "capacity": 300,
        "waiting_list": "automatic",
        "cancel_until": "2099-05-15T09:00:00Z",
        "confirm_within": "P2D",
        "reminders": ["P1D", "PT2H30M"],
    }
    for shown in ("Europe/Berlin", "19 May 2099", "0 of 300", "1 day, 2 hours 30 minutes"):
        assert shown in page.text
    page = await organizer.follow("Edit")
    as_typed = DETAILS | {"description": "Talks,\nand sprints."}
    assert {name: page.value(name) for name in DETAILS} == as_typed
    await organizer.submit(description="Talks,\r\nand sprints.")
    same = (await api.http.get(f"/api/events/{id}")).json()["data"]
    assert same == created, "nothing was changed"
    await organizer.open(f"{EVENTS}{id}/edit")
    nothing = dict.fromkeys(DETAILS, "") | {"timezone": "UTC", "waiting_list": "off"}
    page = await organizer.submit(**nothing)
    assert page.notice == "The event was changed."
    assert "no limit" in page.text
    changed = (await api.http.get(f"/api/events/{id}")).json()["data"]
    assert {name: changed[name] for name in DETAILS} == {name: DEFAULTS[name] for name in DETAILS}


async def test_wrong_details_are_said_beside_each_field(organizer: Panel) -> None:
    await organizer.open(f"{EVENTS}new")
    wrong = {
        "description": "\b",
        "ends_at": "2099-05-17T08:00",
        "timezone": "Berlin",
        "capacity": "-1",
        "cancel_until": "2100-01-01T00:00",
        "confirm_within": "soon",
        "reminders": "1 day, 3 moons",
    }
    page = await organizer.submit(**TYPED | wrong)
    assert (page.status, page.errors.keys()) == (422, wrong.keys())
    assert {name: page.value(name) for name in wrong} == wrong


async def test_a_cancellation_says_how_many_are_told_and_is_taken_back(
    api: Api, organizer: Panel
) -> None:
    id = await api.event(capacity=1, waiting_list="automatic")
    for name in "ab":
        body = {"full_name": name, "email": f"{name}@example.com", "join_waiting_list": True}
        await api.http.post(f"/api/events/{id}/register", json=body)
    await api.settled()
    page = await organizer.open(f"{EVENTS}{id}")
    assert "Taken1 of 1" in page.text.replace(" ", "").replace("1of1", "1 of 1")
    page = await organizer.follow("Cancel event")
    assert page.heading == "Cancel “PyCon”?"
    assert "2 people get a message that the event is cancelled." in page.text
    page = await organizer.submit(reason="x" * 1001)
    assert (page.status, list(page.errors)) == (422, ["reason"])
    page = await organizer.submit(reason="The hall is flooded.")
    assert page.notice == "The event was cancelled."
    assert "This event was cancelled" in page.text
    assert "The hall is flooded." in page.text
    assert "Cancel event" not in page.links
    assert (await organizer.open(EVENTS)).rows[0][3:5] == ["cancelled", "1 / 1 +1 waiting"]
    await organizer.open(f"{EVENTS}{id}")
    page = await organizer.follow("Reinstate")
    assert "2 people get a message that the event takes place." in page.text
    page = await organizer.submit()
    assert page.notice == "The event was reinstated."
    assert "This event was cancelled" not in page.text


async def test_deleting_an_event_with_registrations_offers_to_cancel_it_instead(
    api: Api, organizer: Panel
) -> None:
    id = await api.event()
    await api.settled()
    page = await organizer.open(f"{EVENTS}{id}/delete")
    assert "cancel the event" not in page.links
    await api.register(id)
    await api.settled()
    page = await organizer.open(f"{EVENTS}{id}/delete")
    assert "1 person is registered or on the waiting list" in page.alert
    page = await organizer.follow("cancel the event")
    assert page.heading == "Cancel “PyCon”?"


async def test_seats_beyond_the_capacity_are_shown(api: Api, organizer: Panel) -> None:
    id = await api.event()
    for name in "abc":
        await api.register(id, f"{name}@example.com")
    await api.http.patch(f"/api/events/{id}", json={"capacity": 2})
    await api.settled()
    seats = (await organizer.open(f"{EVENTS}{id}")).root.one("section", class_="seats")
    shown = [(fact.one("dt").text, fact.one("dd").text) for fact in seats.one("dl").all("div")]
    assert shown == [
        ("Taken", "3 of 2"),
        ("Free", "0"),
        ("Waiting", "0"),
        ("Over the limit", "1"),
    ]


async def test_history_tells_each_change_of_a_detail_by_its_phrase(
    api: Api, organizer: Panel, auditor: Panel
) -> None:
    id = await api.event()
    await api.settled()
    await organizer.open(f"{EVENTS}{id}/edit")
    await organizer.submit(**DETAILS)
    await api.http.post(f"/api/events/{id}/cancel", json={"reason": "Flooded"})
    await api.settled()
    text = (await auditor.open(f"/admin/history/{id}")).text
    for phrase in (
        "changed the description", "changed the end", "changed the time zone",
        "changed the number of seats", "changed the kind of waiting list",
        "changed until when visitors may cancel", "changed the reminders",
        "changed the time to confirm an address", "cancelled the event", "Flooded",
    ):  # fmt: skip
        assert phrase in text
