"""The connection to the notification service, with faulty servers, on both event loops."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from socket import AF_INET6, socket

import httpx
import pytest

from tests.support.certificates import write_certificate
from tests.support.waiting import until_async
from workers.delivery import http_connection
from workers.delivery.http_connection import (
    MAX_RESPONSE_SIZE,
    Connection,
    Response,
    post_target,
)
from workers.delivery.sender import NotStarted

ON_BOTH_LOOPS = [("asyncio", {"use_uvloop": True}), ("asyncio", {"use_uvloop": False})]

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ON_BOTH_LOOPS, ids=["uvloop", "asyncio"]),
]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSE = None
"""In a script: the server closes the connection."""

Script = Sequence[bytes | None]
"""What a server sends after a request, piece by piece."""


class Server:
    """Answers requests as scripted, one script after the other."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self._scripts = list(scripts)
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = asyncio.Event()
        """Set when a client has closed its connection."""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                for piece in self._scripts.pop(0):
                    if piece is CLOSE:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)  # so that pieces come apart
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    *scripts: Script, host: str = "127.0.0.1", encryption: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Server, int]]:
    server = Server(scripts)
    listening = await asyncio.start_server(server.accept, host, 0, ssl=encryption)
    try:
        yield server, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


@asynccontextmanager
async def connection(
    url: str, encryption: ssl.SSLContext | None = None
) -> AsyncIterator[Connection]:
    client = Connection(
        post_target(httpx.URL(url), {"X-Ours": "1"}, encryption or ssl.create_default_context())
    )
    try:
        yield client
    finally:
        await client.close()


async def post(
    client: Connection,
    key: str,
    body: bytes = b"{}",
    within: float = 10.0,
    may_start: Callable[[], bool] = lambda: True,
) -> Response:
    return await client.post(key, body, within=within, may_start=may_start)


@asynccontextmanager
async def talking(*scripts: Script) -> AsyncIterator[tuple[Server, Connection]]:
    async with (
        serving(*scripts) as (server, port),
        connection(f"http://127.0.0.1:{port}/take?all=1") as client,
    ):
        yield server, client


async def answer(*script: bytes | None) -> Response:
    async with asyncio.timeout(10), talking(script) as (_, client):
        return await post(client, "the-key")


async def test_a_request_is_whole_and_the_connection_is_kept_for_the_next() -> None:
    async with talking([OK], [OK]) as (server, client):
        for body in (b'{"n": 1}', b'{"n": 22}'):
            assert await post(client, "the-key", body) == Response(200, "")
    assert server.connections == 1
    first, second = server.requests
    assert first.startswith(b"POST /take?all=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-Ours: 1\r\n" in first
    assert b"\r\nIdempotency-Key: the-key\r\n" in first
    assert first.endswith(b'\r\nContent-Length: 8\r\n\r\n{"n": 1}')
    assert second.endswith(b'\r\nContent-Length: 9\r\n\r\n{"n": 22}')


async def test_credentials_in_the_url_are_sent() -> None:
    async with (
        serving([OK]) as (server, port),
        connection(f"http://ada:l%40ce@127.0.0.1:{port}/") as client,
    ):
        await post(client, "the-key")
    assert b"\r\nAuthorization: Basic YWRhOmxAY2U=\r\n" in server.requests[0]
    assert b"Host: 127.0.0.1:" in server.requests[0]


CHUNKED = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([OK[i : i + 1] for i in range(len(OK))], Response(200, "")),
        (
            [CHUNKED, b"3;x=y\r\nabc\r", b"\n2\r\nde\r\n0\r\nRetry-After: 9\r\nX: y\r\n\r\n"],
            Response(429, "7", b"abcde"),
        ),
        ([b"HTTP/1.1 204 None\r\n\r\n"], Response(204, "")),
        ([b"HTTP/1.1 503\r\ncontent-length:0\r\nRETRY-AFTER: 3\r\n\r\n"], Response(503, "3")),
        (
            [b"HTTP/1.1 100 Continue\r\nRetry-After: 5\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n", OK],
            Response(200, ""),
        ),
        (
            [b"HTTP/1.1 422 No\r\n\r\nuntil", b" the end", CLOSE],
            Response(422, "", b"until the end"),
        ),
        ([b"HTTP/1.0 200 OK\r\n\r\nold", CLOSE], Response(200, "")),
        (
            [b"HTTP/1.1 503 X\r\nX: a\r\n b\r\n\tc\r\nRetry-After:\r\n 3\r\n", b"\r\n"],
            Response(503, "3"),
        ),
        ([b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"], Response(200)),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok"], Response(200)),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok"],
            Response(200),
        ),
        ([b"HTTP/1.1 202 OK\r\nTransfer-Encoding: gzip\r\n\r\n\x1f\x8b"], Response(202)),
        ([b"HTTP/1.1 205 Reset\r\n\r\n"], Response(205)),
        ([b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n"], Response(304)),
    ],
    ids=[
        "byte by byte",
        "chunked",
        "empty",
        "no reason",
        "interim",
        "until the end",
        "1.0",
        "folded lines",
        "line feeds",
        "identity",
        "identity with a length",
        "another coding",
        "without an end",
        "304",
    ],
)
async def test_every_shape_of_an_answer_is_read(script: Script, expected: Response) -> None:
    assert await answer(*script) == expected


@pytest.mark.parametrize(
    "script",
    [
        [CLOSE],
        [b"HTTP/1.1 20", CLOSE],
        [b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE],
        [b"SSH-2.0-OpenSSH_9.2\r\n"],
        [b"\x15\x03\x01\x00\x02\x02\x16"],
        [b"HTTP/1.1 999999 OK\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"],
        [b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2 * MAX_RESPONSE_SIZE],
        [b"HTTP/1.1 200 OK\r\n", *([b"X: " + b"x" * 1000 + b"\r\n"] * 100)],
        [b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000],
    ],
)
async def test_an_invalid_answer_is_an_error_and_the_next_call_opens_a_new_connection(
    script: Script,
) -> None:
    async with asyncio.timeout(10), talking(script, [OK]) as (server, client):
        with pytest.raises(httpx.TransportError):
            await post(client, "the-key")
        assert (await post(client, "the-key")).status == 200
    assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize(
    "body",
    [
        [b"Content-Length: 9\r\n\r\nok", CLOSE],
        [b"Content-Length: 0\r\n\r\nmore than none"],
        [b"Transfer-Encoding: chunked\r\n\r\n9\r\nab", CLOSE],
        [b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n"],
        [b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n"],
        [b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"],
        [b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * MAX_RESPONSE_SIZE],
        [b"Transfer-Encoding: chunked\r\n\r\n0\r\nno trailer\r\n\r\n"],
        [b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * MAX_RESPONSE_SIZE],
        [b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"],
        [b"Content-Length: 9\r\n\r\nok"],
    ],
)
async def test_a_bad_body_costs_the_connection_and_not_the_answer(body: Script) -> None:
    """Else what was taken would be sent again."""
    script = [b"HTTP/1.1 200 OK\r\n", *body]
    async with asyncio.timeout(10), talking(script, [OK]) as (server, client):
        assert await post(client, "the-first", within=0.5) == Response(200)
        assert await post(client, "the-second") == Response(200)
    assert server.connections == 2


async def test_nothing_is_sent_if_the_call_may_no_longer_start() -> None:
    may_start = iter([True, False, False, True])
    async with talking([OK], [OK]) as (server, client):
        for expected in (True, False, False, True):
            try:
                await post(client, "the-key", may_start=lambda: next(may_start))
            except NotStarted:
                assert not expected
            else:
                assert expected
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_a_request_is_not_sent_again_if_the_call_may_no_longer_start() -> None:
    may_start = iter([True, True, False])
    async with talking([OK], [CLOSE]) as (server, client):
        await post(client, "the-first", may_start=lambda: next(may_start))
        with pytest.raises(NotStarted):
            await post(client, "the-second", may_start=lambda: next(may_start))
    assert len(server.requests) == 2


async def test_an_answer_that_came_while_this_process_was_suspended_is_read() -> None:
    async with talking([OK]) as (server, client):
        call = asyncio.create_task(post(client, "the-key", within=0.5))
        await until_async(lambda: asyncio.sleep(0, server.requests))
        time.sleep(1)  # noqa: ASYNC251 - past the deadline, with the answer unread
        assert (await call).status == 200


async def test_a_result_at_the_moment_of_a_cancellation_is_returned() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()
    waiting = asyncio.create_task(http_connection.wait_until(future, loop.time() + 10))
    await asyncio.sleep(0)
    future.set_result("here")
    waiting.cancel()
    assert await waiting


async def test_an_endless_body_is_not_waited_for() -> None:
    endless = [b"HTTP/1.1 422 No\r\n\r\n", *([b"x" * 10_000] * 1_000)]
    async with asyncio.timeout(10), talking(endless, [OK]) as (server, client):
        response = await post(client, "the-key")
        assert response.status == 422
        assert (await post(client, "the-key")).status == 200
    assert server.connections == 2


@pytest.mark.parametrize(
    "script",
    [
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
        [OK + b"HTTP/1.1 201 Forged\r\nContent-Length: 0\r\n\r\n"],
        [OK + b"H"],
        [OK, b"HTTP/1.1 201 Forged\r\nContent-Length: 0\r\n\r\n"],
        [OK, CLOSE],
    ],
    ids=["asked to close", "two answers", "one and a beginning", "a late second", "closed"],
)
async def test_a_connection_that_may_hold_something_else_is_not_used_again(script: Script) -> None:
    async with asyncio.timeout(10), talking(script, [OK]) as (server, client):
        assert (await post(client, "the-key")).status == 200
        if script[-1] is not CLOSE:
            await server.closed.wait()
        assert (await post(client, "the-key")).status == 200
    assert server.connections == 2


async def test_a_kept_connection_that_closes_during_a_request_does_not_count_as_a_try() -> None:
    async with talking([OK], [CLOSE], [OK]) as (server, client):
        await post(client, "the-first")
        assert (await post(client, "the-second")).status == 200
    assert server.connections == 2
    assert server.requests[1] == server.requests[2]


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_connection, "KEEP_ALIVE", 0.0)
    async with asyncio.timeout(10), talking([OK], [OK]) as (server, client):
        for _ in range(2):
            assert (await post(client, "the-key")).status == 200
        await server.closed.wait()
    assert server.connections == 2


async def test_a_request_is_sent_again_once_and_only_if_nothing_was_answered() -> None:
    async with talking([OK], [CLOSE], [CLOSE]) as (server, client):
        await post(client, "the-first")
        with pytest.raises(httpx.RemoteProtocolError, match="without a response"):
            await post(client, "the-second")
    assert len(server.requests) == 3
    async with talking([OK], [b"HTTP/1.1 200", CLOSE], [OK]) as (server, client):
        await post(client, "the-first")
        with pytest.raises(httpx.RemoteProtocolError, match="the response is incomplete"):
            await post(client, "the-second")
    assert len(server.requests) == 2


async def test_the_answer_to_an_abandoned_call_is_not_read_by_the_next() -> None:
    async with talking([b"HTTP/1.1 422 "], [OK]) as (server, client):
        given_up = asyncio.create_task(post(client, "the-first"))
        await until_async(lambda: asyncio.sleep(0, server.requests))
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert (await post(client, "the-second")).status == 200
    assert server.connections == 2


async def test_without_a_listener_it_cannot_connect() -> None:
    async with serving() as (_, port):
        pass
    for host in (f"127.0.0.1:{port}", "nobody.invalid", f"{'x' * 70}.invalid"):
        async with connection(f"http://{host}/") as client:
            with pytest.raises(httpx.ConnectError):
                await post(client, "the-key")


async def test_it_connects_over_ipv6() -> None:
    try:
        with socket(AF_INET6) as there:
            there.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with (
        serving([OK], host="::1") as (server, port),
        connection(f"http://[::1]:{port}/") as client,
    ):
        assert (await post(client, "the-key")).status == 200
    assert f"Host: [::1]:{port}".encode() in server.requests[0]


async def test_a_server_must_have_a_valid_certificate(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    write_certificate(certificate)
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with serving([OK], [OK], encryption=served) as (server, port):
        async with connection(f"https://localhost:{port}/", trusting) as client:
            assert (await post(client, "the-key")).status == 200
            assert (await post(client, "the-key")).status == 200
        assert server.connections == 1
        for url, trusted in (
            (f"https://localhost:{port}/", None),  # signed by an unknown authority
            (f"https://127.0.0.1:{port}/", trusting),  # the certificate of another host
        ):
            async with connection(url, trusted) as client:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await post(client, "the-key")
    assert len(server.requests) == 2
