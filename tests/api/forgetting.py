"""A person to forget, and ways to ask what is left of her."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain.history.store import last_position
from domain.privacy.keys import InstallationKeys
from domain.visitors import Person
from projections.recipient_keys import key_of_address
from tests.api.serving import Account, Api
from tests.support.http_server import Answer as ServiceAnswer

EMAIL = "ada.lovelace@ockham-park.uk"
PERSON = {"full_name": "Augusta Lovelace", "email": "  Ada.Lovelace@Ockham-Park.uk "}
OTHER = {"full_name": "Charles Babbage", "email": "charles@dorset-street.uk"}

TRACES = ("Augusta", "Lovelace", "ockham-park")
NOTHING = {"registrations": 0, "personal_keys": 0, "notifications": 0}


async def register(api: Api, event: str, person: Mapping[str, object] = PERSON) -> httpx.Response:
    answer = await api.http.post(f"/api/events/{event}/register", json=person)
    assert answer.status_code == 201, answer.text
    return answer


async def an_admin(api: Api) -> Account:
    return await api.account("root", "admin")


async def erase(api: Api, admin: Account, email: str = EMAIL) -> httpx.Response:
    answer = await api.http.post("/api/visitors/erase", json={"email": email}, headers=admin.bearer)
    assert answer.status_code == 200, answer.text
    return answer


async def caught_up(connection: AsyncConnection[Any]) -> bool:
    cursor = await connection.execute("SELECT min(position) FROM projections")
    return await cursor.fetchone() == (await last_position(connection),)


async def rows(connection: AsyncConnection[Any], table: str) -> list[dict[str, Any]]:
    """Without the number of tries, which is no history."""
    cursor = await connection.execute(
        SQL("SELECT to_jsonb(t) - 'attempts' FROM {} t ORDER BY id").format(Identifier(table))
    )
    return [row for (row,) in await cursor.fetchall()]


async def tables_with_key(
    connection: AsyncConnection[Any], keys: InstallationKeys, email: str
) -> set[str]:
    """Those from which one can tell that messages went to this address."""
    cursor = await connection.execute(
        """
        SELECT 'outbox' FROM outbox WHERE recipient_key = %(key)s
        UNION SELECT 'recipients' FROM recipients WHERE recipient_key = %(key)s
        """,
        {"key": key_of_address(keys, Person(full_name="", email=email))},
    )
    return {table for (table,) in await cursor.fetchall()}


def echoing(status: int) -> ServiceAnswer:
    body = f'{{"to": "{EMAIL}", "also": "Ada.Lovelace%40Ockham-Park.uk"}}'
    return ServiceAnswer(status=status, body=body.encode())
