"""A rebuild gives a correct table, keeps the live one in use, and sends nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from psycopg import AsyncConnection

from domain.areas import DeleteArea
from domain.core.aggregate import RecordedEvent
from domain.event_editing import DeleteEvent
from domain.history.store import connect
from domain.notifications import QueueAgain, RecordDelivery
from domain.privacy.keys import InstallationKeys
from domain.syncs import Counts, RecordSync
from events_face.commands import projections_rebuild
from projections.areas import AREAS
from projections.event_list import list_events
from projections.events import EVENTS
from projections.events import apply as apply_to_events
from projections.lists.count_cache import CountCache
from projections.outbox import OUTBOX
from projections.projector import tail
from projections.projector.projection import Projection
from projections.projector.projector import Projector
from projections.rebuild.progress import lock_for_rebuild
from projections.rebuild.rebuild import CannotRebuild, rebuild_tables
from projections.registry import ALL
from projections.visitors import VISITORS
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings
from tests.support.installation import IN_A_MONTH, Installation, all_caught_up, an_account, running
from tests.support.lingering import lingering_connections
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def rebuild(installation: Installation, *projections: Projection) -> None:
    await rebuild_tables(installation.database_url, installation.keys, projections)


async def listed(installation: Installation) -> int:
    page = await list_events(installation.connection, CountCache[int](), now=IN_A_MONTH)
    return page.total


async def some_history(installation: Installation) -> None:
    await installation.give(an_account("ada", "auditor"))
    area, empty = await installation.area("Here"), await installation.area("Nowhere")
    first, second = [await installation.event(f"Fair {n}", area_id=area) for n in range(2)]
    for event in (first, second):
        await installation.register(event, *(f"visitor{n}@example.org" for n in range(4)))
    await installation.project()
    sent, failed, requeued, *_ = [UUID(row["id"]) for row in await installation.rows("outbox")]
    await installation.give(
        RecordDelivery(notification_id=sent),
        RecordDelivery(notification_id=failed, failure="no such mailbox"),
        RecordDelivery(notification_id=requeued, failure="mailbox full"),
        QueueAgain(notification_id=requeued),
        DeleteEvent(event_id=second),
        DeleteArea(area_id=empty),
        RecordSync(started_at=IN_A_MONTH, full=True, counts=Counts(new=1)),
    )
    await installation.project()


async def test_rebuilt_tables_equal_the_old_ones(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BATCH_SIZE", 3)
    await some_history(installation)
    before = {table: await installation.rows(table) for p in ALL for table in p.tables}
    assert all(before.values())
    await rebuild(installation, *ALL)
    assert {table: await installation.rows(table) for p in ALL for table in p.tables} == before


async def test_a_rebuild_repairs_damaged_rows_and_changes_the_version(
    installation: Installation,
) -> None:
    await some_history(installation)
    right = await installation.rows("areas")
    _, version, _, _ = await installation.standing("areas")
    await installation.connection.execute("UPDATE areas SET event_count = 77")
    await rebuild(installation, AREAS)
    assert await installation.rows("areas") == right
    assert (await installation.standing("areas"))[1] > version


async def test_a_table_of_another_schema_version_is_replaced_by_that_of_this_release(
    installation: Installation,
) -> None:
    await some_history(installation)
    right = await installation.rows("areas")
    await installation.connection.execute("ALTER TABLE areas DROP COLUMN name_folded")
    await installation.connection.execute(
        "UPDATE projections SET schema_version = 0 WHERE name = 'areas'"
    )
    await rebuild(installation, AREAS)
    assert await installation.rows("areas") == right
    await installation.area("There")
    async with running(Projector(installation.database_url, installation.keys, ALL)):
        await until_async(lambda: all_caught_up(installation))
    assert len(await installation.rows("areas")) == len(right) + 1


async def test_queries_answer_and_events_are_applied_while_a_table_is_rebuilt(
    installation: Installation,
) -> None:
    await some_history(installation)
    half_way, go_on = asyncio.Event(), asyncio.Event()

    async def dawdle(
        connection: AsyncConnection[Any], events: Sequence[RecordedEvent], keys: InstallationKeys
    ) -> bool:
        half_way.set()
        await go_on.wait()
        return await apply_to_events(connection, events, keys)

    slow = msgspec.structs.replace(EVENTS, apply=dawdle)
    async with running(Projector(installation.database_url, installation.keys, ALL)):
        rebuilding = asyncio.create_task(rebuild(installation, slow))
        await half_way.wait()
        assert await listed(installation) == 1
        await installation.event("Meanwhile")
        await until_async(lambda: all_caught_up(installation))
        assert await listed(installation) == 2
        go_on.set()
        await rebuilding
        assert await listed(installation) == 2
        await installation.event("Afterwards")
        await until_async(lambda: all_caught_up(installation))
        assert await listed(installation) == 3


async def test_rebuilds_under_load_lose_nothing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BATCH_SIZE", 20)
    area = await installation.area("Here")
    event = await installation.event(area_id=area)
    done = asyncio.Event()

    async def keep_rebuilding() -> int:
        rounds = 0
        while not done.is_set() or not rounds:
            await rebuild(installation, AREAS, VISITORS, OUTBOX)
            rounds += 1
        return rounds

    async with running(Projector(installation.database_url, installation.keys, ALL)):
        rebuilding = asyncio.create_task(keep_rebuilding())
        for number in range(50):
            await installation.register(event, *(f"v{number}.{n}@example.org" for n in range(5)))
            await installation.event(area_id=area)
        done.set()
        await rebuilding
        await until_async(lambda: all_caught_up(installation))
    assert [row["event_count"] for row in await installation.rows("areas")] == [51]
    assert len(await installation.rows("visitors")) == 250
    assert len(await installation.rows("outbox")) == 250


async def lease(installation: Installation, id: UUID) -> UUID:
    """As a worker does before it sends."""
    token = uuid4()
    await installation.connection.execute(
        """
        UPDATE outbox SET lease_token = %s, attempts = 2, due_at = now() + interval '1 minute'
        WHERE id = %s
        """,
        [token, id],
    )
    return token


async def test_a_message_that_is_being_sent_keeps_its_lease(installation: Installation) -> None:
    await some_history(installation)
    (waiting, *_) = [row for row in await installation.rows("outbox") if row["state"] == "waiting"]
    token = await lease(installation, UUID(waiting["id"]))
    before = await installation.rows("outbox")
    await rebuild(installation, OUTBOX)
    assert await installation.rows("outbox") == before
    assert str(token) in {row["lease_token"] for row in before}


async def test_an_outcome_recorded_across_the_exchange_of_tables_settles_its_message(
    installation: Installation,
) -> None:
    await some_history(installation)
    (waiting, *_) = [row for row in await installation.rows("outbox") if row["state"] == "waiting"]
    id = UUID(waiting["id"])
    token = await lease(installation, id)
    async with (
        await connect(installation.database_url) as other,
        installation.connection.transaction(),
    ):
        await installation.give(RecordDelivery(notification_id=id))
        await rebuild(installation, OUTBOX)
        cursor = await other.execute("SELECT state FROM outbox WHERE id = %s", [id])
        assert await cursor.fetchone() == ("waiting",)
        settled = await installation.connection.execute(
            "UPDATE outbox SET state = 'sent' WHERE id = %s AND lease_token = %s",
            [id, token],
        )
        assert settled.rowcount == 1
    await installation.project()
    (row,) = [row for row in await installation.rows("outbox") if row["id"] == str(id)]
    assert row["state"] == "sent"


async def test_a_rebuild_waits_for_outcomes_that_are_being_recorded(
    installation: Installation,
) -> None:
    await some_history(installation)
    (waiting, *_) = [row for row in await installation.rows("outbox") if row["state"] == "waiting"]
    id = UUID(waiting["id"])

    async def waits_for_the_lock() -> bool:
        cursor = await installation.connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"
        )
        return await cursor.fetchone() != (0,)

    async with installation.connection.transaction():
        await installation.connection.execute(
            "UPDATE outbox SET state = 'sent' WHERE id = %s", [id]
        )
        rebuilding = asyncio.create_task(rebuild(installation, OUTBOX))
        await until_async(waits_for_the_lock)
        await installation.give(RecordDelivery(notification_id=id))
    await rebuilding
    (row,) = [row for row in await installation.rows("outbox") if row["id"] == str(id)]
    assert row["state"] == "sent"


async def test_a_rebuild_that_fails_leaves_the_table_as_it_was_and_no_leftovers(
    installation: Installation,
) -> None:
    await some_history(installation)
    before = await installation.rows("events")

    async def fail(*_: object) -> bool:
        raise ValueError("what is this?")

    with pytest.raises(CannotRebuild, match=r"events cannot be rebuilt: event .*what is this"):
        await rebuild(installation, msgspec.structs.replace(EVENTS, apply=fail))
    assert await installation.rows("events") == before
    assert (await installation.standing("events"))[2] is None
    cursor = await installation.connection.execute(
        "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuilding%'"
    )
    assert await cursor.fetchone() == (0,)


async def test_two_rebuilds_of_one_projection_exclude_each_other(
    installation: Installation,
) -> None:
    async with await connect(installation.database_url) as other:
        assert await lock_for_rebuild(other, ["areas"]) == []
        with pytest.raises(CannotRebuild, match="another rebuild of areas is running"):
            await rebuild(installation, EVENTS, AREAS)
        await rebuild(installation, EVENTS)


async def test_the_next_rebuild_can_start_before_the_connection_of_the_last_has_ended(
    installation: Installation,
) -> None:
    async with lingering_connections():
        await rebuild(installation, AREAS)
        await rebuild(installation, AREAS)


async def test_leftovers_of_a_killed_rebuild_do_not_disturb_others(
    installation: Installation,
) -> None:
    await some_history(installation)
    await installation.connection.execute("CREATE SCHEMA rebuilding_areas")
    await installation.connection.execute("CREATE TABLE rebuilding_areas.areas (nothing int)")
    before = await installation.rows("areas")
    await rebuild(installation, AREAS)
    assert await installation.rows("areas") == before


def test_the_command_names_the_rebuilt_tables(
    settings: Settings, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    services = Services(database_url=database_url, redis_url=None)
    projections_rebuild.rebuild(settings, services, ["events", "areas"])
    assert capsys.readouterr().out == (
        "events: rebuilt to position 0\nareas: rebuilt to position 0\n"
    )


def test_the_command_refuses_an_unknown_projection(settings: Settings, database_url: str) -> None:
    services = Services(database_url=database_url, redis_url=None)
    with pytest.raises(CommandFailed, match="no projection people; there are areas, events"):
        projections_rebuild.rebuild(settings, services, ["areas", "people"])
