"""A bulk load of a rebuild gives the same rows as `apply`, for any history."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import pytest

from domain.announcements import AnnounceChange
from domain.core.aggregate import RecordedEvent
from domain.core.values import Capacity
from domain.departures import CancelVisitor, EraseVisitor
from domain.event_cancellation import CancelEvent, ReinstateEvent
from domain.event_editing import ChangeEvent
from domain.events import TimeAndPlace
from domain.notifications import QueueAgain, RecordDelivery
from domain.privacy.keys import InstallationKeys
from domain.visitors import EventCancelled
from projections.outbox import OUTBOX
from projections.projector import tail
from projections.projector.projection import Bulk, BulkTable, Projection, Rows
from projections.rebuild import rebuild
from projections.rebuild.rebuild import CannotRebuild, rebuild_tables
from projections.visitors import VISITORS
from tests.support.installation import IN_A_MONTH, Installation, a_registration, an_event

pytestmark = pytest.mark.anyio

LARGE = (VISITORS, OUTBOX)


async def random_history(installation: Installation, random: Random) -> None:
    """Registrations, outcomes, second tries, erasures and returns in any order that can be,
    projected now and then."""
    events = [await an_event_with_few_seats(installation, n) for n in range(3)]
    people = [f"visitor{n}@example.org" for n in range(12)]
    registered: dict[tuple[UUID, str], UUID] = {}
    for _ in range(120):
        match random.choice(
            ["register", "register", "register", "deliver", "deliver", "again"]  # noqa: RUF005
            + ["erase", "leave", "move", "cancel"]
        ):
            case "register":
                place = random.choice(events), random.choice(people)
                if place not in registered:
                    joining = msgspec.structs.replace(
                        a_registration(*place), join_waiting_list=True
                    )
                    with suppress(EventCancelled):
                        (visitor,) = await installation.give(joining)
                        registered[place] = visitor.id
            case "erase" if registered:
                place = random.choice(list(registered))
                await erase(installation, registered.pop(place))
            case "leave" if registered:
                place = random.choice(list(registered))
                await installation.give(CancelVisitor(visitor_id=registered.pop(place)))
            case "move":
                event, by = random.choice(events), timedelta(hours=random.randrange(3))
                await installation.give(ChangeEvent(event_id=event, event_datetime=IN_A_MONTH + by))
                await installation.give(
                    AnnounceChange(event_id=event, now=TimeAndPlace(IN_A_MONTH + by))
                )
            case "cancel":
                event = random.choice(events)
                await installation.give(CancelEvent(event_id=event))
                if random.random() < 0.7:
                    await installation.give(ReinstateEvent(event_id=event))
            case action:
                await conclude(installation, random, again=action == "again")
        if random.random() < 0.2:
            await installation.project()
    await installation.project()


async def an_event_with_few_seats(installation: Installation, number: int) -> UUID:
    seats = {"capacity": Capacity(2), "waiting_list": "automatic"}
    (view,) = await installation.give(msgspec.structs.replace(an_event(f"Fair {number}"), **seats))
    id: UUID = view.event.id
    return id


async def erase(installation: Installation, visitor: UUID) -> None:
    """As `domain.erasure` does to one registration."""
    await installation.give(EraseVisitor(visitor_id=visitor))
    await installation.connection.execute(
        "DELETE FROM personal_keys WHERE originator_id = %s", [visitor]
    )


async def conclude(installation: Installation, random: Random, *, again: bool) -> None:
    await installation.project()
    state = "failed" if again else "waiting"
    ids = [UUID(r["id"]) for r in await installation.rows("outbox") if r["state"] == state]
    if not ids:
        return
    id = random.choice(ids)
    if again:
        await installation.give(QueueAgain(notification_id=id))
    else:
        failure = random.choice([None, "mailbox full", "no such mailbox"])
        await installation.give(RecordDelivery(notification_id=id, failure=failure))


async def tables(installation: Installation) -> dict[str, list[dict[str, Any]]]:
    return {table: await installation.rows(table) for p in LARGE for table in p.tables}


async def rebuild_all(
    installation: Installation, projections: Sequence[Projection] = LARGE
) -> None:
    await rebuild_tables(installation.database_url, installation.keys, projections)


@pytest.mark.usefixtures("in_bulk")
@pytest.mark.parametrize("seed", range(4))
async def test_tables_are_the_same_loaded_in_bulk_applied_at_once_and_bit_by_bit(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    random = Random(seed)
    await random_history(installation, random)
    bit_by_bit = await tables(installation)
    assert {row["state"] for row in bit_by_bit["outbox"]} == {"waiting", "sent", "failed"}
    assert {row["words"] == [] for row in bit_by_bit["visitors"]} == {True, False}

    await rebuild_all(installation)
    assert await tables(installation) == bit_by_bit

    monkeypatch.setattr(rebuild, "MIN_BULK_POSITIONS", 1_000_000)
    await rebuild_all(installation)
    assert await tables(installation) == bit_by_bit

    monkeypatch.setattr(tail, "BATCH_SIZE", random.randrange(1, 9))
    await rebuild_all(installation)
    assert await tables(installation) == bit_by_bit


@pytest.mark.usefixtures("in_bulk")
async def test_the_new_tables_have_the_columns_keys_and_indexes_of_the_old_ones(
    installation: Installation,
) -> None:
    async def shape() -> list[Any]:
        cursor = await installation.connection.execute(
            """
            SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull,
                   pg_get_expr(adbin, adrelid)
            FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE attrelid IN ('visitors'::regclass, 'outbox'::regclass) AND attnum > 0
            UNION ALL
            SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL
            FROM pg_constraint WHERE conrelid IN ('visitors'::regclass, 'outbox'::regclass)
            UNION ALL
            SELECT tablename, indexname, indexdef, NULL, NULL
            FROM pg_indexes WHERE tablename IN ('visitors', 'outbox')
            UNION ALL
            SELECT attrelid::regclass::text, attname, attstattarget::text, NULL, NULL
            FROM pg_attribute WHERE attrelid = 'visitors_words'::regclass
            ORDER BY 1, 2, 3
            """
        )
        return await cursor.fetchall()

    before = await shape()
    await installation.register(await installation.event(), "ada@example.org")
    await rebuild_all(installation)
    assert await shape() == before
    assert any("outbox_due" in row[1] for row in before)
    assert ("visitors_words", "words", "0", None, None) in before


@pytest.mark.usefixtures("in_bulk")
@pytest.mark.parametrize(
    ("damage", "because"),
    [
        ("set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)", "CannotOpen"),
        (r"wrapped || '\x0909'", "UnknownGeneration"),
    ],
)
async def test_an_event_that_cannot_be_opened_is_named(
    installation: Installation, damage: LiteralString, because: str
) -> None:
    await installation.register(
        await installation.event(), "ada@example.org", "bob@example.org", "eve@example.org"
    )
    await installation.project()
    before = await tables(installation)
    broken = before["visitors"][1]
    await installation.connection.execute(
        f"UPDATE personal_keys SET wrapped = {damage} WHERE originator_id = %s",  # noqa: S608
        [broken["id"]],
    )
    with pytest.raises(CannotRebuild, match=f"event {broken['position']}: {because}"):
        await rebuild_all(installation)
    assert await tables(installation) == before


def die(events: Sequence[RecordedEvent], keys: InstallationKeys) -> Rows:
    os._exit(9)


@pytest.mark.usefixtures("in_bulk")
async def test_a_killed_process_ends_the_rebuild(installation: Installation) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    await installation.project()
    before = await tables(installation)
    deadly = msgspec.structs.replace(
        VISITORS, bulk=Bulk(tables=(BulkTable("visitors", (("id", "uuid"),)),), rows_of=die)
    )
    with pytest.raises(CannotRebuild, match="a process that loads rows"):
        await rebuild_all(installation, [deadly])
    assert await tables(installation) == before
