"""Events: created, read, changed, deleted and listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.serving import DEFAULTS, EVENT, Api
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_a_created_event_is_answered_as_it_will_read(api: Api) -> None:
    area = await api.area("Great Hall")
    answer = await api.created_event(area_id=area)
    event = answer.json()["data"]
    assert event == DEFAULTS | EVENT | {
        "id": event["id"],
        "area": "Great Hall",
        "area_id": area,
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


DETAILS = {
    "description": "Talks,\nand a day of sprints.",
    "ends_at": "2099-05-19T16:00:00Z",
    "timezone": "Europe/Berlin",
    "capacity": 300,
    "waiting_list": "manual",
    "cancel_until": "2099-05-15T09:00:00Z",
    "reminders": ["P1D", "PT2H"],
    "confirm_within": "P2D",
}


async def test_an_event_is_created_with_all_its_details(api: Api) -> None:
    answer = await api.created_event(**DETAILS)
    event = answer.json()["data"]
    assert event == DEFAULTS | EVENT | DETAILS | {"id": event["id"]}
    read = await api.get(f"/api/events/{event['id']}", after=answer)
    assert read.json() == answer.json()
    (listed,) = (await api.get("/api/events", after=answer)).json()["data"]
    assert listed == event


async def test_each_detail_can_be_changed_alone_and_reset(api: Api) -> None:
    created = await api.created_event()
    event = created.json()["data"]
    path = f"/api/events/{event['id']}"
    for field, value in DETAILS.items():
        answer = await api.http.patch(path, json={field: value})
        assert answer.json()["data"] == event | {field: value}
        assert (await api.get(path, after=answer)).json() == answer.json()
        answer = await api.http.patch(path, json={field: event[field]})
        assert answer.json()["data"] == event


async def test_dates_of_details_are_the_end_of_the_day_and_reminders_are_put_in_order(
    api: Api,
) -> None:
    answer = await api.created_event(
        ends_at="2099-05-18",
        cancel_until="05.01.2099",
        reminders=["PT120M", "P1D", "PT24H"],
    )
    event = answer.json()["data"]
    assert (event["ends_at"], event["cancel_until"]) == (
        "2099-05-18T23:59:59Z",
        "2099-05-01T23:59:59Z",
    )
    assert event["reminders"] == ["P1D", "PT2H"]


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
        ({"ends_at": "2099-05-17T09:00:00Z"}, ["ends_at"]),
        ({"cancel_until": "2099-05-18"}, ["cancel_until"]),
        (
            {"name": "", "ends_at": PAST, "cancel_until": "2100-01-01"},
            ["name", "ends_at", "cancel_until"],
        ),
        ({"capacity": -1, "waiting_list": "on"}, ["capacity", "waiting_list"]),
        ({"capacity": 1_000_001}, ["capacity"]),
        ({"capacity": "10"}, ["capacity"]),
        ({"capacity": True}, ["capacity"]),
        ({"timezone": "localtime"}, ["timezone"]),
        ({"timezone": "Berlin", "description": "x" * 10_001}, ["description", "timezone"]),
        ({"description": "\0"}, ["description"]),
        ({"reminders": ["P61D"]}, ["reminders"]),
        ({"reminders": [f"PT{n}H" for n in range(1, 7)]}, ["reminders"]),
        ({"reminders": "P1D"}, ["reminders"]),
        ({"confirm_within": "PT59S"}, ["confirm_within"]),
        ({"cancelled": None, "availability": "open"}, ["cancelled", "availability"]),
    ],
)
async def test_creation_reports_all_wrong_fields(
    api: Api, fields: dict[str, Any], wrong: list[str]
) -> None:
    answer = await api.http.post("/api/events/", json=EVENT | fields)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == wrong


async def test_a_change_keeps_fields_that_are_left_out(api: Api) -> None:
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


async def test_a_value_that_stays_as_it_was_is_not_refused(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    created = await api.created_event(registration_deadline=soon.isoformat())
    event = created.json()["data"]
    await until_async(lambda: now_is_after(soon))
    same = {key: event[key] for key in (*EVENT, *DETAILS)}
    answer = await api.http.patch(f"/api/events/{event['id']}", json=same | {"capacity": 5})
    assert answer.status_code == 200
    assert answer.json()["data"] == event | {"capacity": 5}


async def now_is_after(moment: datetime) -> bool:
    return datetime.now(UTC) > moment


async def test_a_cancelled_event_can_be_read_and_reinstated_but_not_registered_for(
    api: Api,
) -> None:
    created = await api.created_event()
    event = created.json()["data"]
    path = f"/api/events/{event['id']}"
    cancelled = await api.http.post(f"{path}/cancel", json={"reason": " Flooded.\nSorry! "})
    assert cancelled.status_code == 200
    at = cancelled.json()["data"]["cancelled"]["at"]
    reason = {"at": at, "reason": "Flooded.\nSorry!"}
    assert cancelled.json()["data"] == event | {"cancelled": reason}
    assert (await api.get(path, after=cancelled)).json() == cancelled.json()
    refused = await api.register(event["id"])
    assert refused.json()["type"] == "/problems/event-cancelled"
    again = await api.http.post(f"{path}/cancel", json={"reason": "Another"})
    assert again.json() == cancelled.json()
    reinstated = await api.http.post(f"{path}/reinstate")
    assert reinstated.json()["data"] == event
    assert (await api.get(path, after=reinstated)).json() == reinstated.json()
    assert (await api.register(event["id"])).status_code == 201


async def test_a_cancellation_of_an_older_version_is_refused(api: Api) -> None:
    created = await api.http.post("/api/events/", json=EVENT)
    path = f"/api/events/{created.json()['data']['id']}"
    seen = {"If-Match": created.headers["ETag"]}
    cancelled = await api.http.post(f"{path}/cancel", headers=seen)
    assert cancelled.status_code == 200
    for late in ("cancel", "reinstate"):
        refused = await api.http.post(f"{path}/{late}", headers=seen)
        assert (refused.status_code, refused.json()["type"]) == (412, "/problems/changed-meanwhile")
    now = {"If-Match": cancelled.headers["ETag"]}
    assert (await api.http.post(f"{path}/reinstate", headers=now)).status_code == 200


async def test_the_reason_of_a_cancellation_is_optional_and_limited_in_length(api: Api) -> None:
    event = await api.event()
    path = f"/api/events/{event}/cancel"
    wrong = await api.http.post(path, json={"reason": "x" * 1_001, "because": "x"})
    assert [error["field"] for error in wrong.json()["errors"]] == ["reason", "because"]
    assert (await api.http.post(path)).json()["data"]["cancelled"]["reason"] == ""
    assert (await api.http.post(f"/api/events/{NOWHERE}/cancel")).status_code == 404
    assert (await api.http.post(f"/api/events/{NOWHERE}/reinstate")).status_code == 404


async def test_availability_flips_with_the_registrations_and_so_do_the_tags(api: Api) -> None:
    event = await api.event(capacity=1)
    path = f"/api/events/{event}"

    async def seen_after(answer: Any) -> tuple[str, str, str]:
        one = await api.get(path, after=answer)
        listed = await api.get("/api/events", after=answer)
        assert listed.json()["data"] == [one.json()["data"]]
        return one.json()["data"]["availability"], one.headers["ETag"], listed.headers["ETag"]

    first = await api.register(event, "ada@example.com")
    full, tag, list_tag = await seen_after(first)
    assert full == "full"
    changed = await api.http.patch(path, json={"waiting_list": "automatic"})
    assert changed.json()["data"]["availability"] == "waiting"
    waiting, tag, list_tag = await seen_after(changed)
    assert waiting == "waiting"
    body = {"full_name": "Bob", "email": "bob@example.com", "join_waiting_list": True}
    waits = await api.http.post(f"{path}/register", json=body)
    assert await seen_after(waits) == ("waiting", tag, list_tag), "nothing that is shown changed"
    more = await api.http.patch(path, json={"capacity": 3})
    assert more.json()["data"]["availability"] == "open", "and Bob has a seat"
    is_open, other_tag, other_list_tag = await seen_after(more)
    assert (is_open, other_tag != tag, other_list_tag != list_tag) == ("open", True, True)


async def test_organizers_count_the_seats(api: Api) -> None:
    ada = (await api.account("ada", "organizer")).bearer
    event = await api.event(capacity=2, waiting_list="automatic")
    path = f"/api/events/{event}/seats"
    for name in "abc":
        body = {"full_name": name, "email": f"{name}@example.com", "join_waiting_list": True}
        last = await api.http.post(f"/api/events/{event}/register", json=body)
    after = ada | {"Min-Event-Position": last.headers["Event-Position"]}
    seats = await api.http.get(path, headers=after)
    assert seats.json()["data"] == {
        "capacity": 2, "taken": 2, "free": 0, "waiting": 1, "over_by": 0,
    }  # fmt: skip
    known = after | {"If-None-Match": seats.headers["ETag"]}
    assert (await api.http.get(path, headers=known)).status_code == 304
    await api.http.patch(f"/api/events/{event}", json={"capacity": 1}, headers=ada)
    assert (await api.http.get(path, headers=known)).json()["data"] == {
        "capacity": 1, "taken": 2, "free": 0, "waiting": 1, "over_by": 1,
    }  # fmt: skip
    await api.http.patch(f"/api/events/{event}", json={"capacity": None}, headers=ada)
    assert (await api.http.get(path, headers=known)).json()["data"] == {
        "capacity": None, "taken": 3, "free": None, "waiting": 0, "over_by": 0,
    }  # fmt: skip
    assert (await api.http.get(f"/api/events/{NOWHERE}/seats", headers=ada)).status_code == 404
