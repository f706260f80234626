"""The API as its users meet it: over HTTP, with a projector at work beside it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
import msgspec

from api.app import Routes
from api.http.access import WritePolicy
from api.http.connections import Connections, connected
from api.http.reads import TABLES
from api.server import http_server
from domain.accounts import GrantRole, Role
from domain.history.batch import Origin
from domain.history.store import last_position
from domain.privacy.keys import InstallationKeys
from projections.projector.projector import Projector
from projections.registry import ALL
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.declared import require_declared
from tests.support.passwords import quick_passwords
from tests.support.processes import Process, accepts, environment, role
from tests.support.waiting import DEADLINE, until, until_async


class Account(msgspec.Struct, frozen=True):
    id: str
    access_token: str
    refresh_token: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


PASSWORD = "correct horse battery"

OPERATOR = Origin(actor="system:test", correlation_id="test")


class Api:
    """The API on a port of this machine, and a few calls that journeys make often."""

    def __init__(self, http: httpx.AsyncClient, connections: Connections) -> None:
        self.http = http
        self.connections = connections

    async def area(self, name: str = "Great Hall") -> str:
        answer = await self.http.post("/api/events/areas/", json={"name": name})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["id"])

    async def event(self, **fields: Any) -> str:
        return str((await self.created_event(**fields)).json()["data"]["id"])

    async def created_event(self, **fields: Any) -> httpx.Response:
        answer = await self.http.post("/api/events/", json=EVENT | fields)
        assert answer.status_code == 201, answer.text
        return answer

    async def register(self, event: str, email: str = "ada@example.com") -> httpx.Response:
        body = {"full_name": "Ada Lovelace", "email": email}
        return await self.http.post(f"/api/events/{event}/register", json=body)

    async def account(self, username: str, *roles: Role) -> Account:
        """A new one, with these roles, signed in."""
        body = {"username": username, "password": PASSWORD}
        answer = await self.http.post("/api/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        account = Account(
            id=answer.json()["data"]["id"],
            access_token=answer.json()["meta"]["access_token"],
            refresh_token=answer.json()["meta"]["refresh_token"],
        )
        for granted in roles:
            command = GrantRole(account_id=UUID(account.id), role=granted)
            await self.connections.writer.execute(command, OPERATOR)
        return account

    async def settled(self, *tables: str) -> None:
        """Returns when these read tables, or those of events, include everything that has
        happened."""
        async with self.connections.readers.connection() as connection:
            newest = await last_position(connection)
        assert await self.connections.positions.wait_for(tables or TABLES, newest, timeout=DEADLINE)

    async def get(self, path: str, *, after: httpx.Response, **query: Any) -> httpx.Response:
        """A query that includes what a command did."""
        headers = {"Min-Event-Position": after.headers["Event-Position"]}
        return await self.http.get(path, params=query, headers=headers)


EVENT = {
    "name": "PyCon",
    "event_datetime": "2099-05-17T09:00:00Z",
    "registration_deadline": "2099-05-16T09:00:00Z",
}


DEFAULTS: dict[str, Any] = {
    "description": "",
    "area": None,
    "area_id": None,
    "status": "open",
    "ends_at": None,
    "timezone": "UTC",
    "capacity": None,
    "waiting_list": "off",
    "cancel_until": None,
    "reminders": [],
    "confirm_within": None,
    "language": None,
    "retention_days": None,
    "cancelled": None,
    "availability": "open",
}
"""The fields of an event that a creation leaves out."""


_IDLE: dict[tuple[bool, WritePolicy], list[Routes]] = {}
"""To build them takes longer than many a test, so that a test leaves them to the next one."""


@contextmanager
def _routes(settings: Settings) -> Iterator[Routes]:
    """That nothing else uses until the block ends."""
    public_pages, write_policy = settings.public_pages, settings.write_policy
    idle = _IDLE.setdefault((public_pages, write_policy), [])
    routes = idle.pop() if idle else Routes(public_pages=public_pages, write_policy=write_policy)
    yield routes
    idle.append(routes)


@asynccontextmanager
async def api_on(
    settings: Settings, services: Services, keys: InstallationKeys
) -> AsyncIterator[Api]:
    """Served from this event loop, until the block ends."""
    origin = f"http://127.0.0.1:{(port := free_port())}"
    with quick_passwords(), _routes(settings) as routes:
        async with connected(settings, services, keys) as connections:
            server = http_server(routes.on(settings, connections), "127.0.0.1", port)
            serving = asyncio.create_task(server.serve())
            # To load the certificates of all authorities would take longer than many a test.
            client = httpx.AsyncClient(base_url=origin, timeout=30, verify=False)  # noqa: S501
            client.event_hooks["response"].append(require_declared)
            async with client as http:
                await until_async(lambda: _answers(http))
                yield Api(http, connections)
            server.stop()  # type: ignore[no-untyped-call]
            await serving


Serving = Callable[..., AbstractAsyncContextManager[Api]]
"""`async with serving(write_policy="organizer") as api`: one with other settings, as given."""


@asynccontextmanager
async def projector_on(services: Services, keys: InstallationKeys) -> AsyncIterator[None]:
    running = asyncio.create_task(Projector(services.database_url, keys, ALL).run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _answers(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/health/live")).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def api_process(
    settings: Settings, services: Services, port: int, *, first: str = "", **more: str
) -> Iterator[Process]:
    """A process of its own, killed at the end of the block if it still runs. What it does `first`
    is Python."""
    environ = os.environ | environment(settings, services) | more
    words = ("api", "--port", str(port))
    with role(environ, *words, first=first, ended_by=signal.SIGKILL) as process:
        until(lambda: accepts(port))
        yield process


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and slug, once the answer is seen to be a whole problem."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert list(body) == ["type", "title", "status", "detail", "errors", "request_id"]
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["title"]
    assert body["detail"]
    return answer.status_code, body["type"].removeprefix("/problems/")
