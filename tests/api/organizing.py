"""An organizer of one event, who calls the API."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import httpx
import msgspec

from domain.core.values import Capacity
from domain.details import WaitingList
from tests.api.serving import OPERATOR, Api
from tests.support.installation import an_event


class Organizer(msgspec.Struct):
    """An organizer of one event."""

    api: Api
    headers: dict[str, str]
    event: str
    position: int = 0
    """In history, after the last command."""

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Queries include what all commands before them did."""
        headers = self.headers | more.pop("headers", {})
        if method == "GET":
            headers |= {"Min-Event-Position": str(self.position)}
        answer = await self.api.http.request(method, path, headers=headers, **more)
        self.position = max(self.position, int(answer.headers.get("Event-Position", 0)))
        return answer

    async def do(self, visitor: str, what: str, **body: Any) -> httpx.Response:
        more = {"json": body} if body else {}
        return await self.call("POST", f"/api/visitors/{visitor}/{what}", **more)

    async def add(self, name: str, **body: Any) -> httpx.Response:
        person = {"full_name": name.title(), "email": f"{name}@example.com"}
        return await self.call("POST", f"/api/events/{self.event}/visitors", json=person | body)

    async def correct(self, visitor: str, *, match: str = "", **body: Any) -> httpx.Response:
        headers = {"If-Match": match} if match else {}
        return await self.call("PATCH", f"/api/visitors/{visitor}", json=body, headers=headers)

    async def read(self, visitor: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/api/visitors/{visitor}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    async def listed(self, what: str, **query: Any) -> httpx.Response:
        answer = await self.call("GET", f"/api/events/{self.event}/{what}", params=query)
        assert answer.status_code == 200, answer.text
        return answer

    async def join(self, *names: str) -> list[str]:
        """Visitors register by themselves, or wait; their ids."""
        ids = []
        for name in names:
            body = {
                "full_name": name.title(),
                "email": f"{name}@example.com",
                "join_waiting_list": True,
            }
            answer = await self.call("POST", f"/api/events/{self.event}/register", json=body)
            assert answer.status_code == 201, answer.text
            ids.append(str(answer.json()["data"]["id"]))
        return ids


async def organizer_of(
    api: Api, capacity: int | None = 1, waiting_list: WaitingList = "automatic"
) -> Organizer:
    event = msgspec.structs.replace(
        an_event(),
        capacity=None if capacity is None else Capacity(capacity),
        waiting_list=waiting_list,
    )
    done = await api.connections.writer.execute(event, OPERATOR)
    account = await api.account("organizer", "organizer")
    return Organizer(api, account.bearer, str(done.value.event.id), done.position)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    """Of a CSV file, by column."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(answer.content.decode(), newline=""), strict=True))
