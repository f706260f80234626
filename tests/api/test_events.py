"""Events: created, read, changed, deleted and listed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.serving import EVENT, Api

pytestmark = pytest.mark.anyio


async def test_a_created_event_is_answered_as_it_will_read(api: Api) -> None:
    area = await api.area("Great Hall")
    answer = await api.created_event(area_id=area)
    event = answer.json()["data"]
    assert event == EVENT | {
        "id": event["id"],
        "area": "Great Hall",
        "area_id": area,
        "status": "open",
    }
    read = await api.get(f"/api/events/{event['id']}/", after=answer)
    assert read.status_code == 200
    assert read.json() == answer.json() == {"data": event, "meta": {}, "errors": []}
    assert read.headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize(
    ("given", "starts", "ends"),
    [
        (("05.17.2099", "05.10.2099"), "2099-05-17T00:00:00Z", "2099-05-10T23:59:59Z"),
        (("2099-05-17", "2099-05-17"), "2099-05-17T00:00:00Z", "2099-05-17T00:00:00Z"),
        (
            ("2099-05-17T09:00:00+02:00", "05.17.2099"),
            "2099-05-17T07:00:00Z",
            "2099-05-17T07:00:00Z",
        ),
    ],
)
async def test_times_come_in_many_forms_and_go_out_in_utc(
    api: Api, given: tuple[str, str], starts: str, ends: str
) -> None:
    starts_at, deadline = given
    answer = await api.created_event(event_datetime=starts_at, registration_deadline=deadline)
    event = answer.json()["data"]
    assert (event["event_datetime"], event["registration_deadline"]) == (starts, ends)


NOWHERE = "00000000-0000-4000-8000-000000000000"

PAST = "2001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"event_datetime": PAST}, ["event_datetime", "registration_deadline"]),
        ({"registration_deadline": PAST}, ["registration_deadline"]),
        ({"registration_deadline": "2099-05-18T00:00:00Z"}, ["registration_deadline"]),
        ({"area_id": NOWHERE}, ["area_id"]),
        ({"area_id": "hall"}, ["area_id"]),
        ({"name": " ", "status": "ajar"}, ["name", "status"]),
        ({"name": None, "event_datetime": 7}, ["name", "event_datetime"]),
        ({"name": "", "event_datetime": PAST}, ["name", "event_datetime", "registration_deadline"]),
        (
            {"area_id": NOWHERE, "event_datetime": PAST, "registration_deadline": PAST},
            ["area_id", "event_datetime", "registration_deadline"],
        ),
    ],
)
async def test_creation_names_all_that_is_wrong(
    api: Api, fields: dict[str, Any], wrong: list[str]
) -> None:
    answer = await api.http.post("/api/events/", json=EVENT | fields)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == wrong


async def test_a_change_leaves_alone_what_it_does_not_name(api: Api) -> None:
    area = await api.area("Great Hall")
    created = await api.created_event(area_id=area)
    event = created.json()["data"]
    path = f"/api/events/{event['id']}"
    answer = await api.http.patch(path, json={"status": "closed"})
    assert answer.status_code == 200
    assert answer.json()["data"] == event | {"status": "closed"}
    answer = await api.http.patch(path, json={"area_id": None, "name": "EuroPython"})
    assert answer.json()["data"] == event | {
        "status": "closed",
        "area": None,
        "area_id": None,
        "name": "EuroPython",
    }
    assert (await api.get(path, after=answer)).json() == answer.json()


async def test_a_change_of_nothing_changes_nothing(api: Api) -> None:
    created = await api.created_event()
    answer = await api.http.patch(f"/api/events/{created.json()['data']['id']}", json={})
    assert answer.status_code == 200
    assert answer.json() == created.json()
    assert answer.headers["ETag"] == created.headers["ETag"]
    assert answer.headers["Event-Position"] == created.headers["Event-Position"]


async def test_a_deleted_event_is_not_found_and_takes_no_visitors(api: Api) -> None:
    event = await api.event()
    answer = await api.http.delete(f"/api/events/{event}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await api.get(f"/api/events/{event}", after=answer)).status_code == 404
    assert (await api.http.patch(f"/api/events/{event}", json={})).status_code == 404
    assert (await api.http.delete(f"/api/events/{event}")).status_code == 404
    assert (await api.register(event)).status_code == 404


async def test_the_list_shows_open_events_newest_first(api: Api) -> None:
    for day in ("11", "13", "12"):
        await api.event(name=f"Day {day}", event_datetime=f"2099-06-{day}T09:00:00Z")
    last = await api.created_event(name="Closed", status="closed")
    newest = await api.get("/api/events/list/", after=last)
    assert names(newest) == ["Day 13", "Day 12", "Day 11"]
    assert newest.json()["pagination"] == {
        "offset": 0,
        "limit": 10,
        "total": 3,
        "next_cursor": None,
    }
    oldest = await api.http.get("/api/events/list", params={"order_by": "asc", "offset": 1})
    assert names(oldest) == ["Day 12", "Day 13"]


async def test_the_cursor_leads_through_the_whole_list(api: Api) -> None:
    for number in range(5):
        last = await api.created_event(name=f"Twin {number}")
    seen, query = list[str](), {"limit": "2"}
    while True:
        page = await api.get("/api/events/list", after=last, **query)
        seen += names(page)
        cursor = page.json()["pagination"]["next_cursor"]
        if cursor is None:
            break
        query["cursor"] = cursor
    assert sorted(seen) == [f"Twin {number}" for number in range(5)]


@pytest.mark.parametrize(
    ("fragment", "found"),
    [("pycon", ["PyCon 100%"]), ("%", ["PyCon 100%"]), ("_", ["a_b"]), ("ÖL", ["Kölner Öltag"])],
)
async def test_the_list_is_searched_by_a_literal_part_of_the_name(
    api: Api, fragment: str, found: list[str]
) -> None:
    for name in ("PyCon 100%", "a_b", "Kölner Öltag"):
        last = await api.created_event(name=name)
    assert names(await api.get("/api/events/list", after=last, name=fragment)) == found


def names(page: Any) -> list[str]:
    return [event["name"] for event in page.json()["data"]]
