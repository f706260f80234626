"""The list of events in the panel: filters, orders, and closing the selected ones."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.api.admin.panel import Page, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"


async def test_selected_events_are_closed_and_the_list_keeps_its_page(
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


async def test_an_event_deleted_meanwhile_does_not_prevent_closing_the_others(
    api: Api, organizer: Panel
) -> None:
    gone, fair = await api.event(name="Gone"), await api.event(name="Fair")
    await api.settled()
    await organizer.open(EVENTS)
    await api.http.delete(f"/api/events/{gone}")
    page = await organizer.submit(f"{EVENTS}close", id=[gone, fair])
    assert page.notice == "1 event was closed. 1 was deleted in the meantime."
    assert [row[1:4:2] for row in page.rows] == [["Fair", "closed"]]


async def test_invented_selections_close_nothing(api: Api, organizer: Panel) -> None:
    fair = await api.event(name="Fair")
    await api.settled()
    for ticks in ([fair, "x"], [fair] * 51, ["\0"]):
        answer = await organizer.send(f"{EVENTS}close", id=ticks)
        assert (answer.status_code, Page(answer).heading) == (422, "Validation failed")
    assert (await organizer.open(EVENTS)).rows[0][3] == "open"


async def test_closing_redirects_only_to_the_list(organizer: Panel) -> None:
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


async def test_the_order_of_a_list_is_available_to_screen_readers(
    api: Api, organizer: Panel
) -> None:
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
