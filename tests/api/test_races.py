"""What holds from two API processes at once: history is asked, not only the answers."""

from __future__ import annotations

import asyncio
from itertools import count
from uuid import UUID

import httpx
import pytest

from domain import events
from domain.accounts import GrantRole
from domain.application import APPLICATION
from domain.core.aggregate import RecordedEvent
from domain.history.decider import Decider
from domain.history.store import connect, read_events
from domain.privacy.keys import InstallationKeys
from domain.visitors import Registered
from runtime.embedded.services import Services
from tests.api.serving import EVENT, OPERATOR, PASSWORD, Account

pytestmark = pytest.mark.anyio


async def new_event(client: httpx.AsyncClient) -> str:
    return str((await client.post("/api/events", json=EVENT)).json()["data"]["id"])


async def register(client: httpx.AsyncClient, event: str, email: str) -> int:
    body = {"full_name": "Ada Lovelace", "email": email}
    return (await client.post(f"/api/events/{event}/register", json=body)).status_code


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
    async def new_admin(username: str) -> Account:
        body = {"username": username, "password": PASSWORD}
        answer = (await two_apis[0].post("/api/auth/register", json=body)).json()
        account = Account(
            id=answer["data"]["id"],
            access_token=answer["meta"]["access_token"],
            refresh_token=answer["meta"]["refresh_token"],
        )
        async with await connect(services.database_url) as connection:
            grant = GrantRole(account_id=UUID(account.id), role="admin")
            await Decider(keys, APPLICATION).execute_one(connection, grant, OPERATOR)
        return account

    async def give_up(client: httpx.AsyncClient, account: Account, by: Account) -> httpx.Response:
        address = f"/api/accounts/{account.id}/{path}"
        return await client.request(method, address, headers=by.bearer)

    async def is_admin(account: Account) -> bool:
        answer = await two_apis[1].get("/api/accounts/", headers=account.bearer)
        return answer.status_code == 200

    left = await new_admin("ada")
    for n in range(10):
        other = await new_admin(f"admin {n}")
        answers = await asyncio.gather(
            give_up(two_apis[0], left, by=other), give_up(two_apis[1], other, by=left)
        )
        assert [a.status_code for a in answers].count(204) == 1, [a.text for a in answers]
        (left,) = [account for account in (left, other) if await is_admin(account)]
    alone = await give_up(two_apis[0], left, by=left)
    assert (alone.status_code, alone.json()["type"]) == (409, "/problems/last-admin")
