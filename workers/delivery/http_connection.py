"""A connection to one HTTP/1.1 service: one POST at a time, and kept for the next one.

llhttp reads the answers; what is left to do here is to connect, and to tell whether what came is
an answer to what was asked, and whether the connection can be used again. Nothing is sent before
the answer to what went before was read.

The head of an answer says what became of a request. Its body is only read so that the connection
can be used again: whatever is wrong with it costs the connection, never the answer.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from socket import SOCK_STREAM
from typing import TypeVar, cast

import aiohappyeyeballs
import httptools
import httpx
import msgspec

FINAL = 200
"""The least status of an answer that is not an interim one, as 100 Continue is."""

LARGEST_ANSWER = 64 * 1024
"""Bytes; a head must end within them, and a longer body is not read to its end."""

KEPT_FOR = 5.0
"""Seconds without a request after which a connection is not trusted to be there any more: a
firewall in between may have forgotten it, and tells nobody."""

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds that one address of the service has before the next is tried beside it."""

LAST_LOOK = 0.1
"""Seconds in which is read what has come before a deadline or a close."""

T = TypeVar("T")


class Response(msgspec.Struct, frozen=True):
    status: int
    retry_after: str = ""


class NotBegun(Exception):
    """It must not begin any more; nothing was sent"""


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

    async def post(
        self, key: str, body: bytes, *, within: float, may_begin: Callable[[], bool]
    ) -> Response:
        """The final answer. Raises `httpx.TransportError`, or `TimeoutError` when it does not come
        `within` so many seconds; when this is cancelled, the connection is cut.

        `may_begin` is asked right before the request is sent, when the connection is there. Raises
        `NotBegun` if it says no.

        A kept connection that ends before anything was answered on it was most likely closed
        while nobody used it: once, the request is sent again on a new one. `key`, its
        `Idempotency-Key`, makes that safe.
        """
        deadline = asyncio.get_running_loop().time() + within
        request = b"%bIdempotency-Key: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            self._target.head,
            key.encode("ascii"),
            len(body),
            body,
        )
        if self._wire is not None and self._wire.is_usable:
            try:
                return await self._wire.exchange(request, deadline, may_begin)
            except _ClosedUnanswered:
                pass
        await self.close()
        async with asyncio.timeout_at(deadline):
            self._wire = await _connected(self._target)
        return await self._wire.exchange(request, deadline, may_begin)

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.cut()


class BadAnswer(httpx.RemoteProtocolError):
    """What came is no HTTP answer. The message is ours, and repeats nothing of it."""


class _ClosedUnanswered(BadAnswer):
    def __init__(self) -> None:
        super().__init__("the connection was closed without an answer")


async def _connected(target: Target) -> _Wire:
    loop = asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(target.host, target.port, type=SOCK_STREAM)
        socket = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY, interleave=1
        )
        transport, wire = await loop.create_connection(_Wire, sock=socket)
        # uvloop keeps small writes until its callbacks are done, and this process may be stopped
        # meanwhile: what is written after `may_begin` must leave at once.
        transport.set_write_buffer_limits(high=0)
        if target.encryption is not None:
            await wire.encrypt(target.encryption, target.host)
    except (OSError, UnicodeError) as error:  # a name that cannot be one is the latter
        raise httpx.ConnectError(str(error)) from error
    return wire


class _Wire(asyncio.Protocol):
    """The bytes of one connection, from its beginning to its end."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._answer: _Answer | None = None
        self._used_at = 0.0

    async def encrypt(self, encryption: ssl.SSLContext, host: str) -> None:
        """Raises `OSError`, and then the connection is cut."""
        encrypted = await asyncio.get_running_loop().start_tls(
            self._transport, self, encryption, server_hostname=host
        )
        self._transport = cast("asyncio.Transport", encrypted)

    @property
    def is_usable(self) -> bool:
        idle_for = asyncio.get_running_loop().time() - self._used_at
        return idle_for < KEPT_FOR and not self._transport.is_closing()

    def cut(self) -> None:
        self._transport.abort()

    async def exchange(
        self, request: bytes, deadline: float, may_begin: Callable[[], bool]
    ) -> Response:
        if not may_begin():
            raise NotBegun
        self._answer = answer = _Answer()
        self._transport.write(request)
        late = asyncio.get_running_loop().call_at(deadline, answer.expire)
        try:
            await answer.response
        except asyncio.CancelledError:
            if answer.response.cancelled():  # else it came in the same moment
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
            self.cut()  # nobody has asked: it would pass for the answer to the next request
        else:
            self._answer.feed(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None:
            self._answer.lose(error)


async def settled(future: asyncio.Future[T], deadline: float) -> bool:
    """Wait for it until the deadline; whether it is done.

    When this process does not run for a while, the deadline is over before it has read an answer
    that came in time: so what is there by then is still read. Done in the same moment as this is
    cancelled counts as done.
    """
    try:
        await asyncio.wait([future], timeout=deadline - asyncio.get_running_loop().time())
        if not future.done():
            await asyncio.wait([future], timeout=LAST_LOOK)
    except asyncio.CancelledError:
        if not future.done():
            raise
    return future.done()


class _Answer:
    """One answer as it comes in; llhttp calls what begins with `on_`."""

    def __init__(self) -> None:
        self.response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.keeps_connection = False
        self._parser = httptools.HttpResponseParser(self)
        # Folded lines (RFC 9112, 5.2), line feeds alone (2.2), lengths beside codings (6.3): where
        # they leave an answer's end open, the connection is not used again.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_chunked_length=True
        )
        self._received = 0
        self._is_complete = False
        self._begin_head()

    def _begin_head(self) -> None:
        self._status = 0
        """0 as long as the head is not complete."""
        self._retry_after = ""
        self._has_length = False
        self._is_chunked = False

    def feed(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.end(BadAnswer("it changes to another protocol, unasked"))
        except httptools.HttpParserError as error:
            self.end(BadAnswer(str(error)))
        if self._received > LARGEST_ANSWER:
            self.end(BadAnswer("the head of the answer is too large"))

    def lose(self, error: Exception | None) -> None:
        """The connection is gone."""
        if not self._received:
            self.end(_ClosedUnanswered())
        elif error is not None:
            self.end(httpx.ReadError(str(error)))
        else:
            self.end(BadAnswer("the answer broke off"))

    def expire(self) -> None:
        """The deadline is over. When this process did not run for a while, it has not read yet what
        came in time: that still counts."""
        asyncio.get_running_loop().call_later(LAST_LOOK, self.end, TimeoutError())

    def end(self, error: Exception) -> None:
        """No more of it is read; `error` is what comes of it if its head is not here."""
        self.keeps_connection = False
        if self._is_final:
            self._conclude()
        elif not self.response.done():
            self.response.set_exception(error)

    def on_message_begin(self) -> None:
        if self._is_final:
            self.keeps_connection = False  # more than was asked for
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
            self.end(BadAnswer("it says in two ways where the answer ends"))
            return
        self._status = status = self._parser.get_status_code()
        if status >= FINAL and not self._parser.should_keep_alive():
            asyncio.get_running_loop().call_later(LAST_LOOK, self._conclude)

    def on_message_complete(self) -> None:
        if self._is_final and not self._is_complete:
            self._is_complete = True
            self.keeps_connection = self._parser.should_keep_alive()
            self._conclude()

    @property
    def _is_final(self) -> bool:
        """Whether the head is here, and not that of an interim answer."""
        return self._status >= FINAL

    def _conclude(self) -> None:
        if not self.response.done():
            self.response.set_result(Response(self._status, self._retry_after))
