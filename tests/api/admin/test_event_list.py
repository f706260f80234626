"""The list of events in the panel: what it shows, filters and orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.admin.panel import Panel
from tests.api.serving import Api
from tests.support.installation import Installation, a_provided_event

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"

NOTHING = "\u2013"


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
    assert page.column(1)[0] == "Fair", "the next one first"
    assert sorted(page.column(1)[1:]) == ["PyCon DE", "PyCon FR"]
    assert (await organizer.submit(EVENTS, name="pycon", status="open")).column(1) == ["PyCon DE"]
    for area in (hall, "Great Hall", "great", "háll"):
        page = await organizer.submit(EVENTS, name="", status="", area=area)
        assert page.column(1) == ["PyCon DE"]
    assert (await organizer.open(f"{EVENTS}?area={hall}")).value("area") == "Great Hall"
    assert "No event matches" in (await organizer.submit(EVENTS, area="Nowhere")).text
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


async def test_past_events_are_behind_a_filter_and_running_ones_are_not_past(
    api: Api, organizer: Panel, installation: Installation
) -> None:
    now = datetime.now(UTC)
    await installation.give(a_provided_event("Over", at=now - timedelta(days=2)))
    running = a_provided_event("Running", at=now - timedelta(days=1))
    await installation.give(running)
    await api.http.patch(
        f"/api/events/{running.event_id}",
        json={"ends_at": (now + timedelta(days=1)).isoformat()},
    )
    await api.event(name="To come")
    await api.settled()
    page = await organizer.open(EVENTS)
    assert page.column(1) == ["Running", "To come"]
    page = await organizer.follow("Past")
    assert page.column(1) == ["Over"]
    assert page.column(4) == ["over"]
    page = await organizer.follow("All")
    assert page.column(1) == ["To come", "Running", "Over"]


async def test_the_list_says_whether_one_can_register_not_only_that_it_is_open(
    api: Api, organizer: Panel
) -> None:
    await api.event(name="A free")
    full = await api.event(name="B full", capacity=1, waiting_list="automatic")
    await api.event(name="C closed", status="closed")
    cancelled = await api.event(name="D off")
    await api.http.post(f"/api/events/{cancelled}/cancel", json={})
    for email in ("ada@example.org", "ben@example.org"):
        body = {"full_name": "Ada Lovelace", "email": email, "join_waiting_list": True}
        await api.http.post(f"/api/events/{full}/register", json=body)
    await api.settled()
    page = await organizer.open(f"{EVENTS}?order=name")
    assert [row[1] for row in page.rows] == ["A free", "B full", "C closed", "D off"]
    assert page.column(4) == ["can register", "waiting list", "closed", "cancelled"]
    assert [row[5:8] for row in page.rows][:2] == [
        ["0", "no limit", NOTHING],
        ["1", "1 full", "1"],
    ]
    assert (await organizer.submit(EVENTS, status="registrable")).column(1) == ["A free", "B full"]
    assert (await organizer.submit(EVENTS, status="full")).column(1) == ["B full"]


async def test_a_part_of_a_name_finds_it_without_its_accents(api: Api, organizer: Panel) -> None:
    await api.event(name="Fête de la Musique")
    await api.settled()
    assert (await organizer.open(f"{EVENTS}?name=ETE+DE")).column(1) == ["Fête de la Musique"]
