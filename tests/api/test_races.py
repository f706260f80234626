"""What holds from two API processes at once: history is asked, not only the answers."""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain import events
from domain.accounts import GrantRole, Role
from domain.application import APPLICATION
from domain.core.aggregate import RecordedEvent
from domain.core.ids import Identity
from domain.core.values import Email
from domain.entries import CheckedIn
from domain.history.decider import Decider
from domain.history.store import connect, read_events
from domain.history.streams import Streams
from domain.privacy.keys import InstallationKeys
from domain.tickets import ticket_hash, ticket_of
from domain.visitors import Registered, Visitor
from runtime.embedded.services import Services
from tests.api.serving import EVENT, OPERATOR, PASSWORD, Account, projector_on

pytestmark = pytest.mark.anyio


async def new_event(client: httpx.AsyncClient) -> str:
    return str((await client.post("/api/events", json=EVENT)).json()["data"]["id"])


async def register(client: httpx.AsyncClient, event: str, email: str) -> int:
    body = {"full_name": "Ada Lovelace", "email": email}
    return (await client.post(f"/api/events/{event}/register", json=body)).status_code


async def new_account(
    client: httpx.AsyncClient,
    services: Services,
    keys: InstallationKeys,
    username: str,
    role: Role,
) -> Account:
    body = {"username": username, "password": PASSWORD}
    answer = (await client.post("/api/auth/register", json=body)).json()
    account = Account(
        id=answer["data"]["id"],
        access_token=answer["meta"]["access_token"],
        refresh_token=answer["meta"]["refresh_token"],
    )
    async with await connect(services.database_url) as connection:
        grant = GrantRole(account_id=UUID(account.id), role=role)
        await Decider(keys, APPLICATION).execute_one(connection, grant, OPERATOR)
    return account


async def history(services: Services) -> list[RecordedEvent]:
    async with await connect(services.database_url) as connection:
        return await read_events(connection, after=0, limit=100_000)


async def test_of_a_hundred_registrations_of_one_person_one_is_accepted(
    two_apis: list[httpx.AsyncClient], services: Services
) -> None:
    event = await new_event(two_apis[0])
    spellings = ("ada@example.com", "ADA@example.com", " ada@EXAMPLE.com ")
    answers = await asyncio.gather(
        *(register(two_apis[n % 2], event, spellings[n % 3]) for n in range(100))
    )
    assert sorted(answers) == [201] + [409] * 99
    registered = [e for e in await history(services) if isinstance(e.event, Registered)]
    assert len(registered) == 1


async def test_of_many_areas_with_one_name_one_is_created(
    two_apis: list[httpx.AsyncClient],
) -> None:
    async def create(n: int) -> int:
        body = {"name": "Great Hall" if n % 3 else "GREAT HALL"}
        return (await two_apis[n % 2].post("/api/events/areas", json=body)).status_code

    answers = await asyncio.gather(*(create(n) for n in range(50)))
    assert sorted(answers) == [201] + [409] * 49


async def test_an_area_is_not_deleted_while_an_event_moves_into_it(
    two_apis: list[httpx.AsyncClient],
) -> None:
    for n in range(10):
        created = await two_apis[0].post("/api/events/areas", json={"name": f"Hall {n}"})
        area = created.json()["data"]["id"]
        deleted, event = await asyncio.gather(
            two_apis[0].delete(f"/api/events/areas/{area}"),
            two_apis[1].post("/api/events", json=EVENT | {"area_id": area}),
        )
        assert (deleted.status_code, event.status_code) in {(204, 422), (409, 201)}


async def test_no_visitor_is_registered_after_the_event_is_closed(
    two_apis: list[httpx.AsyncClient], services: Services
) -> None:
    """Each registration answered with 201 is before the close in history, and none is after it."""
    for _ in range(3):
        await race_a_close(two_apis, services)


async def race_a_close(two_apis: list[httpx.AsyncClient], services: Services) -> None:
    event = await new_event(two_apis[0])
    accepted, numbers, begun = list[int](), count(), asyncio.Event()

    async def keep_registering(client: httpx.AsyncClient) -> None:
        while (number := next(numbers)) < 5_000:
            if await register(client, event, f"visitor-{number}@example.com") != 201:
                return
            accepted.append(number)
            if len(accepted) == 50:
                begun.set()

    async def close() -> None:
        await begun.wait()
        answer = await two_apis[1].patch(f"/api/events/{event}", json={"status": "closed"})
        assert answer.status_code == 200
        assert await register(two_apis[0], event, "late@example.com") == 409

    await asyncio.gather(close(), *(keep_registering(two_apis[n % 2]) for n in range(16)))
    recorded = await history(services)
    (closed_at,) = (
        e.position
        for e in recorded
        if isinstance(e.event, events.Closed) and e.originator_id == UUID(event)
    )
    registered_at = [
        e.position
        for e in recorded
        if isinstance(e.event, Registered) and e.event.event_id == UUID(event)
    ]
    assert len(registered_at) == len(accepted) >= 50
    assert max(registered_at) < closed_at


@pytest.mark.parametrize(("method", "path"), [("DELETE", "roles/admin"), ("POST", "disable")])
async def test_of_two_admins_who_remove_each_other_one_stays(
    two_apis: list[httpx.AsyncClient],
    services: Services,
    keys: InstallationKeys,
    method: str,
    path: str,
) -> None:
    async def give_up(client: httpx.AsyncClient, account: Account, by: Account) -> httpx.Response:
        address = f"/api/accounts/{account.id}/{path}"
        return await client.request(method, address, headers=by.bearer)

    async def is_admin(account: Account) -> bool:
        answer = await two_apis[1].get("/api/accounts/", headers=account.bearer)
        return answer.status_code == 200

    left = await new_account(two_apis[0], services, keys, "ada", "admin")
    for n in range(10):
        other = await new_account(two_apis[0], services, keys, f"admin {n}", "admin")
        answers = await asyncio.gather(
            give_up(two_apis[0], left, by=other), give_up(two_apis[1], other, by=left)
        )
        assert [a.status_code for a in answers].count(204) == 1, [a.text for a in answers]
        (left,) = [account for account in (left, other) if await is_admin(account)]
    alone = await give_up(two_apis[0], left, by=left)
    assert (alone.status_code, alone.json()["type"]) == (409, "/problems/last-admin")


async def test_of_two_scanners_with_each_of_200_tickets_one_lets_in(
    two_apis: list[httpx.AsyncClient], services: Services, keys: InstallationKeys
) -> None:
    organizer = await new_account(two_apis[0], services, keys, "ada", "organizer")
    event = await new_event(two_apis[0])
    body = {"full_name": "Ada Lovelace"}
    at_event = f"/api/events/{event}"
    registered = [
        await two_apis[0].post(f"{at_event}/register", json=body | {"email": f"v{n}@example.com"})
        for n in range(200)
    ]
    ids = [UUID(answer.json()["data"]["id"]) for answer in registered]
    tickets = [ticket_of(keys, UUID(event), id, 1, 0) for id in ids]

    async def scan(scanner: int, place: int) -> int:
        scanned = {"ticket": tickets[place], "nonce": f"{scanner}-nonce-{place}"}
        address, headers = f"{at_event}/check-ins", organizer.bearer
        answer = await two_apis[scanner].post(address, json=scanned, headers=headers)
        return answer.status_code

    for start in range(0, 200, 20):
        places = range(start, start + 20)
        both = [scan(scanner, place) for place in places for scanner in (0, 1)]
        answers = await asyncio.gather(*both)
        pairs = [sorted(answers[at : at + 2]) for at in range(0, len(answers), 2)]
        assert pairs == [[201, 409]] * 20
    recorded = await history(services)
    let_in = [e.originator_id for e in recorded if isinstance(e.event, CheckedIn)]
    assert sorted(let_in) == sorted(ids)


async def test_readers_of_the_doors_list_miss_no_change_that_two_processes_make(
    two_apis: list[httpx.AsyncClient], services: Services, keys: InstallationKeys
) -> None:
    organizer = await new_account(two_apis[0], services, keys, "ada", "organizer")
    event = await new_event(two_apis[0])
    at_event, headers = f"/api/events/{event}", organizer.bearer
    rng, over = Random(16), asyncio.Event()

    async def write(writer: int) -> None:
        client = two_apis[writer % 2]
        for number in range(60):
            email = f"v{rng.randrange(40)}@example.com"
            id = Identity(keys.identity).visitor(UUID(event), Email(email))
            body = {"full_name": f"Name {number}", "email": email}
            scan = {"visitor_id": str(id), "nonce": f"nonce-{writer}-{number}"}
            address, sent = rng.choice(
                [
                    (f"{at_event}/register", body),
                    (f"{at_event}/register", body),
                    (f"{at_event}/check-ins", scan),
                    (f"{at_event}/check-ins/batch", {"entries": [scan]}),
                    (f"/api/visitors/{id}/reissue", {}),
                    (f"/api/visitors/{id}/cancel", {}),
                ]
            )
            answer = await client.post(address, json=sent, headers=headers)
            assert answer.status_code in {200, 201, 404, 409}, answer.text

    async def follow(reader: int, limit: int) -> dict[str, Any]:
        known, position, is_last = dict[str, Any](), 0, False
        while True:
            query = {"after": position, "limit": limit}
            answer = await two_apis[reader].get(f"{at_event}/door", params=query, headers=headers)
            page = answer.json()
            assert page["meta"]["position"] >= position
            position = page["meta"]["position"]
            known |= {entry["visitor_id"]: entry for entry in page["data"]}
            if is_last and not page["meta"]["more"]:
                return known
            is_last = over.is_set() and not page["meta"]["more"]

    async def write_all() -> None:
        await asyncio.gather(*map(write, range(6)))
        end = (await history(services))[-1].position
        caught_up = headers | {"Min-Event-Position": str(end)}
        for client in two_apis:
            assert (await client.get(f"{at_event}/door", headers=caught_up)).status_code == 200
        over.set()

    async with projector_on(services, keys):
        *phones, _ = await asyncio.gather(follow(0, 3), follow(1, 1000), write_all())
        assert over.is_set()
        fresh = await follow(1, 7)
    assert len({entry["status"] for entry in fresh.values()}) > 1
    assert phones == [fresh, fresh]
    async with await connect(services.database_url) as connection:
        loaded = await Streams().load(connection, map(UUID, fresh))
    for id, visitor in loaded.items():
        assert isinstance(visitor, Visitor)
        ticket = ticket_of(keys, UUID(event), id, visitor.episode, visitor.ticket_issue)
        at = visitor.checked_in_at and visitor.checked_in_at.isoformat().replace("+00:00", "Z")
        entry = fresh[str(id)]
        assert (entry["ticket_hash"], entry["status"], entry["checked_in_at"]) == (
            ticket_hash(ticket),
            visitor.status,
            at,
        )
