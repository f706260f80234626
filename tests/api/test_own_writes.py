"""Reading one's own writes, entity tags, and changes that must not cross."""

from __future__ import annotations

import pytest

from api.http import reads
from tests.api.serving import Api, problem

pytestmark = pytest.mark.anyio

LIST = "/api/events/list"


async def test_every_command_answers_with_its_position(api: Api) -> None:
    area = await api.http.post("/api/events/areas", json={"name": "Hall"})
    event = await api.created_event()
    path = f"/api/events/{event.json()['data']['id']}"
    answers = [
        area,
        event,
        await api.register(event.json()["data"]["id"]),
        await api.http.patch(path, json={"name": "X"}),
        await api.http.delete(path),
        await api.http.delete(f"/api/events/areas/{area.json()['data']['id']}"),
    ]
    positions = [int(answer.headers["Event-Position"]) for answer in answers]
    assert positions == sorted(set(positions))


async def test_a_query_waits_for_the_position_it_asks_for(api: Api) -> None:
    for number in range(20):
        created = await api.created_event(name=f"Event {number}")
        assert (await api.get(LIST, after=created)).json()["pagination"]["total"] == number + 1


@pytest.mark.parametrize("path", [LIST, "/api/events/areas"])
async def test_a_query_does_not_wait_for_ever(
    lone_api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "CATCH_UP_TIMEOUT", 0.1)
    created = await lone_api.created_event()
    answer = await lone_api.get(path, after=created)
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/projection-lagging"
    assert int(answer.headers["Retry-After"]) > 0
    assert (await lone_api.http.get(path)).status_code == 200


@pytest.mark.parametrize("path", [LIST, "/api/events/areas"])
async def test_a_position_that_history_does_not_have_is_refused_at_once(
    lone_api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "CATCH_UP_TIMEOUT", 600)
    end = int((await lone_api.created_event()).headers["Event-Position"])
    answer = await lone_api.http.get(path, headers={"Min-Event-Position": str(end + 1)})
    assert problem(answer) == (422, "validation")
    message = f"must be at most {end}, the position of the newest event in history"
    assert answer.json()["errors"] == [{"field": "Min-Event-Position", "messages": [message]}]


async def test_an_unchanged_list_is_not_sent_again(api: Api) -> None:
    created = await api.created_event()
    first = await api.get(LIST, after=created)
    tag = first.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await api.http.get(LIST, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == tag
    visitor = await api.register(created.json()["data"]["id"])
    assert (await api.get(LIST, after=visitor)).headers["ETag"] == tag
    renamed = await api.http.patch(
        f"/api/events/{created.json()['data']['id']}", json={"name": "Other"}
    )
    assert (await api.get(LIST, after=renamed)).headers["ETag"] != tag


async def test_an_unchanged_event_is_not_sent_again_and_its_area_is_part_of_it(api: Api) -> None:
    area = await api.area("Old")
    created = await api.created_event(area_id=area)
    path = f"/api/events/{created.json()['data']['id']}"
    tag = (await api.get(path, after=created)).headers["ETag"]
    assert (await api.http.get(path, headers={"If-None-Match": tag})).status_code == 304
    renamed = await api.http.patch(f"/api/events/areas/{area}", json={"name": "New"})
    changed = await api.http.get(
        path,
        headers={"If-None-Match": tag, "Min-Event-Position": renamed.headers["Event-Position"]},
    )
    assert changed.status_code == 200
    assert changed.json()["data"]["area"] == "New"


async def test_a_change_of_an_older_version_is_refused(api: Api) -> None:
    created = await api.created_event()
    path = f"/api/events/{created.json()['data']['id']}"
    seen = {"If-Match": created.headers["ETag"]}
    first = await api.http.patch(path, json={"name": "First"}, headers=seen)
    assert first.status_code == 200
    for method, body in (("PATCH", {"name": "Second"}), ("DELETE", None)):
        second = await api.http.request(method, path, json=body, headers=seen)
        assert second.status_code == 412
        assert second.json()["type"] == "/problems/changed-meanwhile"
    both = {"If-Match": f"{created.headers['ETag']}, {first.headers['ETag']}"}
    assert (await api.http.patch(path, json={"name": "Third"}, headers=both)).status_code == 200
    assert (await api.http.delete(path, headers={"If-Match": "*"})).status_code == 204
    assert (await api.http.delete(path, headers={"If-Match": "*"})).status_code == 404


@pytest.mark.parametrize("tag", ['"unknown"', "nonsense", 'W/"1-abc"', ""])
async def test_a_tag_that_nothing_has_matches_nothing(api: Api, tag: str) -> None:
    event = await api.event()
    answer = await api.http.delete(f"/api/events/{event}", headers={"If-Match": tag})
    assert answer.status_code == 412


async def test_an_area_is_changed_only_as_it_was_seen(api: Api) -> None:
    created = await api.http.post("/api/events/areas", json={"name": "One"})
    path = f"/api/events/areas/{created.json()['data']['id']}"
    seen = {"If-Match": (await api.get(path, after=created)).headers["ETag"]}
    assert (await api.http.patch(path, json={"name": "Two"}, headers=seen)).status_code == 200
    assert (await api.http.patch(path, json={"name": "Three"}, headers=seen)).status_code == 412
    assert (await api.http.delete(path, headers=seen)).status_code == 412
