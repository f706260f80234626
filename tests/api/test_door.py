"""The door's list: exact for a reader who goes on after a position, also while others write."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from domain.tickets import ticket_hash
from tests.api.keyed import Keyed
from tests.api.organizing import Organizer, organizer_of, refusal
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


class Phone:
    """Keeps the list of an event, reading on after the last position."""

    def __init__(self, organizer: Organizer) -> None:
        self.organizer = organizer
        self.position = 0
        self.known: dict[str, dict[str, Any]] = {}

    async def read(self, limit: int = 1000) -> list[dict[str, Any]]:
        """All pages up to now; gives what came, in order."""
        came = list[dict[str, Any]]()
        while True:
            page = await self.organizer.listed("door", after=self.position, limit=limit)
            assert page.headers["Cache-Control"] == "no-store"
            data, meta = page.json()["data"], page.json()["meta"]
            assert len(data) <= limit
            assert meta["position"] >= self.position
            self.position = meta["position"]
            self.known |= {each["visitor_id"]: each for each in data}
            came += data
            if not meta["more"]:
                return came


async def test_the_list_has_all_visitors_and_then_each_change(api: Api) -> None:
    organizer = await organizer_of(api, capacity=2)
    other = await api.created_event(name="EuroPython")
    await api.register(other.json()["data"]["id"], "eve@example.com")
    ada, grace, joan = await organizer.join("ada", "grace", "joan")
    phone = Phone(organizer)
    assert [each["visitor_id"] for each in await phone.read(limit=1)] == [ada, grace, joan]
    ticket = (await organizer.read(ada))["ticket"]
    assert phone.known[ada] == {
        "ticket_hash": ticket_hash(ticket),
        "visitor_id": ada,
        "full_name": "Ada",
        "status": "registered",
        "checked_in_at": None,
    }
    assert phone.known[joan]["status"] == "waiting"
    assert await phone.read() == []

    await organizer.do(ada, "cancel")
    assert {each["visitor_id"]: each["status"] for each in await phone.read()} == {
        ada: "cancelled",
        joan: "registered",
    }
    former = phone.known[grace]["ticket_hash"]
    reissued = (await organizer.do(grace, "reissue")).json()["data"]["ticket"]
    assert [each["ticket_hash"] for each in await phone.read()] == [ticket_hash(reissued)]
    assert ticket_hash(reissued) != former
    await organizer.correct(grace, full_name="Grace Hopper")
    assert [each["full_name"] for each in await phone.read()] == ["Grace Hopper"]

    path = f"/api/events/{organizer.event}/check-ins"
    body = {"visitor_id": grace, "nonce": "nonce-01"}
    entered = await organizer.call("POST", path, json=body)
    assert [each["checked_in_at"] for each in await phone.read()] == [
        entered.json()["data"]["checked_in_at"]
    ]
    await organizer.call("DELETE", f"{path}/nonce-01")
    assert [each["checked_in_at"] for each in await phone.read()] == [None]

    admin = await api.account("root", "admin")
    erased = await api.http.post(
        "/api/visitors/erase", json={"email": "grace@example.com"}, headers=admin.bearer
    )
    organizer.position = int(erased.headers["Event-Position"])
    (gone,) = [each for each in await phone.read() if each["visitor_id"] == grace]
    assert (gone["full_name"], gone["status"]) == (None, "erased")


async def test_a_phone_that_begins_late_gets_each_visitor_once(api: Api) -> None:
    organizer = await organizer_of(api, capacity=None)
    ids = await organizer.join(*(f"v{n}" for n in range(8)))
    path = f"/api/events/{organizer.event}/check-ins"
    entries = [{"visitor_id": id, "nonce": f"nonce-{id}"} for id in ids[:5]]
    await organizer.call("POST", f"{path}/batch", json={"entries": entries})
    await organizer.do(ids[6], "resend")
    for limit in (1, 3, 1000):
        came = await Phone(organizer).read(limit)
        assert [each["visitor_id"] for each in came] == [ids[5], ids[7], *ids[:5], ids[6]]
        assert [each["checked_in_at"] is not None for each in came] == [
            *[False] * 2,
            *[True] * 5,
            False,
        ]


async def test_a_corrected_email_shows_both_visitors(api: Api) -> None:
    organizer = await organizer_of(api)
    (ada,) = await organizer.join("ada")
    phone = Phone(organizer)
    await phone.read()
    path = f"/api/events/{organizer.event}/check-ins"
    await organizer.call("POST", path, json={"visitor_id": ada, "nonce": "nonce-01"})
    king = (await organizer.correct(ada, email="king@example.com")).json()["data"]
    assert king["checked_in_at"] is not None
    came = {each["visitor_id"]: each for each in await phone.read()}
    assert (came[ada]["status"], came[ada]["checked_in_at"]) == ("cancelled", None)
    assert came[king["id"]]["checked_in_at"] == king["checked_in_at"]
    assert came[king["id"]]["ticket_hash"] == ticket_hash(king["ticket"])


async def test_an_unknown_event_has_no_door(api: Api) -> None:
    organizer = await organizer_of(api)
    assert await Phone(organizer).read() == []
    path = f"/api/events/{uuid4()}/door"
    assert refusal(await organizer.call("GET", path)) == (404, "not-found")
    beyond = f"/api/events/{organizer.event}/door?after={2**62}"
    assert refusal(await organizer.call("GET", beyond)) == (409, "not-in-history")
    for query in ("limit=0", "limit=1001", "after=-1", "after=x"):
        answer = await organizer.call("GET", f"/api/events/{organizer.event}/door?{query}")
        assert refusal(answer) == (422, "validation")


async def test_a_key_without_personal_gets_no_names(keyed: Keyed) -> None:
    event, other = await keyed.event(), await keyed.event(name="EuroPython")
    await keyed.visitor(event)
    key = await keyed.key("check_in", event_ids=[event])
    (nameless,) = (await keyed.http.get(f"/api/events/{event}/door", headers=key)).json()["data"]
    assert (nameless["full_name"], nameless["status"]) == (None, "registered")
    assert (await keyed.http.get(f"/api/events/{other}/door", headers=key)).status_code == 404
    named = await keyed.key("check_in", "personal")
    (ada,) = (await keyed.http.get(f"/api/events/{event}/door", headers=named)).json()["data"]
    assert ada["full_name"] == "Ada Lovelace"
