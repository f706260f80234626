"""A connection to one HTTP/1.1 service: one POST at a time, and kept for the next one.

llhttp reads the answers; what is left to do here is to connect, and to tell whether what came is
an answer to what was asked, and whether the connection can be used again. Nothing is sent before
the answer to what went before was read.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Mapping
from socket import SOCK_STREAM
from typing import cast

import aiohappyeyeballs
import httptools
import httpx
import msgspec

LARGEST_ANSWER = 64 * 1024
"""Bytes; of a body that goes on after them this much is enough."""

KEPT_FOR = 5.0
"""Seconds without a request after which a connection is not trusted to be there any more: a
firewall in between may have forgotten it, and tells nobody."""

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds that one address of the service has before the next is tried beside it."""


class Response(msgspec.Struct, frozen=True):
    status: int
    retry_after: str
    body: bytes
    """All of it, or at least its first `LARGEST_ANSWER` bytes, head and framing included."""


class Target(msgspec.Struct, frozen=True):
    """Where requests go, and what is the same in all of them."""

    host: str
    port: int
    encryption: ssl.SSLContext | None
    head: bytes
    """The request line and the headers, but for those of the one request."""


def target(url: httpx.URL, headers: Mapping[str, str], encryption: ssl.SSLContext) -> Target:
    """POSTs to `url`, with these headers besides its own. Names and values are trusted."""
    fields = {"Host": url.netloc.decode("ascii"), **headers}
    if url.userinfo:
        credentials = f"{url.username}:{url.password}".encode()
        fields["Authorization"] = f"Basic {b64encode(credentials).decode('ascii')}"
    lines = [f"POST {url.raw_path.decode('ascii')} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    secure = url.scheme == "https"
    return Target(
        host=url.raw_host.decode("ascii"),
        port=url.port or (443 if secure else 80),
        encryption=encryption if secure else None,
        head="".join(f"{line}\r\n" for line in lines).encode("ascii"),
    )


class Connection:
    """Connects when it has to."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._wire: _Wire | None = None

    async def post(self, key: str, body: bytes) -> Response:
        """The final answer. Raises `httpx.TransportError`; when this is cancelled, the connection
        is cut.

        A kept connection that ends before anything was answered on it was most likely closed
        while nobody used it: once, the request is sent again on a new one. `key`, its
        `Idempotency-Key`, makes that safe.
        """
        request = b"%bIdempotency-Key: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            self._target.head,
            key.encode("ascii"),
            len(body),
            body,
        )
        if self._wire is not None and self._wire.is_usable:
            try:
                return await self._wire.exchange(request)
            except _ClosedUnanswered:
                pass
        await self.close()
        self._wire = await _connected(self._target)
        return await self._wire.exchange(request)

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.cut()


class _ClosedUnanswered(httpx.RemoteProtocolError):
    def __init__(self) -> None:
        super().__init__("Server disconnected without sending a response.")


async def _connected(target: Target) -> _Wire:
    loop = asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(target.host, target.port, type=SOCK_STREAM)
        socket = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY, interleave=1
        )
        _, wire = await loop.create_connection(
            _Wire,
            sock=socket,
            ssl=target.encryption,
            server_hostname=target.host if target.encryption else None,
        )
    except (OSError, UnicodeError) as error:  # a name that cannot be one is the latter
        raise httpx.ConnectError(str(error)) from error
    return wire


class _Wire(asyncio.Protocol):
    """The bytes of one connection, from its beginning to its end."""

    def __init__(self) -> None:
        self._answer: _Answer | None = None
        self._used_at = 0.0

    @property
    def is_usable(self) -> bool:
        idle_for = asyncio.get_running_loop().time() - self._used_at
        return idle_for < KEPT_FOR and not self._transport.is_closing()

    def cut(self) -> None:
        self._transport.abort()

    async def exchange(self, request: bytes) -> Response:
        self._answer = answer = _Answer()
        self._transport.write(request)
        try:
            return await answer.response
        finally:
            self._answer = None
            self._used_at = asyncio.get_running_loop().time()
            if not answer.keeps_connection:
                self.cut()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.cut()  # nobody has asked: it would pass for the answer to the next request
        else:
            self._answer.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None:
            self._answer.end(error)


class _Answer:
    """One answer as it comes in; llhttp calls what begins with `on_`."""

    def __init__(self) -> None:
        self.response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.keeps_connection = False
        self._parser = httptools.HttpResponseParser(self)
        self._received = 0
        self._begin_head()

    def _begin_head(self) -> None:
        self._status = 0
        """0 as long as the head is not complete."""
        self._ends_with_connection = True
        self._retry_after = ""
        self._body = b""

    def feed(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(httpx.RemoteProtocolError("it changes to another protocol, unasked"))
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(str(error)))
        if self._received > LARGEST_ANSWER:
            if self._is_final:
                self._conclude()
            else:
                self._fail(httpx.RemoteProtocolError("the head of the answer is too large"))

    def end(self, error: Exception | None) -> None:
        """The connection is gone."""
        if not self._received:
            self._fail(_ClosedUnanswered())
        elif error is not None:
            self._fail(httpx.ReadError(str(error)))
        elif self._is_final and self._ends_with_connection:
            self._conclude()
        else:
            self._fail(httpx.RemoteProtocolError("the answer broke off"))

    def on_message_begin(self) -> None:
        if self.response.done():
            self.keeps_connection = False  # more than was asked for
        else:
            self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._status:
            return  # a trailer
        match name.lower():
            case b"content-length" | b"transfer-encoding":
                self._ends_with_connection = False
            case b"retry-after":
                self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        if self._is_final and not self.response.done():
            self.keeps_connection = self._parser.should_keep_alive()
            self._conclude()

    @property
    def _is_final(self) -> bool:
        """Whether the head is here, and not that of an interim answer, as 100 Continue."""
        return self._status >= 200

    def _conclude(self) -> None:
        if not self.response.done():
            self.response.set_result(Response(self._status, self._retry_after, self._body))

    def _fail(self, error: httpx.TransportError) -> None:
        self.keeps_connection = False
        if not self.response.done():
            self.response.set_exception(error)
