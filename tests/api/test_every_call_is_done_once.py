"""Every call that changes something honours `Idempotency-Key`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from domain.links import manage_token
from tests.api.drawn import drawn
from tests.api.serving import EVENT, PASSWORD, Api, problem

pytestmark = pytest.mark.anyio

CALLS = {
    f"{method.upper()} {path}"
    for path, item in drawn()["paths"].items()
    for method in item
    if method != "get"
}

ENDS_ITS_TOKEN = {"POST /api/auth/logout", "POST /api/auth/password"}
"""Whoever sends these again is not signed in any more."""

URL = "https://example.com/hook"


class Caller:
    """Sends each call twice, under a key of its own."""

    def __init__(self, api: Api, bearer: Mapping[str, str]) -> None:
        self._http = api.http
        self._bearer = bearer
        self.tried = set[str]()

    async def twice(
        self, call: str, body: object = None, *, bearer: Mapping[str, str] | None = None, **ids: str
    ) -> Any:
        """What the first one was answered."""
        method, path = call.split()
        headers = {"Idempotency-Key": str(uuid4()), **(self._bearer if bearer is None else bearer)}
        content: dict[str, Any] = {} if body is None else {"json": body}
        if isinstance(body, str):
            headers["Content-Type"] = "text/csv"
            content = {"content": body}
        answers = list[httpx.Response]()
        for _ in range(2):
            answers.append(
                await self._http.request(method, path.format(**ids), headers=headers, **content)
            )
        first, again = answers
        assert first.status_code < 300, (call, first.text)
        if call in ENDS_ITS_TOKEN:
            assert problem(again) == (401, "token-invalid")
        else:
            assert again.headers.get("Idempotent-Replayed") == "true", call
            assert (again.status_code, again.content) == (first.status_code, first.content), call
            for name in ("Location", "ETag", "Event-Position", "Cache-Control", "Content-Type"):
                assert again.headers.get(name) == first.headers.get(name), (call, name)
        self.tried.add(call)
        return first.json() if first.content else None


async def test_each_call_is_answered_again(api: Api) -> None:
    root = await api.account("root", "admin")
    caller = Caller(api, root.bearer)
    twice = caller.twice

    area = (await twice("POST /api/events/areas", {"name": "Hall"}))["data"]["id"]
    await twice("PATCH /api/events/areas/{area_id}", {"name": "Annex"}, area_id=area)
    await twice("DELETE /api/events/areas/{area_id}", area_id=area)

    waited_for = EVENT | {"capacity": 2, "waiting_list": "manual"}
    event = (await twice("POST /api/events", waited_for))["data"]["id"]
    await twice("PATCH /api/events/{event_id}", {"name": "EuroPython"}, event_id=event)
    await twice("POST /api/events/{event_id}/cancel", {"reason": "Rain"}, event_id=event)
    await twice("POST /api/events/{event_id}/reinstate", event_id=event)

    await twice("POST /api/events/{event_id}/register", person("ada"), event_id=event)
    asked = {"questions": [{"id": "age", "type": "number", "label": "Age?"}]}
    await twice("PUT /api/events/{event_id}/questions", asked, event_id=event)
    grace = await twice("POST /api/events/{event_id}/visitors", person("grace"), event_id=event)
    waits = person("mary") | {"join_waiting_list": True}
    mary = await twice("POST /api/events/{event_id}/visitors", waits, event_id=event)
    file = "full_name,email\r\nJoan,joan@example.com\r\n"
    await twice("POST /api/events/{event_id}/visitors/import", file, event_id=event)
    of_grace = {"visitor_id": grace["data"]["id"]}
    await twice("PATCH /api/visitors/{visitor_id}", {"full_name": "Grace Hopper"}, **of_grace)
    await twice("POST /api/visitors/{visitor_id}/resend", **of_grace)
    await twice("POST /api/visitors/{visitor_id}/reissue", **of_grace)
    scan = {"visitor_id": grace["data"]["id"], "nonce": "nonce-01"}
    await twice("POST /api/events/{event_id}/check-ins", scan, event_id=event)
    scans = {"entries": [scan | {"nonce": "nonce-02"}]}
    await twice("POST /api/events/{event_id}/check-ins/batch", scans, event_id=event)
    await twice("DELETE /api/events/{event_id}/check-ins/{nonce}", event_id=event, nonce="nonce-01")
    await twice("POST /api/visitors/{visitor_id}/cancel", {"reason": "Ill"}, **of_grace)
    await twice("POST /api/visitors/{visitor_id}/promote", visitor_id=mary["data"]["id"])

    by_link = (await api.created_event(confirm_within="PT1H")).json()["data"]["id"]
    eve = (await api.register(by_link, "eve@example.com")).json()["data"]["id"]
    token = manage_token(api.connections.keys, UUID(eve), 1)
    await twice("POST /api/manage/{token}/confirm", token=token, bearer={})
    await twice("POST /api/manage/{token}/cancel", token=token, bearer={})
    await twice("POST /api/visitors/erase", {"email": "ada@example.com"})

    key = {"name": "Shop", "scopes": ["events:read"]}
    key_id = (await twice("POST /api/keys", key))["data"]["id"]
    await twice("POST /api/keys/{key_id}/roll", {"grace_seconds": 60}, key_id=key_id)
    await twice("DELETE /api/keys/{key_id}", key_id=key_id)

    webhook = (await twice("POST /api/webhooks", {"url": URL}))["data"]["id"]
    of_webhook = {"webhook_id": webhook}
    await twice("PATCH /api/webhooks/{webhook_id}", {"types": ["event.closed"]}, **of_webhook)
    await twice("POST /api/webhooks/{webhook_id}/test", **of_webhook)
    await twice("POST /api/webhooks/{webhook_id}/roll", **of_webhook)
    await twice("POST /api/webhooks/{webhook_id}/resend", {"after": 0}, **of_webhook)
    await twice("DELETE /api/webhooks/{webhook_id}", **of_webhook)

    login = {"username": "ada", "password": PASSWORD}
    account = (await twice("POST /api/auth/register", login, bearer={}))["data"]["id"]
    of_role = {"account_id": account, "role": "organizer"}
    await twice("POST /api/accounts/{account_id}/roles/{role}", **of_role)
    await twice("DELETE /api/accounts/{account_id}/roles/{role}", **of_role)
    tokens = (await twice("POST /api/auth/login", login, bearer={}))["data"]
    refresh = {"refresh": tokens["refresh_token"]}
    tokens = (await twice("POST /api/auth/refresh", refresh, bearer={}))["data"]
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    refresh = {"refresh": tokens["refresh_token"]}
    await twice("POST /api/auth/logout", refresh, bearer=bearer)
    tokens = (await twice("POST /api/auth/login", login, bearer={}))["data"]
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    change = {"current": PASSWORD, "password": "another password"}
    await twice("POST /api/auth/password", change, bearer=bearer)
    await twice("POST /api/accounts/{account_id}/disable", account_id=account)
    await twice("POST /api/accounts/{account_id}/enable", account_id=account)
    await twice("POST /api/accounts", {"username": "eve", "roles": ["auditor"]})
    await twice("POST /api/accounts/{account_id}/password-link", account_id=account)
    await twice("DELETE /api/events/{event_id}", event_id=event)

    assert caller.tried == CALLS, "send each call twice here"


def person(name: str) -> dict[str, Any]:
    return {"full_name": name.title(), "email": f"{name}@example.com"}
