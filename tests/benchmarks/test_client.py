"""The load generator in Python: what it requests, and what it counts."""

from __future__ import annotations

import asyncio
from collections import Counter

import msgspec
import pytest

from benchmarks.client import Asked, Got, ask
from benchmarks.load import rush
from tests.support.http_server import Answer, HttpServer, Request


def asked(server: HttpServer, **more: object) -> Got:
    usual = {"paths": ("/one/register", "/other/register"), "connections": 8}
    wanted = {"origin": server.origin, **usual, **more}
    return asyncio.run(ask(msgspec.convert(wanted, Asked)))


def test_the_number_of_requests_is_exact_and_each_is_for_another_visitor(
    server: HttpServer, bodies: list[bytes]
) -> None:
    got = asked(server, requests=100)

    assert got.statuses == {"201": 100}
    assert len(set(bodies)) == 100


def test_a_path_that_ends_with_an_equals_sign_is_requested_once_only() -> None:
    targets = list[str]()

    def respond(request: Request) -> Answer:
        targets.append(request.target)
        return Answer()

    with HttpServer(respond) as server:
        for _ in range(2):
            asked(server, paths=("/list?page=1&n=",), requests=3)

    assert len(set(targets)) == 6
    assert all(target.startswith("/list?page=1&n=") for target in targets)


def test_duplicates_are_sent_as_often_as_asked_for(server: HttpServer, bodies: list[bytes]) -> None:
    got = asked(server, requests=105, again_every=21)

    assert got.statuses == {"201": 100, "409": 5}
    assert sorted(Counter(bodies).values())[-6:] == [1, 2, 2, 2, 2, 2]


def test_each_registration_has_an_idempotency_key_of_its_own() -> None:
    keys = list[str | None]()

    def respond(request: Request) -> Answer:
        keys.append(request.headers.get("idempotency-key"))
        return Answer(status=201)

    with HttpServer(respond) as server:
        asked(server, requests=5)
        asked(server, requests=5, idempotent=True)

    assert keys[:5] == [None] * 5
    assert len(set(keys[5:])) == 5


def test_at_a_fixed_rate_no_more_is_asked_than_is_due(server: HttpServer) -> None:
    got = asked(server, seconds=0.5, rate=100.0)

    assert 0 < sum(got.statuses.values()) <= 50
    assert got.lost == 0


def test_waiting_behind_a_slow_answer_counts_as_latency() -> None:
    with HttpServer(lambda request: Answer(delay=0.02)) as server:
        got = asked(server, seconds=0.2, rate=100.0, connections=1)

    assert got.p99 > 100  # at one connection the last of twenty waits for all before it


def test_requests_that_run_at_the_end_are_waited_for() -> None:
    served = list[Request]()

    def respond(request: Request) -> Answer:
        served.append(request)
        return Answer(delay=0.0 if len(served) < 3 else 0.3)

    with HttpServer(respond) as server:
        got = asked(server, seconds=0.2, rate=50.0, connections=2)

    assert got.lost == 0
    assert sum(got.statuses.values()) == len(served) > 0


def test_answers_that_never_come_are_lost() -> None:
    with HttpServer(lambda request: Answer(hang_up=True)) as server:
        got = asked(server, requests=8)

    assert got.lost == 8
    assert got.statuses == {}


@pytest.mark.usefixtures("generator")
def test_a_rush_ends_when_all_are_in(server: HttpServer, bodies: list[bytes]) -> None:
    rushed = rush(server.origin, "/one/register", visitors=100, connections=8, again_every=21)

    assert rushed.statuses.keys() == {"201", "409"}
    assert rushed.statuses["201"] == 100
    assert rushed.seconds > 0
    assert len(set(bodies)) == 100
    assert len(bodies) == sum(rushed.statuses.values())


@pytest.mark.usefixtures("generator")
def test_a_rush_ends_even_if_a_registration_fails() -> None:
    statuses = iter([201, 201, 500, *[201] * 7])

    with HttpServer(lambda request: Answer(status=next(statuses))) as server:
        rushed = rush(server.origin, "/one/register", visitors=10, connections=2, again_every=21)

    assert rushed.statuses == {"201": 9, "500": 1}


def test_each_body_is_sent_once_with_the_token() -> None:
    sent = list[tuple[bytes, str | None]]()

    def respond(request: Request) -> Answer:
        sent.append((request.body, request.headers.get("authorization")))
        return Answer(status=201)

    with HttpServer(respond) as server:
        got = asked(server, bodies=("1", "2", "3"), requests=3, token="secret")

    assert got.statuses == {"201": 3}
    assert sorted(sent) == [(body, "Bearer secret") for body in (b"1", b"2", b"3")]
