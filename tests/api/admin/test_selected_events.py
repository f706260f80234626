"""One change to several events at once."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.api.admin.panel import Page, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"
SELECTED = "/admin/events/selected"


async def selected(panel: Panel, action: str, *ids: str, back: str = "") -> Page:
    query = [("change", action), ("back", back), *(("id", id) for id in ids)]
    return await panel.open(f"{SELECTED}?{urlencode(query)}")


async def test_selected_events_are_closed_after_a_page_that_says_what_will_happen(
    api: Api, organizer: Panel
) -> None:
    ids = [await api.event(name=f"Fair {number}") for number in range(3)]
    await api.register(ids[0], email="ada@example.org")
    await api.settled()
    await organizer.open(f"{EVENTS}?name=fair&order=name")
    page = await organizer.submit(SELECTED, button="Close registration", id=ids[:2])
    assert page.heading == "Close registration of 2 events"
    assert "1 visitor is registered" in page.text
    assert (await api.http.get(f"/api/events/{ids[0]}")).json()["data"]["status"] == "open"
    page = await organizer.submit(SELECTED)
    assert page.notice == "2 events were closed."
    assert page.address == f"{EVENTS}?name=fair&order=name"
    assert page.column(4) == ["closed", "closed", "can register"]
    page = await selected(organizer, "close", *ids)
    assert page.heading == "Close registration of 1 event"
    assert "Nothing to do for Fair 0, Fair 1" in page.text
    page = await selected(organizer, "close")
    assert page.notice == "First select events."


async def test_all_who_are_registered_are_told_when_selected_events_are_cancelled(
    api: Api, organizer: Panel
) -> None:
    fair, feast = await api.event(name="Fair"), await api.event(name="Feast")
    await api.register(fair, email="ada@example.org")
    await api.settled()
    page = await selected(organizer, "cancel", fair, feast)
    assert page.heading == "Cancel 2 events"
    assert "1 visitor is registered, 0 wait for a seat. All of them get a message." in page.text
    page = await organizer.submit(SELECTED, reason="\b")
    assert (page.status, list(page.errors)) == (422, ["reason"])
    await organizer.submit(SELECTED, reason="Flooded")
    for id in (fair, feast):
        cancelled = (await api.http.get(f"/api/events/{id}")).json()["data"]["cancelled"]
        assert cancelled["reason"] == "Flooded"


async def test_a_deletion_of_several_is_undone_by_one_button_with_all_visitors(
    api: Api, organizer: Panel
) -> None:
    fair, feast = await api.event(name="Fair"), await api.event(name="Feast")
    await api.register(fair, email="ada@example.org")
    await api.settled()
    page = await selected(organizer, "delete", fair, feast)
    assert "None of them gets a message" in page.text
    page = await organizer.submit(SELECTED)
    assert page.notice == "2 events were deleted."
    assert page.rows == []
    assert (await api.http.get(f"/api/events/{fair}")).status_code == 404
    page = await organizer.submit(SELECTED, button="Undo")
    assert page.notice == "2 events were restored."
    assert [(row[1], row[5]) for row in page.rows] == [("Fair", "1"), ("Feast", "0")]
    assert (await api.register(fair, email="ada@example.org")).status_code == 409


async def test_one_deleted_event_is_restored_from_the_notice_and_by_its_address(
    api: Api, organizer: Panel
) -> None:
    fair = await api.event(name="Fair")
    await api.settled()
    await organizer.open(f"{EVENTS}{fair}/delete")
    page = await organizer.submit()
    assert page.notice == "The event was deleted."
    page = await organizer.submit(SELECTED, button="Undo")
    assert page.notice == "1 event was restored."
    await organizer.open(f"{EVENTS}{fair}/delete")
    await organizer.submit()
    for _ in range(2):
        answer = await organizer.send(f"{EVENTS}{fair}/restore")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{EVENTS}{fair}")


async def test_selected_events_move_to_an_area_that_is_named(api: Api, organizer: Panel) -> None:
    fair = await api.event(name="Fair")
    await api.area("Great Hall")
    await api.settled()
    await selected(organizer, "move", fair)
    page = await organizer.submit(SELECTED, area_id="hall")
    assert page.errors == {"area_id": "is not the name of an area. Similar: \u201cGreat Hall\u201d"}
    page = await organizer.submit(SELECTED, area_id="great hall")
    assert page.notice == "1 event was moved."
    assert page.column(3) == ["Great Hall"]


async def test_a_change_that_is_sent_twice_happens_once_and_refusals_are_listed_by_name(
    api: Api, organizer: Panel
) -> None:
    gone, fair = await api.event(name="Gone"), await api.event(name="Fair")
    await api.settled()
    deletion = {"change": "delete", "id": [gone]}
    for _ in range(2):
        answer = await organizer.send(SELECTED, **deletion)
        assert answer.status_code == 303
        assert f"deleted={gone}" in answer.headers["location"]
    await api.settled()
    answer = await organizer.send(SELECTED, change="close", id=[gone, fair])
    page = Page(answer)
    assert (page.heading, page.notice) == ("Not all events were closed", "1 event was closed.")
    assert "Gone" in page.alert
    await api.settled()
    assert (await api.http.get(f"/api/events/{fair}")).json()["data"]["status"] == "closed"


async def test_invented_selections_and_actions_change_nothing(api: Api, organizer: Panel) -> None:
    fair = await api.event(name="Fair")
    await api.settled()
    for ids in ([fair, "x"], [fair] * 51, ["\0"]):
        answer = await organizer.send(SELECTED, change="close", id=ids)
        assert (answer.status_code, Page(answer).heading) == (422, "Validation failed")
    answer = await organizer.send(SELECTED, change="explode", id=fair)
    assert answer.status_code == 422
    assert (await organizer.open(EVENTS)).rows[0][4] == "can register"


async def test_nothing_selected_changes_nothing(organizer: Panel) -> None:
    await organizer.send(SELECTED, change="close")
    assert (await organizer.open(EVENTS)).notice == "First select events."


async def test_a_long_list_can_be_changed_from_its_end(api: Api, organizer: Panel) -> None:
    for number in range(6):
        await api.event(name=f"Fair {number}")
    await api.settled()
    page = await organizer.open(EVENTS)
    changes = ["Close registration", "Open registration", "Move to an area", "Cancel", "Delete"]
    assert page.buttons == ["Search", *changes, *changes]


async def test_it_leads_back_only_to_the_list(organizer: Panel) -> None:
    for back in ("//evil.example", "\r\nX-Evil: 1", "?\r\nX-Evil: 1", "?name=\u03a9"):
        answer = await organizer.send(SELECTED, change="close", back=back)
        assert answer.status_code == 303
        path, _, query = answer.headers["location"].partition("?")
        assert (path, "x-evil" in answer.headers) == (EVENTS, False)
        assert query.isascii()


async def test_an_auditor_cannot_change_selected_events(api: Api, auditor: Panel) -> None:
    fair = await api.event(name="Fair")
    await api.settled()
    assert (await selected(auditor, "delete", fair)).status == 403
    for action in ("delete", "restore", "close"):
        assert (await auditor.send(SELECTED, change=action, id=fair)).status_code == 403
    assert (await auditor.send(f"{EVENTS}{fair}/restore")).status_code == 403
    assert (await auditor.open(EVENTS)).buttons == ["Search"]


async def test_a_copy_has_everything_but_the_times(api: Api, organizer: Panel) -> None:
    hall = await api.area("Great Hall")
    fair = await api.event(name="Fair", area_id=hall, capacity=7, timezone="Europe/Berlin")
    questions = [{"id": "diet", "type": "text", "label": "Diet"}]
    await api.http.put(f"/api/events/{fair}/questions", json={"questions": questions})
    await api.settled()
    await organizer.open(f"{EVENTS}{fair}")
    page = await organizer.follow("Copy")
    assert {name: page.value(name) for name in ("name", "area_id", "capacity", "timezone")} == {
        "name": "Fair",
        "area_id": "Great Hall",
        "capacity": "7",
        "timezone": "Europe/Berlin",
    }
    assert page.value("event_datetime") == ""
    page = await organizer.submit(
        event_datetime="2099-06-01T10:00", registration_deadline="2099-06-01T09:00"
    )
    assert page.notice == "\u201cFair\u201d was created."
    assert "1 Jun 2099, 10:00 Europe/Berlin" in page.text
    assert page.address != f"{EVENTS}{fair}"
    copy = page.address.removeprefix(EVENTS)
    for id in (fair, copy):
        asked = (await api.http.get(f"/api/events/{id}/questions")).json()["data"]
        assert [question["label"] for question in asked] == ["Diet"]


async def test_the_form_of_an_event_makes_an_area_when_asked(api: Api, organizer: Panel) -> None:
    fair = await api.event(name="Fair")
    await api.settled()
    await organizer.open(f"{EVENTS}{fair}/edit")
    page = await organizer.submit(area_id="Annex")
    assert (page.status, page.errors) == (
        422,
        {"area_id": "is not the name of an area: choose one"},
    )
    page = await organizer.submit(create_area=["yes"])
    assert page.notice == "The event was changed."
    assert "Annex" in page.links
