"""How often a client may call, and what is said of it."""

from __future__ import annotations

import asyncio
import re
from ipaddress import ip_network

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from structlog.testing import capture_logs

from api.app import ROUTES
from api.http import rate_counter
from api.http.bodies import JsonBody
from api.http.clients import Clients
from api.http.limits import EVERY_CALL, Limits
from api.http.requests import Request
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from runtime.variables import Rate
from tests.api.serving import Serving, problem
from tests.support.waiting import until_async

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("redis_has_time")]

LIST = "/api/events/list"


def standing(answer: httpx.Response) -> list[int]:
    names = ("Limit", "Remaining", "Reset")
    return [int(answer.headers[f"X-RateLimit-{name}"]) for name in names]


async def test_answers_have_the_remaining_calls_until_the_client_must_wait(
    serving: Serving,
) -> None:
    async with serving(rate_limits=True, rate_limit_default=Rate(3, 60)) as api:
        for remaining in (2, 1, 0):
            answer = await api.http.get(LIST)
            assert answer.status_code == 200
            limit, left, reset = standing(answer)
            assert (limit, left) == (3, remaining)
            assert 0 < reset <= 60
        refused = await api.http.get(LIST)
        assert problem(refused) == (429, "rate-limited")
        assert standing(refused)[:2] == [3, 0]
        assert 0 < int(refused.headers["Retry-After"]) <= 60


async def test_the_headers_of_the_draft_standard_name_the_limit(serving: Serving) -> None:
    async with serving(
        rate_limits=True, rate_limit_default=Rate(9, 60), rate_limit_login=Rate(2, 30)
    ) as api:
        answer = await api.http.post("/api/auth/login", json={})
        assert answer.headers["RateLimit-Policy"] == '"login";q=2;w=30'
        assert re.fullmatch(r'"login";r=1;t=(\d\d?)', answer.headers["RateLimit"])
        assert (await api.http.get(LIST)).headers["RateLimit"].startswith('"default";r=7;')


async def test_every_answer_but_a_probes_has_the_remaining_calls(serving: Serving) -> None:
    async with serving(
        rate_limits=True, write_policy="organizer", allowed_hosts=("127.0.0.1",)
    ) as api:
        tag = {"If-None-Match": (await api.http.get(LIST)).headers["ETag"]}
        json = {"Content-Type": "application/json"}
        answers = {
            304: await api.http.get(LIST, headers=tag),
            400: await api.http.get(LIST, headers={"Host": "elsewhere"}),
            401: await api.http.get("/api/accounts"),
            404: await api.http.get("/nowhere"),
            405: await api.http.put(LIST),
            204: await api.http.options(LIST),
            414: await api.http.get("/" + "x" * 40_000),
            422: await api.http.post("/api/auth/login", json={}),
            413: await api.http.post("/api/auth/login", content=b" " * 2_000_000, headers=json),
        }
        for status, answer in answers.items():
            assert answer.status_code == status
            assert "X-RateLimit-Remaining" in answer.headers, status
            assert "RateLimit" in answer.headers, status


async def test_requests_that_lead_to_no_route_are_limited_too(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_default=Rate(2, 60)) as api:
        statuses = [(await api.http.get("/nowhere")).status_code for _ in range(3)]
        assert statuses == [404, 404, 429]


async def test_after_waiting_a_client_may_call_again(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_default=Rate(1, 1)) as api:

        async def is_refused() -> bool:
            return (await api.http.get(LIST)).status_code == 429

        async def is_answered() -> bool:
            return not await is_refused()

        await until_async(is_refused)
        await until_async(is_answered)


async def test_health_checks_have_no_rate_limit(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_default=Rate(1, 60)) as api:
        for _ in range(3):
            answer = await api.http.get("/health/live")
            assert answer.status_code == 200
            assert "X-RateLimit-Limit" not in answer.headers


async def test_clients_behind_a_trusted_proxy_are_counted_apart(serving: Serving) -> None:
    here = (ip_network("127.0.0.1"),)
    async with serving(
        rate_limits=True, rate_limit_default=Rate(1, 60), trusted_proxies=here
    ) as api:
        for client, status in [("1.1.1.1", 200), ("2.2.2.2", 200), ("6.6.6.6, 1.1.1.1", 429)]:
            answer = await api.http.get(LIST, headers={"X-Forwarded-For": client})
            assert (client, answer.status_code) == (client, status)


async def test_a_client_cannot_escape_its_limit_with_a_forwarded_header(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_default=Rate(1, 60)) as api:
        for client, status in [("1.1.1.1", 200), ("2.2.2.2", 429)]:
            answer = await api.http.get(LIST, headers={"X-Forwarded-For": client})
            assert answer.status_code == status


async def test_registrations_are_counted_by_event(serving: Serving) -> None:
    async with serving(
        rate_limits=True, rate_limit_register=Rate(2, 60), write_policy="anyone"
    ) as api:
        first, second = await api.event(), await api.event()
        for n, status in enumerate((201, 201, 429)):
            answer = await api.register(first, f"ada{n}@example.com")
            assert answer.status_code == status
            assert standing(answer)[:2] == [2, max(0, 1 - n)]
        other_spelling = await api.register(first.upper(), "ada@example.com")
        assert problem(other_spelling) == (429, "rate-limited")
        assert (await api.register(second)).status_code == 201


async def test_calls_of_every_class_count(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_default=Rate(2, 60)) as api:
        nowhere = "00000000-0000-0000-0000-000000000000"
        statuses = [(await api.register(nowhere)).status_code for _ in range(3)]
        assert statuses == [404, 404, 429]


async def test_of_many_at_once_exactly_as_many_as_allowed_are_answered(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_default=Rate(40, 60)) as api:
        answers = await asyncio.gather(*(api.http.get(LIST) for _ in range(60)))
        assert sorted(answer.status_code for answer in answers) == [200] * 40 + [429] * 20


async def test_processes_count_together(settings: Settings, serving: Serving) -> None:
    rate = Rate(2, 60)
    async with (
        serving(rate_limits=True, rate_limit_default=rate) as one,
        serving(rate_limits=True, rate_limit_default=rate) as other,
    ):
        statuses = [(await api.http.get(LIST)).status_code for api in (one, other, one, other)]
        assert statuses == [200, 200, 429, 429]


async def test_the_defaults_allow_a_crowd_that_registers_at_once(serving: Serving) -> None:
    async with serving(rate_limits=True, write_policy="anyone") as api:
        event = await api.event()
        answers = await asyncio.gather(
            *(api.register(event, f"visitor{n}@example.com") for n in range(250))
        )
        assert {answer.status_code for answer in answers} == {201}


@pytest.mark.parametrize("url", [None, "redis://127.0.0.1:{port}/0"])
async def test_without_redis_all_requests_are_answered_and_one_warning_is_logged(
    serving: Serving, services: Services, url: str | None
) -> None:
    away = url and url.format(port=free_port())
    alone = Services(database_url=services.database_url, redis_url=away)
    with capture_logs() as logged:
        async with serving(alone, rate_limits=True, rate_limit_default=Rate(1, 60)) as api:
            for _ in range(5):
                answer = await api.http.get(LIST)
                assert answer.status_code == 200
                assert "X-RateLimit-Limit" not in answer.headers
    assert len([line for line in logged if "rate limits are suspended" in line["event"]]) == 1


async def test_a_redis_that_does_not_answer_delays_requests_only_briefly(
    serving: Serving, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_counter, "REDIS_TIMEOUT", 0.1)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    mute = Services(database_url=services.database_url, redis_url=f"redis://127.0.0.1:{port}/0")
    async with silent, serving(mute, rate_limits=True) as api:
        answers = await asyncio.gather(*(api.http.get(LIST, timeout=10) for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}


def test_every_class_that_a_route_declares_has_its_rate(settings: Settings) -> None:
    known = {*Limits(settings, Clients(()), None).classes, None}
    for route in Litestar(ROUTES, request_class=Request, dto=JsonBody, return_dto=None).routes:
        assert isinstance(route, HTTPRoute)
        assert {handler.opt.get("limit", EVERY_CALL) for handler in route.route_handlers} <= known
