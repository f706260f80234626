"""What an API key reaches: its scopes, its events, and names only with the scope `personal`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args
from uuid import uuid4

import pytest
from litestar import Litestar

from api.app import ROUTES
from api.http.bodies import JsonBody
from api.http.requests import Request
from domain.api_keys import SCOPES, Scope
from runtime.variables import Rate
from tests.api.drawn import drawn
from tests.api.keyed import Bearer, Keyed
from tests.api.serving import EVENT, Api, Serving, problem

pytestmark = pytest.mark.anyio

CALLS = [
    (f"{method.upper()} {path}", operation["security"])
    for path, item in drawn()["paths"].items()
    for method, operation in item.items()
]


def _filled(path: str, **ids: str) -> str:
    path = path.replace("{role}", "organizer").replace("{token}", "token")
    return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], str(uuid4())), path)


async def test_each_operation_needs_the_scope_that_openapi_names(keyed: Keyed) -> None:
    keys = {scope: await keyed.key(scope) for scope in SCOPES}
    for call, security in CALLS:
        method, path = call.split()
        needed = [each["apiKey"][0] for each in security if "apiKey" in each]
        body: Any = {"json": {}} if method in {"POST", "PATCH", "PUT"} else {}
        for scope, key in keys.items():
            answer = await keyed.http.request(method, _filled(path), headers=key, **body)
            assert answer.status_code < 500, (call, scope)
            if not security or scope in needed:
                assert answer.status_code not in {401, 403}, (call, scope)
                continue
            assert problem(answer) == (403, "forbidden"), (call, scope)
            asked = answer.headers.get("WWW-Authenticate", "")
            if needed:
                assert needed[0] in answer.json()["detail"]
                assert asked.endswith(f'error="insufficient_scope", scope="{needed[0]}"')
            else:
                assert answer.json()["detail"].startswith("No API key may do this")


async def test_a_key_restricted_to_events_reaches_nothing_else(keyed: Keyed) -> None:
    ours, other = await keyed.event(), await keyed.event(name="EuroPython")
    visitors = {event: await keyed.visitor(event) for event in (ours, other)}
    key = await keyed.key(*SCOPES, event_ids=[ours])
    kept_by_handlers = set(_calls_of_events())
    for call, security in sorted(CALLS, key=lambda call: call[0].startswith("DELETE")):
        method, path = call.split()
        body: Any = {"json": {}} if method in {"POST", "PATCH", "PUT"} else {}

        async def answer(
            event: str | None, method: str = method, path: str = path, body: Any = body
        ) -> Any:
            ids = {"event_id": event, "visitor_id": visitors[event]} if event else {}
            filled = _filled(path, **ids)
            return await keyed.http.request(method, filled, headers=key, **body)

        if "{event_id}" in path or "{visitor_id}" in path:
            hidden, unknown = await answer(other), await answer(None)
            assert problem(hidden) == problem(unknown) == (404, "not-found"), call
            assert hidden.json().keys() == unknown.json().keys()
            found = await answer(ours)
            assert found.status_code != 404 or "nonce" in found.json()["detail"], call
            visitors[ours] = await _seated(keyed, ours)
        elif any("apiKey" in each for each in security) and call not in kept_by_handlers:
            assert problem(await answer(None)) == (403, "forbidden"), call
            assert "restricted to some events" in (await answer(None)).json()["detail"]


def _calls_of_events() -> Iterator[str]:
    """Calls that keep to the events of a key themselves."""
    app = Litestar(ROUTES, request_class=Request, dto=JsonBody, return_dto=None)
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if handler.opt.get("of_events"):
                yield from (f"{method} {route.path_format}" for method in handler.http_methods)


async def _seated(keyed: Keyed, event: str) -> str:
    """Another visitor: the one before may have been cancelled, and the event deleted."""
    answer = await keyed.api.register(event, f"{uuid4()}@example.com")
    await keyed.settled()
    data: Mapping[str, str] = answer.json().get("data", {"id": str(uuid4())})
    return data["id"]


async def test_the_list_of_a_restricted_key_has_its_events(keyed: Keyed) -> None:
    ours, other = await keyed.event(), await keyed.event(name="EuroPython")
    restricted, free = await keyed.key("events:read", event_ids=[ours]), await keyed.key("feed")

    async def listed(headers: Bearer) -> set[str]:
        answer = await keyed.http.get("/api/events/", headers=headers)
        found = answer.json()
        assert found["pagination"]["total"] == len(found["data"])
        return {event["id"] for event in found["data"]}

    everybody = await keyed.http.get("/api/events/")
    known = {"If-None-Match": everybody.headers["ETag"]}
    assert (await keyed.http.get("/api/events/", headers=known)).status_code == 304
    assert (await keyed.http.get("/api/events/", headers=known | restricted)).status_code == 200
    for _ in range(2):  # then from the cache
        assert await listed({}) == {ours, other}
        assert await listed(restricted) == {ours}
        assert await listed(free) == {ours, other}


async def test_names_are_null_without_the_scope_personal(keyed: Keyed) -> None:
    event = await keyed.event(capacity=1, waiting_list="manual")
    await keyed.visitor(event)
    key = await keyed.key("visitors:read", "visitors:write")
    personal = await keyed.key("visitors:read", "visitors:write", "personal")
    new = {"full_name": "Grace Hopper", "email": "grace@example.com", "join_waiting_list": True}
    of_event = f"/api/events/{event}/visitors"
    added = await keyed.http.post(of_event, json=new, headers=key)
    assert added.status_code == 201
    one = added.headers["Location"]
    await keyed.settled()
    answers = [
        added,
        await keyed.http.patch(one, json={"full_name": "Grace B. Hopper"}, headers=key),
        await keyed.http.get(one, headers=key),
        await keyed.http.get(of_event, headers=key),
        await keyed.http.get(f"/api/events/{event}/waiting-list", headers=key),
        await keyed.http.post(f"{one}/resend", headers=key),
        await keyed.http.post(f"{one}/promote", json={"over_capacity": True}, headers=key),
        await keyed.http.post(f"{one}/cancel", headers=key),
    ]
    for answer in answers:
        assert answer.status_code < 300, answer.text
        data = answer.json()["data"]
        for visitor in data if isinstance(data, list) else [data]:
            assert (visitor["full_name"], visitor["email"], visitor["answers"]) == (None,) * 3
        assert not any(name in answer.text for name in ("Grace", "grace", "Ada", "ada@"))
    await keyed.settled()
    named = await keyed.http.get(one, headers=personal)
    assert named.json()["data"]["full_name"] == "Grace B. Hopper"
    tag = {"If-None-Match": answers[2].headers["ETag"]}
    assert (await keyed.http.get(one, headers=personal | tag)).status_code == 200
    search = f"{of_event}?q=grace"
    refused = await keyed.http.get(search, headers=key)
    assert problem(refused) == (403, "forbidden")
    assert "personal" in refused.json()["detail"]
    assert (await keyed.http.get(search, headers=personal)).status_code == 200


async def test_a_corrected_email_does_not_let_a_key_out_of_its_event(keyed: Keyed) -> None:
    ours, other = await keyed.event(), await keyed.event(name="EuroPython")
    mine, theirs = await keyed.visitor(ours), await keyed.visitor(other)
    key = await keyed.key("visitors:read", "visitors:write", event_ids=[ours])
    body = {"email": "countess@example.com"}
    for visitor, status in ((mine, 200), (theirs, 404)):
        changed = await keyed.http.patch(f"/api/visitors/{visitor}", json=body, headers=key)
        assert changed.status_code == status
        if status == 200:
            moved = changed.json()["data"]
            assert (moved["id"] != mine, moved["event_id"]) == (True, ours)
            one = await keyed.http.post(f"/api/visitors/{moved['id']}/resend", headers=key)
            assert one.status_code == 202


async def test_calls_with_a_key_count_towards_the_key(serving: Serving) -> None:
    limits = {"rate_limit_key": Rate(3, 60), "rate_limit_default": Rate(40, 60)}
    async with serving(write_policy="organizer", rate_limits=True, **limits) as api:
        keyed = Keyed(api, await api.account("root", "admin"))
        one, two = await keyed.key("events:read"), await keyed.key("events:read")

        async def left(headers: Bearer) -> tuple[int, int, int]:
            answer = await api.http.get("/api/events/", headers=headers)
            state = (int(answer.headers[f"X-RateLimit-{n}"]) for n in ("Limit", "Remaining"))
            limit, remaining = state
            return answer.status_code, limit, remaining

        anonymous = await left({})
        assert [await left(one) for _ in range(3)] == [(200, 3, n) for n in (2, 1, 0)]
        refused = await api.http.get("/api/events/", headers=one)
        assert problem(refused) == (429, "rate-limited")
        assert int(refused.headers["Retry-After"]) > 0
        assert await left(two) == (200, 3, 2)
        assert await left({}) == (200, 40, anonymous[2] - 1)
        wrong = {"Authorization": "Bearer evf_wrong"}
        assert await left(wrong) == (401, 40, anonymous[2] - 2)


async def test_probes_ignore_keys(lone_api: Api) -> None:
    wrong = {"Authorization": "Bearer evf_wrong"}
    assert (await lone_api.http.get("/health/live", headers=wrong)).status_code == 200


async def test_an_open_write_policy_gives_a_key_no_scope(api: Api) -> None:
    keyed = Keyed(api, await api.account("root", "admin"))
    key = await keyed.key("events:read")
    answer = await api.http.post("/api/events/", json=EVENT, headers=key)
    assert problem(answer) == (403, "forbidden")


def test_scopes_are_those_of_the_contract() -> None:
    assert get_args(Scope) == SCOPES == (
        "events:read", "events:write", "visitors:read", "visitors:write",
        "personal", "check_in", "feed", "webhooks",
    )  # fmt: skip
