"""An organizer who manages webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from httpx import Response

from tests.api.serving import Account, Api

WEBHOOKS = "/api/webhooks"

IN_A_YEAR = (datetime.now(UTC) + timedelta(days=365)).isoformat()

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

    async def event(self) -> str:
        """The id of a new event."""
        fields = {"name": "Fair", "event_datetime": IN_A_YEAR, "registration_deadline": IN_A_YEAR}
        answer = await self.api.http.post("/api/events/", json=fields, headers=self.account.bearer)
        id: str = answer.json()["data"]["id"]
        return id

    async def webhook(self, **fields: Any) -> dict[str, Any]:
        answer = await self.call("POST", json={"url": URL} | fields)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()["data"]
        return created
