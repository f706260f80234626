"""Anybody can give a stranger's address in the open form: it gets few messages in an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.core.durations import LongDuration
from domain.core.values import Capacity, Email, FullName
from domain.departures import CancelVisitor, EraseVisitor, ResendMessage
from domain.event_cancellation import CancelEvent
from domain.notifications import RecordDelivery
from domain.registrations import CorrectVisitor
from projections.backlog import send_now
from projections.outbox import OUTBOX
from projections.projector import tail
from projections.rebuild.rebuild import rebuild_tables
from projections.recipient_keys import key_of_visitor
from tests.support.installation import Installation, a_registration, an_event

pytestmark = pytest.mark.anyio

BEGINNING = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

VICTIM = "ada@example.org"


async def registrations(
    installation: Installation, *emails: str, apart: timedelta = MINUTE
) -> list[UUID]:
    """One after the other, each at an event of its own; returns the visitors' ids."""
    visitors = list[UUID]()
    for number, email in enumerate(emails):
        at = installation.at(BEGINNING + number * apart)
        visitors += await at.register(await at.event(f"Fair {number}"), Email.parse(email))
    return visitors


async def due(installation: Installation) -> list[timedelta]:
    """When each message is due, in the order of history, after projecting."""
    await installation.project()
    rows = sorted(await installation.rows("outbox"), key=lambda row: row["position"])
    return [datetime.fromisoformat(row["due_at"]) - BEGINNING for row in rows]


def minutes(*numbers: int) -> list[timedelta]:
    return [number * MINUTE for number in numbers]


@pytest.mark.parametrize("batch_size", [1, 2_000])
async def test_five_go_out_at_once_and_the_others_an_hour_after_the_one_five_before(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    monkeypatch.setattr(tail, "BATCH_SIZE", batch_size)
    await registrations(installation, *[VICTIM] * 12)
    assert await due(installation) == minutes(0, 1, 2, 3, 4, 60, 61, 62, 63, 64, 120, 121)


async def test_who_registers_rarely_waits_for_nothing(installation: Installation) -> None:
    await registrations(installation, *[VICTIM] * 9, apart=12 * MINUTE)
    assert await due(installation) == [n * 12 * MINUTE for n in range(9)]


async def test_spellings_of_one_address_count_together_and_other_addresses_do_not(
    installation: Installation,
) -> None:
    spellings = [VICTIM, " Ada@example.org", "ADA@EXAMPLE.ORG ", "ada@Example.Org", VICTIM]
    others = [f"visitor{number}@example.org" for number in range(40)]
    await registrations(installation, *spellings, *others, "aDa@example.org", "Ada2@example.org")
    times = await due(installation)
    assert times[:-2] == [number * MINUTE for number in range(45)]
    assert times[-2:] == minutes(60, 46)


async def test_joining_a_line_confirming_and_resending_count_too(
    installation: Installation,
) -> None:
    at = installation.at(BEGINNING)
    full = msgspec.structs.replace(
        an_event(at=at.in_a_month), capacity=Capacity(0), waiting_list="automatic"
    )
    careful = msgspec.structs.replace(
        an_event(at=at.in_a_month), confirm_within=LongDuration("P1D")
    )
    line, careful_event = [view.event.id for view in await at.give(full, careful)]
    joining = msgspec.structs.replace(a_registration(line, VICTIM), join_waiting_list=True)
    (waiting,) = await at.give(joining)
    (unconfirmed,) = await at.register(careful_event, VICTIM)
    await at.give(*[ResendMessage(visitor_id=id) for id in (waiting.id, unconfirmed)])
    await at.register(await at.event(), VICTIM)
    (late,) = await at.give(ResendMessage(visitor_id=unconfirmed))
    assert await due(installation) == minutes(0, 0, 0, 0, 0, 60)
    rows = sorted(await installation.rows("outbox"), key=lambda row: row["position"])
    assert [row["kind"] for row in rows] == [
        *("waiting", "confirm", "waiting", "confirm", "registered", "confirm")
    ]
    assert rows[-1]["id"] == str(late.last_notification_id)


async def test_what_organizers_cause_is_not_held_and_holds_nothing(
    installation: Installation,
) -> None:
    visitors = await registrations(installation, *[VICTIM] * 4)
    at = installation.at(BEGINNING + 10 * MINUTE)
    (event, *_) = [UUID(row["event_id"]) for row in await recipients(installation)]
    await at.give(CancelEvent(event_id=event))
    await at.give(*[CancelVisitor(visitor_id=id) for id in visitors])
    await at.register(await at.event("Another"), VICTIM)
    assert await due(installation) == minutes(0, 1, 2, 3, 10, 10, 10, 10, 10, 10)


async def recipients(installation: Installation) -> list[dict[str, Any]]:
    await installation.project()
    return await installation.rows("recipients")


async def test_sending_waiting_messages_now_leaves_out_held_ones(
    installation: Installation,
) -> None:
    now = installation.at(datetime.now(UTC) - 10 * MINUTE)
    for number in range(6):
        await now.register(await now.event(f"Fair {number}"), VICTIM)
    await installation.project()
    await installation.connection.execute(
        "UPDATE outbox SET due_at = now() + interval '1 day' WHERE held_until IS NULL"
    )
    assert await send_now(installation.connection) == 5
    held = [row for row in await installation.rows("outbox") if row["held_until"]]
    assert [row["due_at"] for row in held] == [row["held_until"] for row in held] != []


async def test_a_rebuild_gives_the_same_rows_and_sends_nothing_again(
    installation: Installation,
) -> None:
    await a_flood(installation)
    before = await tables(installation)
    await rebuild_tables(installation.database_url, installation.keys, [OUTBOX])
    assert await tables(installation) == before


@pytest.mark.usefixtures("in_bulk")
@pytest.mark.parametrize("lost", [True, False])
async def test_a_bulk_load_gives_the_same_rows_also_after_the_tables_were_lost(
    installation: Installation, lost: bool
) -> None:
    await a_flood(installation)
    before = await tables(installation)
    if lost:
        await installation.connection.execute(
            "DROP TABLE outbox, recipients, event_versions, area_names"
        )
    await rebuild_tables(installation.database_url, installation.keys, [OUTBOX])
    assert await tables(installation) == before


async def a_flood(installation: Installation) -> None:
    """Of 14 registrations and two messages sent again; some were sent since."""
    visitors = await registrations(installation, *[VICTIM] * 7)
    at = installation.at(BEGINNING + 8 * MINUTE)
    await at.give(*[ResendMessage(visitor_id=id) for id in visitors[:2]])
    for number in range(7):
        await at.register(await at.event(f"Another {number}"), VICTIM, f"bob{number}@example.org")
    await installation.project()
    rows = sorted(await installation.rows("outbox"), key=lambda row: row["position"])
    assert sum(row["held_until"] is not None for row in rows) == 11
    for row in rows[:6]:
        await at.give(RecordDelivery(notification_id=UUID(row["id"])))
    await installation.project()


async def tables(installation: Installation) -> dict[str, list[dict[str, Any]]]:
    return {table: await installation.rows(table) for table in OUTBOX.tables}


@pytest.mark.parametrize("corrected_since", [False, True])
async def test_an_erasure_reaches_all_messages_and_leaves_no_key_of_the_address(
    installation: Installation, corrected_since: bool
) -> None:
    """The projector may meet a corrected name when it cannot be read any more."""
    event = await installation.event()
    ada, bob = await installation.register(event, VICTIM, "bob@example.org")
    await installation.give(CancelVisitor(visitor_id=ada))
    await installation.register(event, VICTIM)
    await installation.project()
    (address,) = {r["recipient_key"] for r in await of(installation, ada, "outbox")}
    if corrected_since:
        name = CorrectVisitor(visitor_id=ada, full_name=FullName("Ada King"), email=Email(VICTIM))
        await installation.give(name, ResendMessage(visitor_id=ada))
    await installation.give(EraseVisitor(visitor_id=ada))
    await installation.connection.execute(
        "DELETE FROM personal_keys WHERE originator_id = %s", [ada]
    )
    await installation.project()
    rows = await of(installation, ada, "outbox")
    assert {row["erased"] for row in rows} == {True}
    left = {row["recipient_key"] for row in [*rows, *await of(installation, ada, "recipients")]}
    assert left == {key_of_visitor(ada)} != {address}
    assert not any(row["erased"] for row in await of(installation, bob, "outbox"))

    before = await tables(installation)
    await rebuild_tables(installation.database_url, installation.keys, [OUTBOX])
    assert await tables(installation) == before


async def of(installation: Installation, visitor: UUID, table: str) -> list[dict[str, Any]]:
    return [row for row in await installation.rows(table) if row["visitor_id"] == str(visitor)]
