"""Guessing passwords gets slower and slower, for the client that guesses."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from ipaddress import ip_network

import httpx
import pytest
from redis.asyncio import Redis

from api.http.login_throttle import FORGET_AFTER, FREE_FAILURES, MAX_WAIT, LoginThrottle
from api.http.rate_counter import RateCounter
from runtime.variables import Rate
from tests.api.serving import Serving, problem
from tests.support.waiting import until_async

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("redis_has_time")]

HERE, ELSEWHERE = "1.1.1.1", "2.2.2.2"

A_MOMENT = 0.1
"""Seconds that the clocks of Redis and of the test may differ in."""


async def fail(throttle: LoginThrottle, times: int, *, name: str = "ada") -> None:
    for _ in range(times):
        await throttle.failed(name, HERE)


async def test_a_few_wrong_passwords_cost_nothing(throttle: LoginThrottle) -> None:
    await fail(throttle, FREE_FAILURES - 1)
    assert await throttle.begin("ada", HERE) == 0


async def test_each_further_failure_doubles_the_wait_up_to_a_limit(throttle: LoginThrottle) -> None:
    await fail(throttle, FREE_FAILURES - 1)
    for longest in (1, 2, 4, 8, 16, MAX_WAIT, MAX_WAIT):
        before = time.monotonic()
        await fail(throttle, 1)
        wait = await throttle.begin("ada", HERE)
        passed = time.monotonic() - before
        assert longest - passed - A_MOMENT <= wait <= longest


async def test_the_owner_elsewhere_does_not_wait(throttle: LoginThrottle) -> None:
    await fail(throttle, 20)
    assert await throttle.begin("ada", ELSEWHERE) == 0
    assert await throttle.begin("grace", HERE) == 0


@pytest.mark.parametrize("name", ["ADA", "Ada", "\uff41da"])  # the last begins in full width
async def test_another_spelling_of_the_name_is_the_same_name(
    throttle: LoginThrottle, name: str
) -> None:
    await fail(throttle, FREE_FAILURES + 4)
    assert await throttle.begin(name, HERE) > 0


async def test_after_the_wait_one_attempt_is_allowed_not_many_at_once(
    throttle: LoginThrottle, redis: Redis
) -> None:
    await fail(throttle, FREE_FAILURES + 4)
    (key,) = await redis.keys()
    await redis.hset(key, "next", "0")  # as if the time were over
    waits = await asyncio.gather(*(throttle.begin("ada", HERE) for _ in range(10)))
    assert [wait == 0 for wait in waits].count(True) == 1


async def test_the_right_password_clears_all_failures(throttle: LoginThrottle) -> None:
    await fail(throttle, FREE_FAILURES + 4)
    await throttle.succeeded("ada", HERE)
    assert await throttle.begin("ada", HERE) == 0


async def test_failures_are_forgotten_and_never_name_anyone(
    throttle: LoginThrottle, redis: Redis
) -> None:
    await fail(throttle, 1, name="my-password-by-mistake")
    (key,) = await redis.keys()
    assert b"password" not in key
    assert 0 < await redis.ttl(key) <= FORGET_AFTER


async def test_a_login_waits_longer_and_longer_but_its_owner_gets_in_from_elsewhere(
    serving: Serving,
) -> None:
    limited = serving(
        rate_limits=True,
        rate_limit_login=Rate(100, 60),
        trusted_proxies=(ip_network("127.0.0.1"),),
    )
    right = {"username": "ada", "password": "the right one"}
    wrong = right | {"password": "a wrong one"}
    async with limited as api:

        async def login(body: dict[str, str], address: str) -> httpx.Response:
            headers = {"X-Forwarded-For": address}
            return await api.http.post("/api/auth/login", json=body, headers=headers)

        async def is_refused(body: dict[str, str]) -> bool:
            answer = await login(body, HERE)
            return answer.status_code == 429 and problem(answer)[1] == "rate-limited"

        assert (await api.http.post("/api/auth/register", json=right)).status_code == 201

        for body in (wrong, wrong | {"username": "nobody"}):
            for _ in range(FREE_FAILURES):
                assert problem(await login(body, HERE)) == (401, "invalid-credentials")
            await until_async(partial(is_refused, body))
        assert (await login(right, ELSEWHERE)).status_code == 200

        async def the_owner_gets_in_here_too() -> bool:
            return (await login(right, HERE)).status_code == 200

        await until_async(the_owner_gets_in_here_too)


async def test_without_redis_logins_are_not_slowed_down() -> None:
    throttle = LoginThrottle(RateCounter(None))
    await fail(throttle, 20)
    assert await throttle.begin("ada", HERE) == 0
