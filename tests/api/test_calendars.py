"""Events for calendar programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import icalendar
import pytest

from domain.core.values import Text
from domain.provider_items import SyncEvent
from tests.api.serving import OPERATOR, Api, Serving, problem, projector_on

pytestmark = pytest.mark.anyio


def entries_in(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    return icalendar.Calendar.from_ical(answer.content).walk("VEVENT")


def names_in(answer: httpx.Response) -> list[str]:
    return [str(entry["SUMMARY"]) for entry in entries_in(answer)]


async def one(api: Api, event: str, after: httpx.Response) -> Any:
    (entry,) = entries_in(await api.get(f"/api/events/{event}/calendar.ics", after=after))
    return entry


async def test_one_event_is_read_as_a_calendar(api: Api) -> None:
    area = await api.area("Great Hall")
    fields = {"ends_at": "2099-05-19T16:00:00Z", "description": "Talks", "area_id": area}
    created = await api.created_event(name="Пайкон, 2099", **fields)
    id = created.json()["data"]["id"]
    answer = await api.get(f"/api/events/{id}/calendar.ics", after=created)
    (entry,) = entries_in(answer)
    assert entry["UID"] == f"{id}@localhost"
    assert (entry["SUMMARY"], entry["LOCATION"], entry["DESCRIPTION"]) == (
        "Пайкон, 2099",
        "Great Hall",
        "Talks",
    )
    assert entry["DTSTART"].dt == datetime(2099, 5, 17, 9, tzinfo=UTC)
    assert entry["DTEND"].dt == datetime(2099, 5, 19, 16, tzinfo=UTC)
    assert (entry["SEQUENCE"], entry["STATUS"]) == (0, "CONFIRMED")
    assert "URL" not in entry
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="2099.ics"; '
        "filename*=UTF-8''%D0%BF%D0%B0%D0%B9%D0%BA%D0%BE%D0%BD-2099.ics"
    )
    assert (await api.http.get(f"/api/events/{id}/calendar.ics/")).content == answer.content


async def test_the_sequence_increases_over_the_life_of_an_event(api: Api) -> None:
    """And the id never changes."""
    event = await api.event(area_id=await api.area("Here"))
    path = f"/api/events/{event}"
    ids = set[str]()
    steps: list[tuple[str, str, Any, int, str]] = [
        ("PATCH", "", {"name": "Renamed"}, 0, "CONFIRMED"),
        ("PATCH", "", {"event_datetime": "2099-05-18T09:00:00Z"}, 1, "CONFIRMED"),
        ("PATCH", "", {"event_datetime": "2099-05-17T09:00:00Z"}, 2, "CONFIRMED"),
        ("PATCH", "", {"area_id": None}, 3, "CONFIRMED"),
        ("POST", "/cancel", {"reason": "Flooded"}, 4, "CANCELLED"),
        ("POST", "/reinstate", None, 5, "CONFIRMED"),
    ]
    for method, suffix, body, sequence, status in steps:
        changed = await api.http.request(method, path + suffix, json=body)
        assert changed.status_code == 200, changed.text
        entry = await one(api, event, changed)
        assert (entry["SEQUENCE"], entry["STATUS"]) == (sequence, status)
        ids.add(str(entry["UID"]))
    assert len(ids) == 1


async def test_a_calendar_that_has_not_changed_is_not_sent_again(api: Api) -> None:
    created = await api.created_event(description="Talks. " * 300)
    event = created.json()["data"]["id"]
    for path in (f"/api/events/{event}/calendar.ics", "/api/calendar.ics"):
        first = await api.get(path, after=created)
        known = {"If-None-Match": first.headers["ETag"]}
        again = await api.http.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        head = await api.http.head(path)
        assert head.status_code == 200
        assert head.headers["ETag"] == first.headers["ETag"]
        assert first.headers["Content-Encoding"] == "gzip"
        plain = await api.http.get(path, headers={"Accept-Encoding": "identity"})
        assert plain.content == first.content
    renamed = await api.http.patch(f"/api/events/{event}", json={"name": "Renamed"})
    for path in (f"/api/events/{event}/calendar.ics", "/api/calendar.ics"):
        answer = await api.http.get(
            path, headers=known | {"Min-Event-Position": renamed.headers["Event-Position"]}
        )
        assert names_in(answer) == ["Renamed"]


async def test_a_seat_that_is_taken_does_not_change_a_calendar(api: Api) -> None:
    created = await api.created_event(capacity=1)
    event = created.json()["data"]["id"]
    paths = [f"/api/events/{event}/calendar.ics", "/api/calendar.ics"]
    tags = [(await api.get(path, after=created)).headers["ETag"] for path in paths]
    await api.register(event)
    await api.settled()
    assert (await api.http.get(f"/api/events/{event}")).json()["data"]["availability"] == "full"
    assert [(await api.http.get(path)).headers["ETag"] for path in paths] == tags


async def test_the_feed_takes_the_filters_of_the_list(api: Api) -> None:
    area = await api.area("Great Hall")
    await api.event(name="Later", event_datetime="2099-06-01T09:00:00Z")
    await api.event(name="Sooner", area_id=area)
    closed = await api.created_event(
        name="Closed", event_datetime="2099-07-01T09:00:00Z", status="closed"
    )

    async def names(**query: Any) -> list[str]:
        return names_in(await api.get("/api/calendar.ics", after=closed, **query))

    assert await names() == ["Sooner", "Later", "Closed"]
    assert await names(name="oon") == ["Sooner"]
    assert await names(area_id=area) == ["Sooner"]
    assert await names(status="open") == ["Sooner", "Later"]
    assert await names(status="closed") == ["Closed"]
    assert await names(registrable=True) == ["Sooner", "Later"]
    assert await names(**{"from": "2099-06-01"}) == ["Later", "Closed"]
    assert await names(until="2099-05-31") == ["Sooner"]
    assert await names(name="nothing") == []


async def test_a_long_description_is_cut_in_the_feed_only(api: Api) -> None:
    created = await api.created_event(description="Talks. " * 300)
    event = created.json()["data"]["id"]
    alone = await one(api, event, created)
    assert len(alone["DESCRIPTION"]) == len("Talks. " * 300) - 1
    (entry,) = entries_in(await api.get("/api/calendar.ics", after=created))
    assert str(entry["DESCRIPTION"]).endswith("Talks. …")
    assert len(entry["DESCRIPTION"]) <= 1_002


async def test_the_feed_shows_what_is_cancelled_and_not_what_is_deleted(api: Api) -> None:
    cancelled, deleted = await api.event(name="Cancelled"), await api.event(name="Deleted")
    await api.http.post(f"/api/events/{cancelled}/cancel")
    gone = await api.http.delete(f"/api/events/{deleted}")
    (entry,) = entries_in(await api.get("/api/calendar.ics", after=gone))
    assert (entry["SUMMARY"], entry["STATUS"]) == ("Cancelled", "CANCELLED")
    answer = await api.get(f"/api/events/{deleted}/calendar.ics", after=gone)
    assert problem(answer) == (404, "not-found")


async def test_the_feed_shows_past_events_when_it_is_asked_for_them(api: Api) -> None:
    long_ago, lately = (datetime.now(UTC) - timedelta(days=days) for days in (40, 20))
    for name, begins in {"Long ago": long_ago, "Lately": lately}.items():
        past = SyncEvent(
            event_id=uuid4(),
            name=Text(name),
            event_datetime=begins,
            registration_deadline=begins,
            area_name=None,
            status="open",
        )
        await api.connections.writer.execute(past, OPERATOR)
    await api.settled()
    assert names_in(await api.http.get("/api/calendar.ics")) == ["Lately"]
    everything = await api.http.get("/api/calendar.ics", params={"from": "2020-01-01"})
    assert names_in(everything) == ["Long ago", "Lately"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"order_by": "asc"}, "order_by"),
        ({"limit": "5"}, "limit"),
        ({"from": "soon"}, "from"),
        ({"area_id": "x"}, "area_id"),
        ({"status": "gone"}, "status"),
        ({"name": "\x00"}, "name"),
    ],
)
async def test_other_parameters_are_refused(
    lone_api: Api, query: dict[str, str], field: str
) -> None:
    answer = await lone_api.http.get("/api/calendar.ics", params=query)
    assert problem(answer) == (422, "validation")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_links_lead_to_the_pages_of_this_installation(
    serving: Serving, services: Any, keys: Any
) -> None:
    async with (
        projector_on(services, keys),
        serving(public_url="https://events.example.com/berlin") as api,
    ):
        created = await api.created_event()
        event = created.json()["data"]["id"]
        entry = await one(api, event, created)
        assert entry["URL"] == f"https://events.example.com/berlin/events/{event}"
        feed = icalendar.Calendar.from_ical((await api.http.get("/api/calendar.ics")).content)
        assert feed["X-WR-CALNAME"] == "Events at events.example.com"
