"""What the head of a request must be: judged at once, whatever comes after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.api.serving import Api

pytestmark = pytest.mark.anyio

AREAS = "/api/events/areas/"
LIST = "/api/events/list"

PROBLEM = "application/problem+json"
PAGE = "text/html; charset=utf-8"


class Connection:
    """One to the API, on which requests are written as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, *lines: str) -> httpx.Response:
        """The answer to a request of these lines, without a body."""
        self.writer.write("\r\n".join([*lines, "\r\n"]).encode("latin-1"))
        return await self.answer()

    async def answer(self) -> httpx.Response:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *fields = head.strip().split("\r\n")
        parts = (field.partition(": ") for field in fields)
        headers = httpx.Headers([(name, value) for name, _, value in parts])
        content = await self.reader.readexactly(int(headers["Content-Length"]))
        return httpx.Response(int(status.split()[1]), headers=headers, content=content)


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[Connection]:
    url = api.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    yield Connection(reader, writer)
    writer.close()


async def test_a_body_declared_too_large_is_refused_before_any_of_it_is_sent(
    lone_api: Api,
) -> None:
    for call, kind in {
        f"POST {AREAS}": PROBLEM,
        "POST /api/auth/login": PROBLEM,
        "POST /api/auth/logout": PROBLEM,
        f"DELETE {AREAS}": PROBLEM,
        f"GET {LIST}": PROBLEM,
        "POST /nowhere": PROBLEM,
        "POST /admin/sign-in": PAGE,
        "POST /admin/nowhere": PAGE,
    }.items():
        for length in (1024 * 1024 + 1, 2**40):
            async with connected(lone_api) as connection:
                declared = (f"{call} HTTP/1.1", "Host: x", f"Content-Length: {length}")
                answer = await connection.ask(*declared)
            assert (call, answer.status_code) == (call, 413)
            assert answer.headers["Connection"] == "close"
            assert answer.headers["Content-Type"] == kind


async def test_a_client_that_expects_100_continue_gets_the_refusal_instead(lone_api: Api) -> None:
    async with connected(lone_api) as connection:
        expects = ("Content-Length: 2000000", "Expect: 100-continue")
        answer = await connection.ask(f"POST {AREAS} HTTP/1.1", "Host: x", *expects)
    assert answer.status_code == 413


async def test_a_client_that_sends_all_of_a_too_large_body_reads_the_answer_afterwards(
    lone_api: Api,
) -> None:
    length = 20_000_000
    async with connected(lone_api) as connection:
        lines = f"POST {AREAS} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        connection.writer.write(lines.encode() + b" " * length)
        await connection.writer.drain()
        assert (await connection.answer()).status_code == 413
        assert await connection.reader.read() == b""


async def test_an_answer_that_needs_no_body_does_not_wait_for_it(lone_api: Api) -> None:
    for call, status in {
        "POST /nowhere": 404,
        f"PUT {AREAS}": 405,
        f"GET {LIST}": 200,
        "POST /admin/": 405,
    }.items():
        async with connected(lone_api) as connection:
            begun = (f"{call} HTTP/1.1", "Host: x", "Content-Length: 10")
            assert (await connection.ask(*begun)).status_code == status
            connection.writer.write(b"0123456789")  # the connection is good for another request
            assert (await connection.ask(f"GET {LIST} HTTP/1.1", "Host: x")).status_code == 200


async def test_a_request_names_one_host(lone_api: Api) -> None:
    for hosts in [
        [],
        ["Host:"],
        ["Host: x", "Host: x"],
        ["Host: x", "Host: other"],
        ["Host: a b"],
        ["Host: a, b"],
        ["Host: a/b"],
        ["Host: user@a"],
        ["Host: a:x"],
        ["Host: a:1:2"],
        ["Host: [::1"],
        ["Host: ä"],
        ['Host: "a"'],
        ["Host: :80"],
    ]:
        for path, kind in {
            LIST: PROBLEM,
            "/health/live": PROBLEM,
            "/nowhere": PROBLEM,
            "/admin/sign-in": PAGE,
        }.items():
            async with connected(lone_api) as connection:
                answer = await connection.ask(f"GET {path} HTTP/1.1", *hosts)
            assert (hosts, path, answer.status_code) == (hosts, path, 400)
            assert answer.headers["Content-Type"] == kind
            assert "The header Host " in answer.text


async def test_a_host_is_a_name_or_an_address_perhaps_with_a_port(lone_api: Api) -> None:
    for host in ["x", "a.b:80", "A.EXAMPLE.", "127.0.0.1:8000", "[::1]", "[::1]:80", "_a"]:
        async with connected(lone_api) as connection:
            answer = await connection.ask(f"GET {LIST} HTTP/1.1", f"Host: {host}")
        assert (host, answer.status_code) == (host, 200)


async def test_only_http_1_0_needs_no_host_header(lone_api: Api) -> None:
    async with connected(lone_api) as connection:
        assert (await connection.ask(f"GET {LIST} HTTP/1.0")).status_code == 200
    async with connected(lone_api) as connection:
        two = await connection.ask(f"GET {LIST} HTTP/1.0", "Host: x", "Host: y")
    assert two.status_code == 400


async def test_a_header_with_a_single_value_may_not_be_repeated(lone_api: Api) -> None:
    for field in ("Authorization: Bearer x", "Content-Type: text/plain", "Min-Event-Position: 0"):
        name = field.partition(":")[0]
        async with connected(lone_api) as connection:
            answer = await connection.ask(f"GET {LIST} HTTP/1.1", "Host: x", field, field)
        assert answer.status_code == 400
        assert answer.json()["detail"] == f"The header {name} is there more than once"


async def test_a_body_is_sent_without_a_coding(lone_api: Api) -> None:
    for path in (AREAS, "/api/auth/logout", "/admin/sign-in"):
        for coding in ("gzip", "deflate", "zstd", "br", "gzip, gzip", "other"):
            headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
            answer = await lone_api.http.post(path, content=b"\x1f\x8b\x08", headers=headers)
            assert (path, coding, answer.status_code) == (path, coding, 415)
    headers["Content-Encoding"] = "Identity"
    answer = await lone_api.http.post(AREAS, content=b'{"name": "Hall"}', headers=headers)
    assert answer.status_code == 201
