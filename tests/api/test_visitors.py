"""Visitors in the API: listed, added, corrected, cancelled, promoted by organizers."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from psycopg import AsyncConnection

from domain.history.store import last_position
from domain.tickets import read_ticket
from tests.api.organizing import organizer_of, refusal
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


def statuses(listing: httpx.Response) -> list[tuple[str, str, int | None]]:
    return [(v["full_name"], v["status"], v["queue_position"]) for v in listing.json()["data"]]


async def test_a_whole_life(api: Api) -> None:
    """Registered, full, waiting, promoted, cancelled, back again."""
    organizer = await organizer_of(api)
    ada, grace, joan = await organizer.join("ada", "grace", "joan")
    refused = await api.register(organizer.event, "mary@example.com")
    assert refusal(refused) == (409, "event-full")
    assert refused.json()["waiting_list"] is True

    cancelled = await organizer.do(ada, "cancel", reason="asked by phone")
    assert cancelled.status_code == 200
    assert cancelled.json()["data"]["status"] == "cancelled"
    assert (await organizer.read(grace))["status"] == "registered"
    assert (await organizer.read(joan))["queue_position"] == 1

    (again,) = await organizer.join("ada")
    assert again == ada
    line = await organizer.listed("waiting-list")
    assert statuses(line) == [("Joan", "waiting", 1), ("Ada", "waiting", 2)]
    assert (await organizer.do(ada, "promote")).json()["type"] == "/problems/event-full"
    promoted = await organizer.do(ada, "promote", over_capacity=True)
    assert promoted.json()["data"]["status"] == "registered"
    listing = await organizer.listed("visitors")
    assert statuses(listing) == [
        ("Ada", "registered", None),
        ("Joan", "waiting", 1),
        ("Grace", "registered", None),
    ]


async def test_the_answer_to_adding_a_visitor_is_as_specified(api: Api) -> None:
    organizer = await organizer_of(api)
    added = await organizer.add("ada")
    assert added.status_code == 201
    data = added.json()["data"]
    assert data == {
        "id": data["id"],
        "event_id": organizer.event,
        "full_name": "Ada",
        "email": "ada@example.com",
        "status": "registered",
        "queue_position": None,
        "registered_at": data["registered_at"],
        "checked_in_at": None,
        "answers": {},
        "ticket": data["ticket"],
    }
    assert read_ticket(api.connections.keys, data["ticket"])
    assert added.headers["Location"] == f"/api/visitors/{data['id']}"
    read = await organizer.read(data["id"])
    assert read == data
    known = {"If-None-Match": added.headers["ETag"]}
    answer = await organizer.call("GET", added.headers["Location"], headers=known)
    assert answer.status_code == 304


async def test_only_a_registered_visitor_has_a_ticket(api: Api) -> None:
    organizer = await organizer_of(api)
    ada, grace = await organizer.join("ada", "grace")
    first = (await organizer.read(ada))["ticket"]
    assert (await organizer.read(grace))["ticket"] is None
    reissued = await organizer.do(ada, "reissue")
    assert reissued.status_code == 200
    second = reissued.json()["data"]["ticket"]
    assert len({first, second, None}) == 3
    assert (await organizer.read(ada))["ticket"] == second
    assert refusal(await organizer.do(grace, "reissue")) == (409, "not-registered")

    named = await organizer.correct(ada, full_name="Ada King")
    assert named.json()["data"]["ticket"] == second
    cancelled = await organizer.do(ada, "cancel")
    assert cancelled.json()["data"]["ticket"] is None
    assert (await organizer.read(grace))["ticket"] is not None
    assert refusal(await organizer.do(ada, "reissue")) == (409, "not-registered")


async def test_an_organizer_adds_beyond_the_capacity_only_when_asked_to(api: Api) -> None:
    organizer = await organizer_of(api)
    await organizer.join("ada")
    assert refusal(await organizer.add("grace")) == (409, "event-full")
    waiting = await organizer.add("grace", join_waiting_list=True)
    assert waiting.json()["data"]["queue_position"] == 1
    assert (await organizer.add("joan", over_capacity=True)).status_code == 201
    assert refusal(await organizer.add("ada")) == (409, "duplicate-registration")
    assert refusal(await organizer.add("grace")) == (409, "already-waiting")


async def test_cancelling_again_changes_nothing(api: Api) -> None:
    organizer = await organizer_of(api)
    (ada,) = await organizer.join("ada")
    first, second = [await organizer.do(ada, "cancel") for _ in range(2)]
    assert first.json()["data"] == second.json()["data"]
    assert first.headers["ETag"] == second.headers["ETag"]


async def test_a_corrected_name_keeps_the_visitor(
    api: Api, connection: AsyncConnection[Any]
) -> None:
    organizer = await organizer_of(api)
    (ada,) = await organizer.join("ada")
    corrected = await organizer.correct(ada, full_name="Augusta")
    assert corrected.json()["data"]["id"] == ada
    assert corrected.json()["data"]["full_name"] == "Augusta"
    before = await last_position(connection)
    same = await organizer.correct(ada, full_name="Augusta", email="ADA@example.com ")
    assert same.json()["data"] == corrected.json()["data"]
    assert await last_position(connection) == before
    assert (await organizer.correct(ada)).status_code == 200


async def test_a_corrected_email_keeps_the_place_in_line(api: Api) -> None:
    organizer = await organizer_of(api)
    _, grace, joan = await organizer.join("ada", "grace", "joan")
    corrected = await organizer.correct(grace, email="hopper@example.com")
    data = corrected.json()["data"]
    assert (data["full_name"], data["queue_position"]) == ("Grace", 1)
    assert data["id"] != grace
    assert (await organizer.read(grace))["status"] == "cancelled"
    assert (await organizer.read(joan))["queue_position"] == 2
    taken = await organizer.correct(joan, email="ada@example.com")
    assert refusal(taken) == (409, "duplicate-registration")
    assert refusal(await organizer.correct(grace, full_name="G.")) == (409, "not-registered")


async def test_a_correction_of_an_older_version_is_refused(api: Api) -> None:
    organizer = await organizer_of(api)
    (ada,) = await organizer.join("ada")
    seen = (await organizer.correct(ada, full_name="Augusta")).headers["ETag"]
    await organizer.correct(ada, full_name="Ada King")
    late = await organizer.correct(ada, match=seen, full_name="Ada Byron")
    assert refusal(late) == (412, "changed-meanwhile")


@pytest.mark.parametrize("what", ["cancel", "promote", "resend", "reissue"])
async def test_commands_for_an_older_version_of_a_visitor_are_refused(api: Api, what: str) -> None:
    organizer = await organizer_of(api)
    seated, waiting = await organizer.join("ada", "grace")
    one = seated if what == "reissue" else waiting
    seen = (await organizer.correct(one, full_name="Grace Hopper")).headers["ETag"]
    now = (await organizer.correct(one, full_name="Grace")).headers["ETag"]
    path, body = f"/api/visitors/{one}/{what}", {"over_capacity": True}
    more = {"json": body} if what == "promote" else {}
    late = await organizer.call("POST", path, headers={"If-Match": seen}, **more)
    assert refusal(late) == (412, "changed-meanwhile")
    done = await organizer.call("POST", path, headers={"If-Match": now}, **more)
    assert done.is_success


async def test_a_name_and_an_email_corrected_at_once_are_both_kept(api: Api) -> None:
    """Or the second is refused, because the visitor is another one by then."""
    organizer = await organizer_of(api)
    (ada,) = await organizer.join("ada")
    named, moved = await asyncio.gather(
        organizer.correct(ada, full_name="Augusta"),
        organizer.correct(ada, email="king@example.com"),
    )
    assert moved.status_code == 200
    if named.status_code == 200:
        assert moved.json()["data"]["full_name"] == "Augusta"
    else:
        assert refusal(named) == (409, "not-registered")


async def test_the_list_is_filtered_counted_and_read_page_by_page(api: Api) -> None:
    organizer = await organizer_of(api, capacity=3)
    ids = await organizer.join("ada", "grace", "joan", "mary", "edith")
    await organizer.do(ids[3], "cancel")
    waiting = await organizer.listed("visitors", status="waiting")
    assert statuses(waiting) == [("Edith", "waiting", 1)]
    assert waiting.json()["pagination"]["total"] == 1
    found = await organizer.listed("visitors", q="GRA")
    assert [v["full_name"] for v in found.json()["data"]] == ["Grace"]
    none = await organizer.listed("visitors", q="gra", status="waiting")
    assert none.json()["pagination"]["total"] == 0

    names, cursor = list[str](), None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await organizer.listed("visitors", **query)).json()
        names += [v["full_name"] for v in page["data"]]
        assert page["pagination"]["total"] == 5
        if (cursor := page["pagination"]["next_cursor"]) is None:
            break
    assert names == ["Edith", "Mary", "Joan", "Grace", "Ada"]
    by_offset = await organizer.listed("visitors", limit=2, offset=3)
    assert [v["full_name"] for v in by_offset.json()["data"]] == ["Grace", "Ada"]
    bad = await organizer.call("GET", f"/api/events/{organizer.event}/visitors?cursor=x")
    assert refusal(bad) == (422, "validation")


async def test_the_etag_of_a_list_stays_while_places_stay_the_same(api: Api) -> None:
    organizer = await organizer_of(api)
    ada, _, joan = await organizer.join("ada", "grace", "joan")
    assert (await organizer.do(joan, "resend")).status_code == 202
    seen = (await organizer.listed("visitors", status="waiting", q="joan")).headers
    known = {"If-None-Match": seen["ETag"]}
    path = f"/api/events/{organizer.event}/visitors?status=waiting&q=joan"
    assert (await organizer.call("GET", path, headers=known)).status_code == 304
    await organizer.do(ada, "cancel")
    fresh = await organizer.call("GET", path, headers=known)
    assert fresh.status_code == 200
    assert statuses(fresh) == [("Joan", "waiting", 1)]


async def test_an_unknown_visitor_is_not_found(api: Api) -> None:
    organizer = await organizer_of(api)
    unknown = str(uuid4())
    for answer in [
        await organizer.call("GET", f"/api/visitors/{unknown}"),
        await organizer.correct(unknown, full_name="Nobody"),
        await organizer.do(unknown, "cancel"),
        await organizer.do(unknown, "promote"),
        await organizer.do(unknown, "resend"),
        await organizer.do(unknown, "reissue"),
        await organizer.do(organizer.event, "cancel"),
        await organizer.correct(organizer.event, full_name="Nobody"),
        await organizer.call("GET", f"/api/events/{unknown}/visitors"),
        await organizer.call("GET", f"/api/events/{unknown}/waiting-list"),
    ]:
        assert refusal(answer) == (404, "not-found")
    (ada,) = await organizer.join("ada")
    assert refusal(await organizer.do(ada, "promote")) == (409, "not-waiting")
    wrong = await organizer.do(ada, "cancel", reason=7, notify="no", more=1)
    assert [e["field"] for e in wrong.json()["errors"]] == ["reason", "notify", "more"]


async def test_visitors_of_a_deleted_event_stay_in_its_list(api: Api) -> None:
    organizer = await organizer_of(api)
    await organizer.join("ada")
    await organizer.call("DELETE", f"/api/events/{organizer.event}")
    listing = await organizer.listed("visitors")
    assert statuses(listing) == [("Ada", "registered", None)]


async def test_each_seat_is_given_once_when_promotions_race(api: Api) -> None:
    """Two promotions of one visitor, beside cancellations that promote as well."""
    organizer = await organizer_of(api, capacity=2)
    ids = await organizer.join("ada", "grace", "joan", "mary", "edith")
    answers = await asyncio.gather(
        organizer.do(ids[0], "cancel"),
        organizer.do(ids[2], "promote", over_capacity=True),
        organizer.do(ids[2], "promote", over_capacity=True),
        organizer.do(ids[1], "cancel"),
        organizer.do(ids[3], "cancel"),
    )
    assert all(answer.status_code in {200, 409} for answer in answers)
    listing = await organizer.listed("visitors")
    now = {name: status for name, status, _ in statuses(listing)}
    assert {now[name] for name in ("Ada", "Grace", "Mary")} == {"cancelled"}
    assert {now[name] for name in ("Joan", "Edith")} == {"registered"}
