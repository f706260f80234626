"""A connection to one HTTP/1.1 service: one POST at a time, kept for the next one.

llhttp parses the responses. This module connects, decides whether received bytes are the response
to the request, and whether the connection can be reused. A request is sent only after the previous
response was read.

The head of a response decides the outcome of the request. Its body is read only so that the
connection can be reused: a faulty body costs the connection, never the response.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from socket import SOCK_STREAM
from typing import TypeVar, cast

import aiohappyeyeballs
import httptools
import httpx
import msgspec

from workers.delivery.sender import NotStarted

FIRST_FINAL_STATUS = 200
"""Lower statuses are interim responses, such as 100 Continue."""

FIRST_ERROR_STATUS = 400

MAX_KEPT_BODY = 2_000
"""Bytes."""

MAX_RESPONSE_SIZE = 64 * 1024
"""Bytes. A larger head is an error; a larger body is not read to its end."""

KEEP_ALIVE = 5.0
"""Seconds without a request, after which a connection is not reused: a firewall may have dropped it
without notice."""

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds to wait for one address of the service before the next is tried in parallel."""

FINAL_READ_TIME = 0.1
"""Seconds, after a deadline or a close, to read bytes that have already arrived."""

T = TypeVar("T")

Addresses = Sequence[aiohappyeyeballs.AddrInfoType]
"""As of `socket.getaddrinfo`."""

Resolve = Callable[[str, int], Awaitable[Addresses]]
"""The addresses of a host and port. Raises `OSError`."""


class Response(msgspec.Struct, frozen=True):
    status: int
    retry_after: str = ""
    body: bytes = b""
    """The beginning of it, if the status is an error."""


class Target(msgspec.Struct, frozen=True):
    """The address of all requests, and their common head."""

    host: str
    port: int
    encryption: ssl.SSLContext | None
    head: bytes
    """The request line and the headers that all requests share."""
    resolve: Resolve
    """Finds the addresses to connect to."""


async def any_address(host: str, port: int) -> Addresses:
    """All addresses of the host."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)


def post_target(
    url: httpx.URL,
    headers: Mapping[str, str],
    encryption: ssl.SSLContext,
    resolve: Resolve = any_address,
) -> Target:
    """The target of POST requests to `url`, with additional headers. They are not validated."""
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
        resolve=resolve,
    )


class Connection:
    """Connects when needed."""

    def __init__(self, post_target: Target) -> None:
        self._target = post_target
        self._wire: _Protocol | None = None

    async def post(
        self,
        key: str,
        body: bytes,
        *,
        within: float,
        may_start: Callable[[], bool],
        headers: bytes = b"",
    ) -> Response:
        """The final response. Raises `httpx.TransportError`, or `TimeoutError` when it does not
        arrive `within` this number of seconds. Cancelling this call closes the connection.

        `may_start` is called right before the request is sent, after connecting. Raises
        `NotStarted` if it returns False.

        A kept connection that ends without any response was most likely closed while it was idle:
        then the request is sent once more, on a new connection. `key`, the `Idempotency-Key`, makes
        that safe. `headers` are those of this request alone, as complete lines.
        """
        deadline = asyncio.get_running_loop().time() + within
        request = b"%bIdempotency-Key: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (
            self._target.head,
            key.encode("ascii"),
            headers,
            len(body),
            body,
        )
        if self._wire is not None and self._wire.is_usable:
            try:
                return await self._wire.exchange(request, deadline, may_start)
            except _ClosedWithoutResponse:
                pass
        await self.close()
        async with asyncio.timeout_at(deadline):
            self._wire = await _connected(self._target)
        return await self._wire.exchange(request, deadline, may_start)

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.cut()


class InvalidResponse(httpx.RemoteProtocolError):
    """The received bytes are not an HTTP response. The message contains none of them."""


class _ClosedWithoutResponse(InvalidResponse):
    def __init__(self) -> None:
        super().__init__("the connection was closed without a response")


async def _connected(post_target: Target) -> _Protocol:
    loop = asyncio.get_running_loop()
    try:
        addresses = await post_target.resolve(post_target.host, post_target.port)
        socket = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY, interleave=1
        )
        transport, wire = await loop.create_connection(_Protocol, sock=socket)
        # uvloop holds back small writes until its callbacks are done, and this process may be
        # suspended meanwhile: bytes written after `may_start` must be sent at once.
        transport.set_write_buffer_limits(high=0)
        if post_target.encryption is not None:
            await wire.encrypt(post_target.encryption, post_target.host)
    except (OSError, UnicodeError) as error:  # UnicodeError: an invalid host name
        raise httpx.ConnectError(str(error)) from error
    return wire


class _Protocol(asyncio.Protocol):
    """The protocol of one connection, from its start to its end."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._answer: _ResponseParser | None = None
        self._used_at = 0.0

    async def encrypt(self, encryption: ssl.SSLContext, host: str) -> None:
        """Raises `OSError`; the connection is closed then."""
        encrypted = await asyncio.get_running_loop().start_tls(
            self._transport, self, encryption, server_hostname=host
        )
        self._transport = cast("asyncio.Transport", encrypted)

    @property
    def is_usable(self) -> bool:
        idle_for = asyncio.get_running_loop().time() - self._used_at
        return idle_for < KEEP_ALIVE and not self._transport.is_closing()

    def cut(self) -> None:
        self._transport.abort()

    async def exchange(
        self, request: bytes, deadline: float, may_start: Callable[[], bool]
    ) -> Response:
        if not may_start():
            raise NotStarted
        self._answer = answer = _ResponseParser()
        self._transport.write(request)
        late = asyncio.get_running_loop().call_at(deadline, answer.expire)
        try:
            await answer.response
        except asyncio.CancelledError:
            if answer.response.cancelled():  # otherwise the response arrived at the same moment
                raise
        finally:
            late.cancel()
            self._answer = None
            self._used_at = asyncio.get_running_loop().time()
            if not answer.keeps_connection:
                self.cut()
        return answer.response.result()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.cut()  # unrequested bytes could be taken for the response to the next request
        else:
            self._answer.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None:
            self._answer.lose(error)


async def wait_until(future: asyncio.Future[T], deadline: float) -> bool:
    """Wait for the future until the deadline; returns whether it is done.

    After this process was suspended, the deadline may be over before it has read a response that
    arrived in time: so bytes that are there are still read. A future that is done at the moment of
    a cancellation counts as done.
    """
    try:
        await asyncio.wait([future], timeout=deadline - asyncio.get_running_loop().time())
        if not future.done():
            await asyncio.wait([future], timeout=FINAL_READ_TIME)
    except asyncio.CancelledError:
        if not future.done():
            raise
    return future.done()


class _ResponseParser:
    """Parses one response as it arrives; llhttp calls the methods `on_...`."""

    def __init__(self) -> None:
        self.response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.keeps_connection = False
        self._parser = httptools.HttpResponseParser(self)
        # Accepts folded lines (RFC 9112, 5.2), bare line feeds (2.2), and lengths together with
        # codings (6.3): where these leave the end of a response open, the connection is not reused.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_chunked_length=True
        )
        self._received = 0
        self._is_complete = False
        self._begin_head()

    def _begin_head(self) -> None:
        self._status = 0
        """0 until the head is complete."""
        self._retry_after = ""
        self._body = b""
        self._has_length = False
        self._is_chunked = False

    def feed(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.end(InvalidResponse("it switches to another protocol without a request"))
        except httptools.HttpParserError as error:
            self.end(InvalidResponse(str(error)))
        if self._received > MAX_RESPONSE_SIZE:
            self.end(InvalidResponse("the head of the response is too large"))

    def lose(self, error: Exception | None) -> None:
        """The connection was lost."""
        if not self._received:
            self.end(_ClosedWithoutResponse())
        elif error is not None:
            self.end(httpx.ReadError(str(error)))
        else:
            self.end(InvalidResponse("the response is incomplete"))

    def expire(self) -> None:
        """The deadline is over. Bytes that arrived in time are still read: this process may have
        been suspended."""
        asyncio.get_running_loop().call_later(FINAL_READ_TIME, self.end, TimeoutError())

    def end(self, error: Exception) -> None:
        """Read no more of the response; `error` is the result if its head is not complete."""
        self.keeps_connection = False
        if self._is_final:
            self._conclude()
        elif not self.response.done():
            self.response.set_exception(error)

    def on_message_begin(self) -> None:
        if self._is_final:
            self.keeps_connection = False  # a second response
        else:
            self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._status:
            return  # a trailer
        match name.lower():
            case b"content-length":
                self._has_length = True
            case b"transfer-encoding":
                self._is_chunked |= b"chunked" in value.lower()
            case b"retry-after":
                self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._is_final:
            return
        if self._has_length and self._is_chunked:
            self.end(InvalidResponse("it has two contradicting lengths"))
            return
        self._status = status = self._parser.get_status_code()
        if status >= FIRST_FINAL_STATUS and not self._parser.should_keep_alive():
            asyncio.get_running_loop().call_later(FINAL_READ_TIME, self._conclude)

    def on_body(self, body: bytes) -> None:
        if self._status >= FIRST_ERROR_STATUS and len(self._body) < MAX_KEPT_BODY:
            self._body += body[: MAX_KEPT_BODY - len(self._body)]

    def on_message_complete(self) -> None:
        if self._is_final and not self._is_complete:
            self._is_complete = True
            self.keeps_connection = self._parser.should_keep_alive()
            self._conclude()

    @property
    def _is_final(self) -> bool:
        """Whether the head is complete, and not that of an interim response."""
        return self._status >= FIRST_FINAL_STATUS

    def _conclude(self) -> None:
        if not self.response.done():
            self.response.set_result(Response(self._status, self._retry_after, self._body))
