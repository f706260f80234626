"""Other systems follow the feed over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.keyed import Keyed
from tests.api.serving import Account, Api, problem
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

FEED = "/api/feed"


class Follower:
    """Remembers where it is."""

    def __init__(self, api: Api, account: Account) -> None:
        self.api = api
        self.account = account
        self.position = 0

    async def asks(self, **query: Any) -> httpx.Response:
        return await self.api.http.get(FEED, params=query, headers=self.account.bearer)

    async def reads(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.asks(after=self.position, **query)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        self.position = answer.json()["meta"]["position"]
        return list(answer.json()["data"])


async def an_organizer(api: Api) -> Follower:
    return Follower(api, await api.account("organizer", "organizer"))


async def test_a_follower_reads_what_happened_page_by_page(lone_api: Api) -> None:
    follower = await an_organizer(lone_api)
    event = await lone_api.event(name="Fair")
    registered = await lone_api.register(event)
    assert [item["type"] for item in await follower.reads(limit=1)] == ["event.created"]
    (item,) = await follower.reads(limit=1)
    assert item["occurred_at"].endswith("Z")
    assert {name: value for name, value in item.items() if name != "occurred_at"} == {
        "position": int(registered.headers["Event-Position"]),
        "type": "visitor.registered",
        "version": 1,
        "event_id": event,
        "visitor_id": registered.json()["data"]["id"],
        "data": {
            "status": "registered",
            "confirm_by": None,
            "full_name": "Ada Lovelace",
            "email": "ada@example.com",
            "answers": {},
            "moved_from": None,
        },
    }
    assert await follower.reads() == []


async def test_an_auditor_reads_it_without_names(lone_api: Api) -> None:
    auditor = Follower(lone_api, await lone_api.account("auditor", "auditor"))
    await lone_api.register(await lone_api.event())
    _, item = await auditor.reads()
    assert (item["data"]["full_name"], item["data"]["email"]) == (None, None)


async def test_a_filtered_feed_goes_on_after_what_it_left_out(lone_api: Api) -> None:
    follower = await an_organizer(lone_api)
    fair, gala = await lone_api.event(), await lone_api.event()
    await lone_api.register(gala, "ada@example.com")
    last = await lone_api.register(gala, "ben@example.com")
    assert [item["event_id"] for item in await follower.reads(event_id=fair)] == [fair]
    assert follower.position == int(last.headers["Event-Position"])
    follower.position = 0
    items = await follower.reads(types="event.created,event.deleted")
    assert [item["event_id"] for item in items] == [fair, gala]


async def test_parameters_that_make_no_sense_are_refused_by_name(lone_api: Api) -> None:
    follower = await an_organizer(lone_api)
    for query, message in (
        ({"types": "visitor.danced"}, "separated by commas: check_in.recorded, "),
        ({"types": "event.created,"}, "must be types of items, separated by commas: "),
        ({"event_id": "7"}, "must be a UUID"),
        ({"limit": 1001}, "must be a whole number from 1 to 1000"),
        ({"wait": 21}, "must be a whole number from 0 to 20"),
        ({"after": -1}, "must be a whole number from 0 to "),
    ):
        answer = await follower.asks(**query)
        assert problem(answer) == (422, "validation")
        (error,) = answer.json()["errors"]
        assert error["field"] in query
        assert message in error["messages"][0]


async def test_a_position_that_history_does_not_have_is_refused(lone_api: Api) -> None:
    follower = await an_organizer(lone_api)
    await lone_api.event()
    await follower.reads()
    answer = await follower.asks(after=follower.position + 1)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/not-in-history"
    assert answer.json()["position"] == follower.position


async def test_who_waits_gets_an_item_as_soon_as_it_happens(lone_api: Api) -> None:
    follower, filtered = await an_organizer(lone_api), await an_organizer_again(lone_api)
    event, other = await lone_api.event(), await lone_api.event()
    await follower.reads()
    await filtered.reads(event_id=event)
    waiting = asyncio.create_task(follower.reads(wait=20))
    patient = asyncio.create_task(filtered.reads(event_id=event, wait=20))
    await until_async(lambda: has_waiting(lone_api, 2))
    await lone_api.register(other)
    assert [item["event_id"] for item in await waiting] == [other]
    assert not patient.done()
    await lone_api.register(event)
    assert [item["event_id"] for item in await patient] == [event]


async def test_who_waits_in_vain_gets_an_empty_page_that_says_how_far_it_looked(
    lone_api: Api,
) -> None:
    follower = await an_organizer(lone_api)
    event, other = await lone_api.event(), await lone_api.event()
    await follower.reads(event_id=event)
    waiting = asyncio.create_task(follower.reads(event_id=event, wait=1))
    await until_async(lambda: has_waiting(lone_api, 1))
    registered = await lone_api.register(other)
    assert await waiting == []
    assert follower.position == int(registered.headers["Event-Position"])


async def test_nothing_is_missed_by_many_who_wait_and_leave_while_it_happens(
    lone_api: Api,
) -> None:
    event = await lone_api.event()
    first = await an_organizer(lone_api)
    await first.reads()
    followers = [Follower(lone_api, first.account) for _ in range(5)]
    read: list[list[int]] = [[] for _ in followers]

    async def follow(follower: Follower, found: list[int]) -> None:
        follower.position = first.position
        while len(found) < 40:
            found += [item["position"] for item in await follower.reads(limit=3, wait=1)]

    async def register() -> list[int]:
        answers = [await lone_api.register(event, f"ada{n}@example.com") for n in range(40)]
        return [int(answer.headers["Event-Position"]) for answer in answers]

    positions, *_ = await asyncio.gather(
        register(), *(follow(f, found) for f, found in zip(followers, read, strict=True))
    )
    assert read == [positions] * 5


async def test_waiting_requests_are_answered_when_the_process_ends(lone_api: Api) -> None:
    follower = await an_organizer(lone_api)
    waiting = asyncio.create_task(follower.reads(wait=20))
    await until_async(lambda: has_waiting(lone_api, 1))
    lone_api.connections.ending.set()
    async with asyncio.timeout(5):
        assert await waiting == []


async def an_organizer_again(api: Api) -> Follower:
    return Follower(api, await api.account("another", "organizer"))


async def has_waiting(api: Api, count: int) -> bool:
    return api.connections.feed.waiting == count


async def test_a_client_that_leaves_is_not_waited_for(lone_api: Api) -> None:
    follower = await an_organizer(lone_api)
    await lone_api.event()
    await follower.reads()
    waiting = asyncio.create_task(follower.reads(wait=20))
    await until_async(lambda: has_waiting(lone_api, 1))
    waiting.cancel()  # it closes the connection
    await until_async(lambda: has_waiting(lone_api, 0), within=10)


async def test_a_key_that_is_revoked_while_it_waits_gets_nothing(keyed: Keyed) -> None:
    key = await keyed.key("feed")
    position = (await keyed.http.get(FEED, headers=key)).json()["meta"]["position"]
    query = {"after": position, "wait": 20}
    waiting = asyncio.create_task(keyed.http.get(FEED, params=query, headers=key))
    await until_async(lambda: has_waiting(keyed.api, 1))
    (id,) = await keyed.key_ids()
    await keyed.http.delete(f"/api/keys/{id}", headers=keyed.admin)
    await keyed.event()
    assert problem(await waiting) == (401, "token-invalid")


async def test_nobody_waits_for_an_event_that_there_never_was(lone_api: Api) -> None:
    follower = await an_organizer(lone_api)
    for id in (str(uuid4()), str(follower.account.id)):
        answer = await follower.asks(event_id=id, wait=20)
        assert problem(answer) == (404, "not-found")
