"""A direct call gets the same response as the same call through Litestar."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from litestar.types import HTTPScope, Receive, Send

from tests.api.serving import Api

pytestmark = pytest.mark.anyio

DIRECT, THROUGH_LITESTAR = "/api/events/{}/register", "/api/events/{}/register/"

JSON = {"Content-Type": "application/json"}

BODY = b'{"full_name": "Ada Lovelace", "email": "%d@example.com"}'

CALLS: dict[str, dict[str, Any]] = {
    "valid": {"content": BODY, "headers": JSON},
    "in German": {"content": BODY, "headers": {**JSON, "Accept-Language": "de"}},
    "with a key": {"content": BODY, "headers": {**JSON, "Idempotency-Key": "key-%d"}},
    "no JSON": {"content": b"{", "headers": JSON},
    "no body": {"headers": JSON},
    "another type": {"content": BODY, "headers": {"Content-Type": "text/plain"}},
    "invalid fields": {"content": b'{"full_name": "", "email": "a", "x": 1}', "headers": JSON},
    "an unknown parameter": {"content": BODY, "headers": JSON, "params": {"x": "1"}},
    "too large": {"content": b" " * 1_100_000, "headers": JSON},
    "a wrong key": {"content": BODY, "headers": {**JSON, "Authorization": "Bearer ef_live_x"}},
}


@pytest.mark.parametrize("name", CALLS)
async def test_it_gets_the_same_response(api: Api, name: str) -> None:
    event = await api.event()
    direct = await _call(api, DIRECT.format(event), name, 1)
    usual = await _call(api, THROUGH_LITESTAR.format(event), name, 2)
    assert _seen(direct) == _seen(usual)


async def test_it_does_not_go_through_litestar(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    event, taken = await api.event(), list[str]()
    usual = Litestar.__call__

    async def watched(app: Litestar, scope: HTTPScope, receive: Receive, send: Send) -> None:
        taken.append(scope["path"])
        await usual(app, scope, receive, send)

    monkeypatch.setattr(Litestar, "__call__", watched)
    direct, through_litestar = DIRECT.format(event), THROUGH_LITESTAR.format(event)
    for number, path in enumerate((direct, through_litestar)):
        assert (await _call(api, path, "valid", number)).status_code == 201
    assert taken == [through_litestar]


async def test_unknown_events_and_duplicates_get_the_same_response(api: Api) -> None:
    event, nowhere = await api.event(), uuid4()
    await api.register(event, "1@example.com")
    for path in (event, nowhere):
        direct = await _call(api, DIRECT.format(path), "valid", 1)
        usual = await _call(api, THROUGH_LITESTAR.format(path), "valid", 1)
        assert _seen(direct) == _seen(usual)


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "DELETE"])
async def test_other_methods_go_through_litestar(api: Api, method: str) -> None:
    answer = await api.http.request(method, DIRECT.format(await api.event()))
    assert answer.headers["Allow"] == "OPTIONS, POST"


async def test_ids_in_another_spelling_go_through_litestar(api: Api) -> None:
    event = await api.event()
    answer = await _call(api, DIRECT.format(event.upper()), "valid", 1)
    assert answer.status_code == 201


async def _call(api: Api, path: str, name: str, number: int) -> httpx.Response:
    """The numbers keep two calls apart that would otherwise be one."""
    call = CALLS[name]
    headers = httpx.Headers(call["headers"])
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] %= number
    content = call.get("content", b"")
    content = content % number if content is BODY else content
    return await api.http.post(path, content=content, headers=headers, params=call.get("params"))


def _seen(answer: httpx.Response) -> tuple[object, ...]:
    """What is the same in responses to the same call."""
    body = answer.json()
    return (
        answer.status_code,
        sorted(answer.headers),
        answer.headers["Content-Type"],
        sorted(body),
        body.get("type"),
        body.get("detail"),
        body.get("errors"),
        body.get("meta"),
    )
