"""History of a former release: what is as before, and what is distinguished now."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.accounts import UsernameTaken
from domain.areas import AreaNameTaken, CreateArea, RenameArea
from domain.core.values import Email, Text
from domain.erasure import erase_person
from domain.history.batch import Origin
from domain.history.store import connect
from domain.provider_items import SyncEvent
from domain.visitors import DuplicateRegistration
from tests.domain.former_history import FAIR, FORMER_KEYS
from tests.support.installation import (
    IN_A_MONTH,
    Installation,
    a_registration,
    an_account,
)

pytestmark = pytest.mark.anyio

ORIGIN = Origin(actor="system:test", correlation_id="test")


async def register(installation: Installation, email: str) -> UUID:
    (id,) = await installation.register(FAIR, Email.parse(email))
    return id


async def erase(installation: Installation, email: str) -> int:
    async def blank_rows(people: Any, at: datetime) -> None:
        """There are none."""

    async with await connect(installation.database_url) as other, other.transaction():
        address = Email.parse(email)
        erasure = await erase_person(other, FORMER_KEYS, address, ORIGIN, blank_rows)
    return erasure.registrations


REGISTERED = ["ada@faß.de", "x²@example.com", "bob@example.com", "gross@example.com"]
MUCH_ALIKE = ["ada@fass.de", "x2@example.com", "groß@example.com"]


@pytest.mark.parametrize("email", REGISTERED)
async def test_a_registered_visitor_cannot_register_again(former: Installation, email: str) -> None:
    for spelling in (email, email.replace("b", "B").replace("a", "A"), f" {email} "):
        with pytest.raises(DuplicateRegistration):
            await register(former, spelling)


@pytest.mark.parametrize("email", MUCH_ALIKE)
async def test_a_person_once_taken_for_another_registers_once(
    former: Installation, email: str
) -> None:
    await register(former, email)
    with pytest.raises(DuplicateRegistration):
        await register(former, email)
    with pytest.raises(DuplicateRegistration):
        await register(former.another(), email)


async def test_an_erasure_finds_the_right_person_wherever_the_registration_is(
    former: Installation,
) -> None:
    assert await erase(former, "ada@fass.de") == 0
    await register(former, "ada@fass.de")
    assert await erase(former, "ada@faß.de") == 1
    assert await erase(former, "ada@faß.de") == 0
    with pytest.raises(DuplicateRegistration):
        await register(former, "ada@fass.de")
    await register(former, "ada@faß.de")
    assert await erase(former, "ada@fass.de") == 1
    assert await erase(former, "ada@xn--fa-hia.de") == 1
    assert await erase(former, "groß@example.com") == 0
    assert await erase(former, "GROSS@example.com") == 1
    assert await erase(former, "x2@example.com") == 0
    assert await erase(former, "x²@example.com") == 1


async def test_two_people_with_similar_emails_register_in_one_batch(former: Installation) -> None:
    (event_id,) = [await former.event()]
    pair = [a_registration(event_id, Email.parse(e)) for e in ("a@fass.de", "a@faß.de")]
    one, other = await former.give(*pair)
    assert one.id != other.id
    for again in pair:
        with pytest.raises(DuplicateRegistration):
            await former.give(again)


async def test_an_area_keeps_a_name_that_looks_like_another(
    former: Installation,
) -> None:
    with pytest.raises(AreaNameTaken):
        await former.give(CreateArea(name=Text("Ha\u200bll")))
    (hall,) = await _aggregates(former, "Area.Created")
    synced = SyncEvent(
        event_id=uuid4(),
        name=Text("Fair"),
        event_datetime=IN_A_MONTH,
        registration_deadline=IN_A_MONTH,
        area_name=Text("Ha\u200bll"),
        status="open",
    )
    await former.give(synced)
    assert await _aggregates(former, "Area.Created") == [hall]
    await former.give(RenameArea(area_id=hall, name=Text("Hall")))
    for taken in ("HALL", "H\u2060all"):
        with pytest.raises(AreaNameTaken):
            await former.give(CreateArea(name=Text(taken)))
    await former.give(RenameArea(area_id=hall, name=Text("Annex")))
    await former.give(CreateArea(name=Text("Ha\u200bll")))


@pytest.mark.parametrize("username", ["ro\u200bot", "ᾼ͂da"])
async def test_an_account_keeps_its_name(former: Installation, username: str) -> None:
    with pytest.raises(UsernameTaken):
        await former.give(an_account(username))


async def _aggregates(installation: Installation, topic: str) -> list[UUID]:
    cursor = await installation.connection.execute(
        "SELECT originator_id FROM history_events WHERE topic = %s", [topic]
    )
    return [id for (id,) in await cursor.fetchall()]
