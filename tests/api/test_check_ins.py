"""The door in the API: check-ins with and without a network, and undoing them."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.keyed import Keyed
from tests.api.organizing import Organizer, organizer_of, refusal, rows_of
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

LONG_AGO, LATER = "2026-01-02T08:00:00Z", "2026-01-02T09:00:00Z"


class Door:
    """The door of an event that somebody organizes."""

    def __init__(self, organizer: Organizer) -> None:
        self.organizer = organizer
        self.path = f"/api/events/{organizer.event}/check-ins"

    async def ticket(self, visitor: str) -> str:
        return str((await self.organizer.read(visitor))["ticket"])

    async def scan(self, ticket: str, nonce: str, **more: Any) -> httpx.Response:
        return await self.post({"ticket": ticket, "nonce": nonce} | more)

    async def post(self, body: Any, what: str = "") -> httpx.Response:
        return await self.organizer.call("POST", f"{self.path}{what}", json=body)

    async def upload(self, *entries: Any) -> list[str]:
        answer = await self.post({"entries": entries}, "/batch")
        assert answer.status_code == 200, answer.text
        outcomes = answer.json()["data"]
        assert [each["nonce"] for each in outcomes] == [entry["nonce"] for entry in entries]
        return [each["outcome"] for each in outcomes]

    async def undo(self, nonce: str) -> httpx.Response:
        return await self.organizer.call("DELETE", f"{self.path}/{nonce}")


async def a_door(api: Api, capacity: int | None = None) -> Door:
    return Door(await organizer_of(api, capacity))


async def test_a_whole_evening(api: Api) -> None:
    door = await a_door(api)
    (ada,) = await door.organizer.join("ada")
    ticket = await door.ticket(ada)
    entered = await door.scan(ticket, "nonce-01", gate=" North ")
    assert entered.status_code == 201
    assert entered.headers["Cache-Control"] == "no-store"
    data = entered.json()["data"]
    at = data["checked_in_at"]
    assert data == {"visitor_id": ada, "full_name": "Ada", "checked_in_at": at, "gate": "North"}
    again = await door.scan(ticket, "nonce-01")
    assert (again.status_code, again.json()["data"]) == (200, data)
    assert (await door.organizer.read(ada))["checked_in_at"] == at

    second = await door.scan(ticket.lower(), "nonce-02")
    assert refusal(second) == (409, "already-checked-in")
    assert (second.json()["checked_in_at"], second.json()["gate"]) == (at, "North")

    (listed,) = (await door.organizer.listed("visitors")).json()["data"]
    assert listed["checked_in_at"] == at
    (row,) = rows_of(await door.organizer.listed("visitors.csv"))
    assert row["checked_in_at"] == at

    assert (await door.undo("nonce-01")).status_code == 204
    assert (await door.undo("nonce-01")).status_code == 204
    assert refusal(await door.undo("nonce-02")) == (404, "not-found")
    assert refusal(await door.undo("short")) == (404, "not-found")
    assert refusal(await door.scan(ticket, "nonce-01")) == (409, "check-in-was-undone")
    assert (await door.organizer.read(ada))["checked_in_at"] is None
    assert (await door.post({"visitor_id": ada, "nonce": "nonce-03"})).status_code == 201


async def test_each_refusal_has_its_own_word(api: Api) -> None:
    door = await a_door(api, capacity=1)
    ada, grace = await door.organizer.join("ada", "grace")
    ticket = await door.ticket(ada)
    for forged in ("https://example.com/", "A" * 48, "\x00", "ß" * 48, ""):
        assert refusal(await door.scan(forged, "nonce-01")) == (404, "ticket-invalid")
    other = await api.created_event(name="EuroPython")
    at_other = await api.http.post(
        f"/api/events/{other.json()['data']['id']}/check-ins",
        json={"ticket": ticket, "nonce": "nonce-01"},
        headers=door.organizer.headers,
    )
    assert refusal(at_other) == (404, "ticket-invalid")
    assert at_other.json()["detail"] == "This is a ticket for another event"
    by_name = await door.post({"visitor_id": grace, "nonce": "nonce-01"})
    assert refusal(by_name) == (409, "not-registered")
    unknown = await door.post({"visitor_id": str(uuid4()), "nonce": "nonce-01"})
    assert refusal(unknown) == (404, "not-found")
    await door.organizer.do(ada, "reissue")
    assert refusal(await door.scan(ticket, "nonce-01")) == (409, "ticket-revoked")
    await door.organizer.call("POST", f"/api/events/{door.organizer.event}/cancel")
    at_cancelled = await door.scan(await door.ticket(ada), "nonce-01")
    assert refusal(at_cancelled) == (409, "event-cancelled")
    assert (await door.organizer.read(ada))["checked_in_at"] is None


async def test_a_forged_ticket_needs_no_database(lone_api: Api) -> None:
    """The event is not even looked up."""
    account = await lone_api.account("ada", "organizer")
    answer = await lone_api.http.post(
        f"/api/events/{uuid4()}/check-ins",
        json={"ticket": "A" * 48, "nonce": "nonce-01"},
        headers=account.bearer,
    )
    assert refusal(answer) == (404, "ticket-invalid")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"nonce": "is required"}),
        ({"nonce": "nonce-01"}, {"ticket": "give either ticket or visitor_id"}),
        (
            {"nonce": "nonce-01", "ticket": "x", "visitor_id": str(uuid4())},
            {"ticket": "give either ticket or visitor_id"},
        ),
        (
            {"nonce": "a/b", "ticket": 7, "at": "yesterday", "gate": "x" * 65, "who": 1},
            {"nonce", "ticket", "at", "gate", "who"},
        ),
        ({"nonce": "nonce-01", "ticket": "x" * 8_001}, {"ticket"}),
        ({"nonce": "nonce-01", "ticket": "x", "gate": "a\x00b"}, {"gate"}),
    ],
)
async def test_bad_bodies_are_refused_field_by_field(lone_api: Api, body: Any, wrong: Any) -> None:
    door = await a_door(lone_api)
    answer = await door.post(body)
    assert refusal(answer) == (422, "validation")
    messages = {error["field"]: error["messages"][0] for error in answer.json()["errors"]}
    assert messages == wrong if isinstance(wrong, dict) else set(messages) == wrong


async def test_bad_entries_are_named_by_their_places(lone_api: Api) -> None:
    door = await a_door(lone_api)
    good = {"ticket": "x", "nonce": "nonce-01"}
    bad = [good, {"nonce": "x", "ticket": "x", "who": 1}, 7, {"nonce": "nonce-01"}]
    answer = await door.post({"entries": bad}, "/batch")
    assert refusal(answer) == (422, "validation")
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == ["entries.1.nonce", "entries.1.who", "entries.2"]
    neither = await door.post({"entries": [good, {"nonce": "nonce-01"}]}, "/batch")
    assert [error["field"] for error in neither.json()["errors"]] == ["entries.1.ticket"]
    many = await door.post({"entries": [good] * 501}, "/batch")
    assert refusal(many) == (422, "validation")
    assert await door.upload() == []
    repeated = '{"entries": [{"nonce": "nonce-01", "ticket": "x", "ticket": "y"}]}'
    sent = {"content": repeated, "headers": {"Content-Type": "application/json"}}
    twice = await door.organizer.call("POST", f"{door.path}/batch", **sent)
    assert refusal(twice) == (400, "malformed-body")


async def test_scans_without_a_network_are_recorded_whatever_they_are(api: Api) -> None:
    door = await a_door(api)
    ada, grace = await door.organizer.join("ada", "grace")
    tickets = [await door.ticket(ada), await door.ticket(grace)]
    await door.organizer.do(grace, "cancel")
    await door.organizer.call("POST", f"/api/events/{door.organizer.event}/cancel")
    batch = [
        {"ticket": tickets[0], "nonce": "nonce-01", "at": LATER, "gate": "North"},
        {"ticket": tickets[0], "nonce": "nonce-02", "at": LONG_AGO, "gate": "South"},
        {"ticket": tickets[1], "nonce": "nonce-03", "at": LATER},
        {"ticket": "https://example.com/", "nonce": "nonce-04"},
    ]
    expected = ["entered_again", "entered", "entered_without_seat", "unknown_ticket"]
    assert await door.upload(*batch) == expected
    position = door.organizer.position
    assert await door.upload(*batch) == expected
    assert door.organizer.position == position
    assert (await door.organizer.read(ada))["checked_in_at"] == LONG_AGO
    assert (await door.organizer.read(grace))["checked_in_at"] is None
    feed = await door.organizer.call("GET", "/api/feed?types=check_in.recorded,check_in.repeated")
    items = [(i["type"], i["visitor_id"], i["data"]["nonce"]) for i in feed.json()["data"]]
    assert items == [
        ("check_in.recorded", ada, "nonce-02"),
        ("check_in.recorded", grace, "nonce-03"),
        ("check_in.repeated", ada, "nonce-01"),
    ] or items == [
        ("check_in.recorded", ada, "nonce-02"),
        ("check_in.repeated", ada, "nonce-01"),
        ("check_in.recorded", grace, "nonce-03"),
    ]


async def test_the_largest_batch_is_taken(api: Api) -> None:
    door = await a_door(api)
    ids = await door.organizer.join(*(f"v{n}" for n in range(20)))
    tickets = [await door.ticket(id) for id in ids]
    batch = [{"ticket": tickets[n % 20], "nonce": f"nonce-{n:03}", "at": LATER} for n in range(500)]
    assert len(json.dumps(batch)) > 50_000
    outcomes = await door.upload(*batch)
    assert outcomes == ["entered"] * 20 + ["entered_again"] * 480


async def test_of_two_scans_at_once_one_is_accepted(api: Api) -> None:
    door = await a_door(api)
    (ada,) = await door.organizer.join("ada")
    ticket = await door.ticket(ada)
    answers = await asyncio.gather(*(door.scan(ticket, f"nonce-{n:02}") for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


async def test_of_many_at_once_each_answer_has_its_own_name(api: Api) -> None:
    door = await a_door(api)
    names = [f"person{number}" for number in range(12)]
    visitors = await door.organizer.join(*names)
    scans = [
        door.post({"visitor_id": id, "nonce": f"nonce-{n:02}"}) for n, id in enumerate(visitors)
    ]
    answers = [each.json()["data"] for each in await asyncio.gather(*scans)]
    assert [(each["visitor_id"], each["full_name"]) for each in answers] == [
        (id, name.title()) for id, name in zip(visitors, names, strict=True)
    ]


async def test_a_key_lets_in_only_at_its_events_and_without_names(keyed: Keyed) -> None:
    ours, other = await keyed.event(), await keyed.event(name="EuroPython")
    visitors = {event: await keyed.visitor(event) for event in (ours, other)}
    key = await keyed.key("check_in", event_ids=[ours])
    for event, expected in ((ours, 201), (other, 404)):
        body = {"visitor_id": visitors[event], "nonce": "nonce-01"}
        answer = await keyed.http.post(f"/api/events/{event}/check-ins", json=body, headers=key)
        assert answer.status_code == expected
    body = {"visitor_id": visitors[other], "nonce": "nonce-02"}
    for path, sent in (("", body), ("/batch", {"entries": [body]})):
        answer = await keyed.http.post(
            f"/api/events/{ours}/check-ins{path}", json=sent, headers=key
        )
        if path:
            assert answer.json()["data"] == [{"nonce": "nonce-02", "outcome": "unknown_ticket"}]
        else:
            assert refusal(answer) == (404, "not-found")
    again = {"visitor_id": visitors[ours], "nonce": "nonce-01"}
    nameless = await keyed.http.post(f"/api/events/{ours}/check-ins", json=again, headers=key)
    assert nameless.json()["data"]["full_name"] is None
    personal = await keyed.key("check_in", "personal")
    named = await keyed.http.post(f"/api/events/{ours}/check-ins", json=again, headers=personal)
    assert named.json()["data"]["full_name"] == "Ada Lovelace"
    undone = await keyed.http.delete(f"/api/events/{other}/check-ins/nonce-01", headers=key)
    assert undone.status_code == 404
    undone = await keyed.http.delete(f"/api/events/{ours}/check-ins/nonce-01", headers=key)
    assert undone.status_code == 204


async def test_a_name_at_the_door_is_gone_after_an_erasure(api: Api) -> None:
    door = await a_door(api)
    (ada,) = await door.organizer.join("ada")
    entered = {"ticket": await door.ticket(ada), "nonce": "nonce-01"}
    keyed = {"Idempotency-Key": "k"}
    first = await door.organizer.call("POST", door.path, json=entered, headers=keyed)
    assert first.json()["data"]["full_name"] == "Ada"
    admin = await api.account("root", "admin")
    erased = await api.http.post(
        "/api/visitors/erase", json={"email": "ada@example.com"}, headers=admin.bearer
    )
    assert erased.status_code == 200
    again = await door.organizer.call("POST", door.path, json=entered, headers=keyed)
    assert (again.status_code, again.json()["data"]["full_name"]) == (200, None)
    assert (await door.undo("nonce-01")).status_code == 204
