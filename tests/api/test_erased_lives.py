"""An erasure reaches a person in every status: registered, waiting, unconfirmed, or gone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg import AsyncConnection

from domain.core.durations import LongDuration
from domain.core.values import Capacity, Email, FullName
from domain.departures import CancelVisitor
from domain.event_editing import CreateEvent
from domain.registrations import CorrectVisitor, RegisterVisitor
from domain.visitors import Visitor
from runtime.embedded.services import Services
from tests.api.serving import OPERATOR, Api
from tests.support.database_contents import tables_with
from tests.support.installation import an_event

pytestmark = pytest.mark.anyio

EMAIL, TYPO = Email("ada.lovelace@ockham-park.uk"), Email("ada.lovelaze@ockham-park.uk")
TRACES = ("Augusta", "lovelace", "lovelaze", "ockham-park")


async def do(api: Api, command: object) -> Any:
    return (await api.connections.writer.execute(command, OPERATOR)).value


async def register(api: Api, event_id: UUID, email: str = EMAIL) -> Visitor:
    command = RegisterVisitor(
        event_id=event_id,
        full_name=FullName("Augusta"),
        email=Email(email),
        join_waiting_list=True,
    )
    visitor: Visitor = await do(api, command)
    return visitor


async def erase(api: Api, email: str = EMAIL, *, by: str = "root") -> dict[str, int]:
    admin = await api.account(by, "admin")
    answer = await api.http.post("/api/visitors/erase", json={"email": email}, headers=admin.bearer)
    assert answer.status_code == 200, answer.text
    erased: dict[str, int] = answer.json()["data"]
    return erased


async def seats(connection: AsyncConnection[Any], event_id: UUID) -> tuple[int, int]:
    cursor = await connection.execute(
        "SELECT taken, waiting FROM event_seats WHERE event_id = %s", [event_id]
    )
    ((taken, waiting),) = await cursor.fetchall()
    return taken, waiting


SMALL = msgspec.structs.replace(an_event(), capacity=Capacity(1), waiting_list="automatic")


async def test_an_erasure_reaches_every_status(
    lone_api: Api, services: Services, connection: AsyncConnection[Any]
) -> None:
    async def event(created: CreateEvent = SMALL) -> UUID:
        id: UUID = (await do(lone_api, created)).event.id
        return id

    registered, waiting, cancelled = [await event() for _ in range(3)]
    unconfirmed = await event(msgspec.structs.replace(SMALL, confirm_within=LongDuration("P1D")))
    await register(lone_api, registered)
    await register(lone_api, registered, "charles@dorset-street.uk")
    await register(lone_api, waiting, "charles@dorset-street.uk")
    await register(lone_api, waiting)
    await register(lone_api, unconfirmed)
    gone = await register(lone_api, cancelled)
    await do(lone_api, CancelVisitor(visitor_id=gone.id))
    assert (await erase(lone_api))["registrations"] == 4
    assert tables_with(services.database_url, TRACES) == set()
    assert await seats(connection, registered) == (1, 0)
    assert await seats(connection, waiting) == (1, 0)
    assert await seats(connection, unconfirmed) == (0, 0)
    assert (await erase(lone_api, by="other"))["registrations"] == 0


async def corrected(api: Api) -> tuple[Visitor, Visitor]:
    """With the mistyped email, and with the right one, under another name for a while."""
    event_id = (await do(api, SMALL)).event.id
    mistyped = await register(api, event_id, TYPO)
    rename = CorrectVisitor(visitor_id=mistyped.id, full_name=FullName("Augusta Ada"), email=TYPO)
    await do(api, rename)
    move = CorrectVisitor(visitor_id=mistyped.id, full_name=FullName("Augusta"), email=EMAIL)
    return mistyped, await do(api, move)


async def test_an_erasure_reaches_the_stream_of_the_mistyped_email(
    lone_api: Api, services: Services
) -> None:
    await corrected(lone_api)
    erased = await erase(lone_api)
    assert (erased["registrations"], erased["personal_keys"]) == (2, 3)
    assert tables_with(services.database_url, TRACES) == set()


async def test_the_owner_of_a_mistyped_email_cannot_erase_the_registration_of_another_person(
    lone_api: Api, connection: AsyncConnection[Any]
) -> None:
    _, right = await corrected(lone_api)
    assert (await erase(lone_api, TYPO))["registrations"] == 1
    assert right.event_id is not None
    assert await seats(connection, right.event_id) == (1, 0)


async def test_a_person_who_registers_with_the_mistyped_email_later_is_not_erased(
    lone_api: Api,
) -> None:
    mistyped, _ = await corrected(lone_api)
    assert mistyped.event_id is not None
    stranger = await register(lone_api, mistyped.event_id, TYPO)
    assert stranger.id == mistyped.id
    assert (await erase(lone_api))["registrations"] == 1
