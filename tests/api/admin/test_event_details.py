"""The further details of an event, in the form and in history."""

from __future__ import annotations

import pytest

from tests.api.admin.panel import TYPED, Panel
from tests.api.serving import DEFAULTS, Api

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events/"


DETAILS = {
    "description": "Talks,\r\nand sprints.",
    "ends_at": "2099-05-19T16:00",
    "timezone": "Europe/Berlin",
    "capacity": "300",
    "waiting_list": "automatic",
    "cancel_until": "2099-05-15T09:00",
    "confirm_within": "2 days",
    "reminders": "1 day, 2 hours 30 minutes",
    "retention_days": "90",
}


async def test_each_detail_of_an_event_is_entered_shown_and_cleared(
    api: Api, organizer: Panel
) -> None:
    await organizer.open(f"{EVENTS}new")
    page = await organizer.submit(**TYPED | DETAILS)
    assert page.heading == "PyCon", page.errors
    id = page.address.removeprefix(EVENTS)
    created = (await api.http.get(f"/api/events/{id}")).json()["data"]
    assert {name: created[name] for name in DETAILS} == {
        "description": "Talks,\nand sprints.",
        "ends_at": "2099-05-19T14:00:00Z",
        "timezone": "Europe/Berlin",
        "capacity": 300,
        "waiting_list": "automatic",
        "cancel_until": "2099-05-15T07:00:00Z",
        "confirm_within": "P2D",
        "reminders": ["P1D", "PT2H30M"],
        "retention_days": 90,
    }
    for shown in (
        "17 May 2099, 09:00 Europe/Berlin",
        "19 May 2099, 16:00 Europe/Berlin",
        "0 of 300",
        "1 day, 2 hours 30 minutes",
        "17 Aug 2099, 16:00 Europe/Berlin",
    ):
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


async def test_errors_of_details_are_shown_beside_their_fields(organizer: Panel) -> None:
    await organizer.open(f"{EVENTS}new")
    wrong = {
        "description": "\b",
        "ends_at": "2099-05-17T08:00",
        "timezone": "Berlin",
        "capacity": "-1",
        "cancel_until": "2100-01-01T00:00",
        "confirm_within": "soon",
        "reminders": "1 day, 3 moons",
        "retention_days": "36501",
    }
    page = await organizer.submit(**TYPED | wrong)
    assert (page.status, page.errors.keys()) == (422, wrong.keys())
    assert {name: page.value(name) for name in wrong} == wrong


async def test_history_shows_each_change_of_a_detail_with_its_phrase(
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
        "changed the time to confirm an address", "changed how long visitors are kept",
        "cancelled the event", "Flooded",
    ):  # fmt: skip
        assert phrase in text
