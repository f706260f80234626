"""An API with an admin, who makes API keys for other systems."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx

from tests.api.serving import EVENT, Account, Api

Bearer = dict[str, str]


def bearer(key: str) -> Bearer:
    return {"Authorization": f"Bearer {key}"}


class Keyed:
    def __init__(self, api: Api, admin: Account) -> None:
        self.api = api
        self.http = api.http
        self.admin = admin.bearer

    async def created(self, *scopes: str, **fields: Any) -> httpx.Response:
        body = {"name": "Ticket shop", "scopes": list(scopes)} | fields
        return await self.http.post("/api/keys/", json=body, headers=self.admin)

    async def key(self, *scopes: str, **fields: Any) -> Bearer:
        answer = await self.created(*scopes, **fields)
        assert answer.status_code == 201, answer.text
        return bearer(answer.json()["data"]["key"])

    async def event(self, **fields: Any) -> str:
        answer = await self.http.post("/api/events/", json=EVENT | fields, headers=self.admin)
        assert answer.status_code == 201, answer.text
        await self.settled()
        return str(answer.json()["data"]["id"])

    async def visitor(self, event: str, email: str = "ada@example.com") -> str:
        answer = await self.api.register(event, email)
        assert answer.status_code == 201, answer.text
        await self.settled()
        return str(answer.json()["data"]["id"])

    async def settled(self) -> None:
        await self.api.settled("events", "visitors")

    async def key_ids(self) -> list[UUID]:
        listed = (await self.http.get("/api/keys/", headers=self.admin)).json()["data"]
        return [UUID(key["id"]) for key in listed]
