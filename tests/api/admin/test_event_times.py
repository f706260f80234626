"""Times in the form of an event: local times in the zone of the event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.admin.event_times import as_sent, as_typed
from domain.core.values import Invalid
from tests.api.admin.panel import TYPED, Panel
from tests.api.serving import Api

BERLIN = {"timezone": "Europe/Berlin"}

EVENTS = "/admin/events/"


@pytest.mark.parametrize(
    ("typed", "timezone", "moment"),
    [
        ("2099-05-17T11:00", "Europe/Berlin", "2099-05-17T09:00:00Z"),
        ("2099-05-17 11:00", "Europe/Berlin", "2099-05-17T09:00:00Z"),
        ("2030-01-17T11:00:30", "Europe/Berlin", "2030-01-17T10:00:30Z"),
        ("2099-05-17T11:00", "Asia/Kolkata", "2099-05-17T05:30:00Z"),
        ("2099-05-17T11:00", "Middle-earth/Shire", "2099-05-17T11:00:00Z"),
        ("2099-05-17T11:00:00+02:00", "Asia/Kolkata", "2099-05-17T11:00:00+02:00"),
        ("2030-10-27T02:30", "Europe/Berlin", "2030-10-27T00:30:00Z"),
    ],
)
def test_what_is_typed_is_local_time_and_of_a_double_the_first(
    typed: str, timezone: str, moment: str
) -> None:
    assert as_sent(typed, timezone) == moment


@pytest.mark.parametrize(
    ("typed", "timezone", "why"),
    [
        (
            "2030-03-31T02:30",
            "Europe/Berlin",
            "does not exist in Europe/Berlin, where the clocks are put forward then: after",
        ),
        ("2030-02-30T02:30", "UTC", "is not a date and a time of day: day is out of range"),
        ("9999-12-31T23:59", "America/Lima", "must be from the year 1 to the year 9999"),
        ("0001-01-01T00:00", "Asia/Tokyo", "must be from the year 1 to the year 9999"),
        ("2030-05-17", "UTC", "must be a date and a time of day, such as 2030-05-17 09:00"),
        ("", "UTC", "must be a date and a time of day, such as 2030-05-17 09:00"),
        ("2030-05-17T09:00\0", "UTC", "must be a date and a time of day"),
    ],
)
def test_a_time_that_does_not_exist_is_refused(typed: str, timezone: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        as_sent(typed, timezone)


@pytest.mark.parametrize(
    ("moment", "typed"),
    [
        (datetime(2099, 5, 17, 9, tzinfo=UTC), "2099-05-17T11:00"),
        (datetime(2099, 5, 17, 9, 0, 1, 5, tzinfo=UTC), "2099-05-17T11:00:01"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:53:28"),
        (None, ""),
    ],
)
def test_the_form_shows_seconds_only_of_times_that_have_some(
    moment: datetime | None, typed: str
) -> None:
    assert as_typed(moment, "Europe/Berlin") == typed


@pytest.mark.anyio
async def test_an_event_takes_place_at_the_local_time_of_its_zone_also_after_a_change_of_the_zone(
    api: Api, organizer: Panel
) -> None:
    await organizer.open(f"{EVENTS}new")
    page = await organizer.submit(**TYPED | BERLIN)
    id = page.address.removeprefix(EVENTS)
    assert "17 May 2099, 09:00 Europe/Berlin" in page.text

    async def times() -> list[str]:
        event = (await api.http.get(f"/api/events/{id}")).json()["data"]
        return [event["event_datetime"], event["registration_deadline"]]

    assert await times() == ["2099-05-17T07:00:00Z", "2099-05-16T07:00:00Z"]
    await organizer.follow("Edit")
    await organizer.submit(timezone="Asia/Tokyo", name="PyCon JP")
    assert await times() == ["2099-05-17T00:00:00Z", "2099-05-16T00:00:00Z"]
    await organizer.follow("Edit")
    await organizer.submit(event_datetime="2099-05-17T10:00")
    assert await times() == ["2099-05-17T01:00:00Z", "2099-05-16T00:00:00Z"]
    await organizer.follow("Edit")
    page = await organizer.submit(timezone="Middle-earth/Shire", event_datetime="2099-03-29T02:30")
    assert (page.status, page.errors["timezone"][:7]) == (422, "must be")
    page = await organizer.submit(timezone="Europe/Berlin")
    assert page.errors["event_datetime"].startswith("does not exist in Europe/Berlin")
    assert (await times())[0] == "2099-05-17T01:00:00Z"
    page = await organizer.open(EVENTS)
    assert "17 May 2099, 10:00 Asia/Tokyo" in page.rows[0][2]
