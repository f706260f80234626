"""An organizer who manages webhooks."""

from __future__ import annotations

from typing import Any

from httpx import Response

from tests.api.serving import Account, Api

WEBHOOKS = "/api/webhooks"

URL = "https://example.com/hooks"


class Organizer:
    def __init__(self, api: Api, account: Account) -> None:
        self.api, self.account = api, account

    async def call(self, method: str, path: str = "", **more: Any) -> Response:
        return await self.api.http.request(
            method,
            f"{WEBHOOKS}{path}",
            headers=self.account.bearer | more.pop("headers", {}),
            **more,
        )

    async def webhook(self, **fields: Any) -> dict[str, Any]:
        answer = await self.call("POST", json={"url": URL} | fields)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()["data"]
        return created
