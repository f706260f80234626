"""Cancelling, reinstating and deleting an event in the panel, and its seats."""

from __future__ import annotations

import pytest

from tests.api.admin.panel import Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"


async def test_a_cancellation_says_how_many_get_a_message_and_can_be_undone(
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
    assert "2 people will get a message that the event is cancelled." in page.text
    page = await organizer.submit(reason="x" * 1001)
    assert (page.status, list(page.errors)) == (422, ["reason"])
    page = await organizer.submit(reason="The hall is flooded.")
    assert page.notice == "The event was cancelled."
    assert "This event was cancelled" in page.text
    assert "The hall is flooded." in page.text
    assert "Cancel event" not in page.links
    (row,) = (await organizer.open(EVENTS)).rows
    assert row[4:8] == ["cancelled", "1", "1 full", "1"]
    await organizer.open(f"{EVENTS}{id}")
    page = await organizer.follow("Reinstate")
    assert "2 people will get a message that the event takes place." in page.text
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
