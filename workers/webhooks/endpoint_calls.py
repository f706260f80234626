"""Calls of one endpoint: a POST, and what its answer means."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import httpx
import msgspec

from workers.delivery.http_connection import (
    Connection,
    InvalidResponse,
    Response,
    post_target,
)
from workers.delivery.outside_errors import describe
from workers.delivery.retry_after import seconds_to_wait
from workers.webhooks.resolving import LOOK_UPS_AT_ONCE, AddressRefused, Resolver
from workers.webhooks.retries import MAX_RETRY_AFTER

ANSWER_TIMEOUT = 15.0
"""Seconds from the start of connecting to the head of the answer."""

HEADERS = {
    "Content-Type": "application/json",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "User-Agent": "Events-Face",
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one call. `error` says why the item was not taken, and never contains
    anything that the endpoint sent."""

    status: int | None
    """None without an answer."""
    error: str | None
    seconds: float
    retry_after: float = 0.0

    @property
    def taken(self) -> bool:
        return self.error is None

    @property
    def gone(self) -> bool:
        """The endpoint wants nothing more."""
        return self.status == 410


class Network(msgspec.Struct, frozen=True):
    """What the calls of all endpoints share."""

    private_networks: bool
    encryption: ssl.SSLContext
    threads: ThreadPoolExecutor

    @classmethod
    def new(cls, *, private_networks: bool) -> Network:
        # Not by the proxy of the environment: the address is checked where the connection is made.
        encryption = httpx.create_ssl_context()
        encryption.set_alpn_protocols(["http/1.1"])
        threads = ThreadPoolExecutor(LOOK_UPS_AT_ONCE, thread_name_prefix="webhook-names")
        return cls(private_networks, encryption, threads)


class EndpointCalls:
    """Keeps the connections of one endpoint for the next calls."""

    def __init__(self, url: str, network: Network) -> None:
        resolver = Resolver(network.threads, private_networks=network.private_networks)
        self._target = post_target(httpx.URL(url), HEADERS, network.encryption, resolver.resolve)
        self._idle: list[Connection] = []

    async def post(
        self, id: str, headers: bytes, body: bytes, may_start: Callable[[], bool]
    ) -> Answer:
        """Raises `NotStarted`."""
        connection = self._idle.pop() if self._idle else Connection(self._target)
        begun = perf_counter()
        try:
            response = await connection.post(
                id, body, within=ANSWER_TIMEOUT, may_start=may_start, headers=headers
            )
        except TimeoutError:
            return _failed(begun, f"no answer within {ANSWER_TIMEOUT:.0f} s")
        except AddressRefused as error:
            return _failed(begun, str(error))
        except InvalidResponse:
            return _failed(begun, "the answer is not HTTP")
        except httpx.TransportError as error:
            return _failed(begun, describe(error))
        finally:
            self._idle.append(connection)
        return _answer(response, perf_counter() - begun)

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()


def _failed(begun: float, error: str) -> Answer:
    return Answer(status=None, error=error, seconds=perf_counter() - begun)


def _answer(response: Response, seconds: float) -> Answer:
    status = response.status
    return Answer(
        status=status,
        error=None if 200 <= status < 300 else f"HTTP {status}",
        seconds=seconds,
        retry_after=seconds_to_wait(response.retry_after, MAX_RETRY_AFTER),
    )
