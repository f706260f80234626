"""Areas: created, listed, renamed and deleted by organizers."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.api.serving import Api

pytestmark = pytest.mark.anyio

AREAS = "/api/events/areas/"


async def test_a_created_area_is_listed_with_its_number_of_events(api: Api) -> None:
    answer = await api.http.post(AREAS, json={"name": "  Great Hall "})
    area = answer.json()["data"]
    assert answer.status_code == 201
    assert area == {"id": area["id"], "name": "Great Hall"}
    assert answer.json()["errors"] == []
    event = await api.created_event(area_id=area["id"])
    listed = (await api.get(AREAS, after=event)).json()
    assert listed == {
        "data": [area | {"event_count": 1}],
        "pagination": {"offset": 0, "limit": 10, "total": 1, "next_cursor": None},
        "meta": {},
        "errors": [],
    }
    assert (await api.http.get(AREAS + area["id"])).json()["data"] == area | {"event_count": 1}


@pytest.mark.parametrize("name", ["great hall", "GREAT HALL ", "Ｇreat Hall"])  # noqa: RUF001
async def test_no_two_areas_have_one_name(api: Api, name: str) -> None:
    await api.area("Great Hall")
    answer = await api.http.post(AREAS, json={"name": name})
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/area-name-taken"


async def test_areas_are_found_by_a_part_of_their_name_page_by_page(api: Api) -> None:
    for name in ("East Wing", "West Wing", "Cellar", "100%"):
        await api.area(name)
    last = await api.http.post(AREAS, json={"name": "Wing_3"})
    page = (await api.get(AREAS, after=last, name="wING", limit=2, offset=1)).json()
    assert [area["name"] for area in page["data"]] == ["West Wing", "Wing_3"]
    assert page["pagination"] == {"offset": 1, "limit": 2, "total": 3, "next_cursor": None}
    for literal, names in {"%": ["100%"], "_": ["Wing_3"]}.items():
        found = (await api.http.get(AREAS, params={"name": literal})).json()["data"]
        assert [area["name"] for area in found] == names


async def test_a_renamed_area_shows_its_new_name_in_its_events(api: Api) -> None:
    area = await api.area("Old")
    event = await api.event(area_id=area)
    answer = await api.http.patch(AREAS + area, json={"name": "New"})
    assert answer.status_code == 200
    assert answer.json()["data"] == {"id": area, "name": "New", "event_count": 1}
    assert (await api.get(f"/api/events/{event}", after=answer)).json()["data"]["area"] == "New"


async def test_an_area_with_events_is_deleted_only_when_they_are_gone(api: Api) -> None:
    area = await api.area()
    event = await api.event(area_id=area)
    refusal = await api.http.delete(AREAS + area)
    assert (refusal.status_code, refusal.json()["type"]) == (409, "/problems/area-in-use")
    await api.http.delete(f"/api/events/{event}")
    answer = await api.http.delete(AREAS + area)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await api.get(AREAS + area, after=answer)).status_code == 404
    assert (await api.http.delete(AREAS + area)).status_code == 404


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    path = AREAS + str(uuid4())
    assert (await api.http.patch(path, json={"name": "X"})).status_code == 404
    assert (await api.http.delete(path)).status_code == 404
    assert (await api.http.get(path)).status_code == 404
