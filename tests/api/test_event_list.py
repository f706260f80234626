"""The filters of the public list, and its answers that depend on the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.serving import Api
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


def names(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, page.text
    listed = page.json()
    assert listed["pagination"]["total"] == len(listed["data"])
    return [event["name"] for event in listed["data"]]


async def some_events(api: Api) -> tuple[str, httpx.Response]:
    """On four days of May, of which the third is closed and the second in an area; the area."""
    area = await api.area("Great Hall")
    await api.event(name="1", event_datetime="2099-05-17T09:00:00Z")
    await api.event(name="2", event_datetime="2099-05-18T09:00:00Z", area_id=area)
    await api.event(name="3", event_datetime="2099-05-19T09:00:00Z", status="closed")
    return area, await api.created_event(name="4", event_datetime="2099-05-20T23:59:59.5Z")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "124"),
        ({"status": "open"}, "124"),
        ({"status": "closed"}, "3"),
        ({"status": "any"}, "1234"),
        ({"from": "2099-05-18"}, "24"),
        ({"from": "2099-05-18T09:00:00Z"}, "24"),
        ({"from": "2099-05-18T09:00:00.000001Z"}, "4"),
        ({"until": "2099-05-18"}, "12"),
        ({"until": "2099-05-18T09:00:00Z"}, "1"),
        ({"until": "05.20.2099"}, "124"),
        ({"until": "9999-12-31"}, "124"),
        ({"from": "2099-05-18T11:00:00+02:00", "until": "2099-05-19", "status": "any"}, "23"),
        ({"from": "2099-05-20", "until": "2099-05-18"}, ""),
        ({"from": "", "until": ""}, "124"),
        ({"name": "2", "status": "any"}, "2"),
        ({"name": "2", "status": "closed"}, ""),
        ({"registrable": "true", "status": "any"}, "124"),
        ({"registrable": "true", "status": "closed"}, ""),
        ({"registrable": "false"}, "124"),
    ],
)
async def test_each_filter_narrows_the_list(api: Api, query: dict[str, str], found: str) -> None:
    _, last = await some_events(api)
    for path in ("/api/events", "/api/events/", "/api/events/list"):
        page = await api.get(path, after=last, order_by="asc", **query)
        assert names(page) == list(found)


async def test_the_list_of_an_area(api: Api) -> None:
    area, last = await some_events(api)
    assert names(await api.get("/api/events", after=last, area_id=area)) == ["2"]
    other = "00000000-0000-4000-8000-000000000000"
    assert names(await api.get("/api/events", after=last, area_id=other)) == []


async def test_wrong_filters_are_refused_by_name(api: Api) -> None:
    query = {"from": "yesterday", "until": "2099-02-30"}
    answer = await api.http.get("/api/events", params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["from", "until"]
    query = {"status": "ajar", "area_id": "hall", "registrable": "perhaps"}
    answer = await api.http.get("/api/events", params=query)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == query.keys()


async def test_the_cursor_leads_through_a_filtered_list(api: Api) -> None:
    for number in range(5):
        last = await api.created_event(name=f"Twin {number}", status="closed")
    await api.event()
    seen, query = list[str](), {"limit": "2", "status": "closed", "from": "2099-05-17"}
    while True:
        page = (await api.get("/api/events", after=last, **query)).json()
        assert page["pagination"]["total"] == 5
        seen += [event["name"] for event in page["data"]]
        if (cursor := page["pagination"]["next_cursor"]) is None:
            break
        query["cursor"] = cursor
    assert sorted(seen) == [f"Twin {number}" for number in range(5)]


async def registrable(api: Api, **headers: str) -> httpx.Response:
    query = {"registrable": "true", "order_by": "asc"}
    return await api.http.get("/api/events", params=query, headers=headers)


async def test_only_events_that_take_registrations_are_registrable(api: Api) -> None:
    await api.event(name="open")
    await api.event(name="closed", status="closed")
    await api.event(name="full", capacity=0)
    await api.event(name="one may wait", capacity=0, waiting_list="manual")
    cancelled = await api.event(name="cancelled")
    last = await api.http.post(f"/api/events/{cancelled}/cancel")
    after = {"Min-Event-Position": last.headers["Event-Position"]}
    assert sorted(names(await registrable(api, **after))) == ["one may wait", "open"]


async def test_a_deadline_that_passes_changes_the_list_and_its_tag(
    api: Api,
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    await api.event(name="later")
    last = await api.created_event(name="soon over", registration_deadline=soon.isoformat())
    after = {"Min-Event-Position": last.headers["Event-Position"]}
    before = await registrable(api, **after)
    assert datetime.now(UTC) < soon, "this machine is too slow for this test"
    assert sorted(names(before)) == ["later", "soon over"]
    known = {"If-None-Match": before.headers["ETag"]}
    if datetime.now(UTC) + timedelta(seconds=0.5) < soon:
        assert (await registrable(api, **known)).status_code == 304

    async def is_over() -> bool:
        return datetime.now(UTC) > soon

    await until_async(is_over)
    now = await registrable(api, **known)
    assert names(now) == ["later"]
    assert now.headers["ETag"] != before.headers["ETag"]
    known = {"If-None-Match": now.headers["ETag"]}
    assert (await registrable(api, **known)).status_code == 304


async def test_the_list_without_registrable_keeps_its_tag_when_a_deadline_passes(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    last = await api.created_event(registration_deadline=soon.isoformat())
    before: Any = await api.get("/api/events", after=last)

    async def is_over() -> bool:
        return datetime.now(UTC) > soon

    await until_async(is_over)
    assert (await api.http.get("/api/events")).headers["ETag"] == before.headers["ETag"]
