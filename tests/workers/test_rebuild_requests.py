"""Requested rebuilds: once for each table, through the scheduler, in a separate process."""

from __future__ import annotations

import asyncio
import signal
from uuid import uuid4

import pytest

from domain.history.batch import Origin
from domain.history.store import connect, last_position
from projections.rebuild import requests
from projections.rebuild.progress import lock_for_rebuild
from projections.rebuild.requests import next_request, rebuild_requests, request_rebuild
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.processes import environment, role
from tests.support.waiting import DEADLINE, until_async
from workers.upkeep.rebuilds import run_requested_rebuilds

pytestmark = pytest.mark.anyio

ADA = Origin(actor=str(uuid4()), correlation_id="a-click")
BOB = Origin(actor=str(uuid4()), correlation_id="another-click")


async def lost_table(installation: Installation) -> None:
    await installation.area("Here")
    await installation.project()
    await installation.connection.execute("DROP TABLE areas")


async def test_a_second_request_changes_nothing(installation: Installation) -> None:
    connection = installation.connection
    assert await request_rebuild(connection, "areas", ADA)
    assert not await request_rebuild(connection, "areas", BOB)
    assert await request_rebuild(connection, "events", BOB)
    found = await rebuild_requests(connection)
    assert {name: request.origin for name, request in found.items()} == {
        "areas": ADA,
        "events": BOB,
    }


async def test_a_running_rebuild_cannot_be_requested(installation: Installation) -> None:
    async with await connect(installation.database_url) as rebuild:
        await lock_for_rebuild(rebuild, ["areas"])
        assert not await request_rebuild(installation.connection, "areas", ADA)
        assert await request_rebuild(installation.connection, "events", ADA)


async def test_it_waits_for_a_rebuild_that_somebody_else_has_started(
    installation: Installation,
) -> None:
    await request_rebuild(installation.connection, "areas", ADA)
    async with await connect(installation.database_url) as rebuild:
        await lock_for_rebuild(rebuild, ["areas"])
        assert await next_request(installation.connection) is None
    assert "areas" in await rebuild_requests(installation.connection)


@pytest.mark.usefixtures("as_a_worker")
async def test_a_requested_rebuild_is_done(installation: Installation) -> None:
    await lost_table(installation)
    await request_rebuild(installation.connection, "areas", ADA)
    await run_requested_rebuilds(installation.database_url)
    assert len(await installation.rows("areas")) == 1
    assert await rebuild_requests(installation.connection) == {}


@pytest.mark.usefixtures("as_a_worker")
async def test_the_reason_of_a_failed_rebuild_is_shown_until_the_next_request(
    installation: Installation,
) -> None:
    await lost_table(installation)
    await installation.connection.execute(
        "UPDATE history_events SET state = 'no JSON' WHERE topic = 'Area.Created'"
    )
    await request_rebuild(installation.connection, "areas", ADA)
    await run_requested_rebuilds(installation.database_url)
    failed = (await rebuild_requests(installation.connection))["areas"]
    assert failed.failed_at is not None
    assert failed.failed_because is not None
    assert failed.failed_because.startswith("areas cannot be rebuilt")
    assert await next_request(installation.connection) is None
    assert await request_rebuild(installation.connection, "areas", BOB)
    asked = (await rebuild_requests(installation.connection))["areas"]
    assert (asked.origin, asked.failed_at, asked.failed_because) == (BOB, None, None)


async def test_only_one_worker_does_a_requested_rebuild(installation: Installation) -> None:
    await request_rebuild(installation.connection, "areas", ADA)
    async with await connect(installation.database_url) as other:
        assert await requests.lock(other)
        await run_requested_rebuilds(installation.database_url)
    assert "areas" in await rebuild_requests(installation.connection)


async def test_scheduler_and_worker_do_a_requested_rebuild(
    installation: Installation, settings: Settings, services: Services
) -> None:
    await lost_table(installation)
    variables = environment(settings, services)
    with role(variables, "worker"), role(variables, "scheduler"):
        await request_rebuild(installation.connection, "areas", ADA)

        async def is_done() -> bool:
            return await rebuild_requests(installation.connection) == {}

        await until_async(is_done)
    (row,) = await installation.rows("areas")
    assert row["name"] == "Here"
    assert (await installation.standing("areas"))[0] == await last_position(installation.connection)


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL])
async def test_a_worker_that_ends_stops_its_rebuild_and_leaves_it_to_another(
    installation: Installation, settings: Settings, services: Services, ended_by: signal.Signals
) -> None:
    await installation.area("Here")
    await installation.project()
    variables = environment(settings, services)

    async def is_under_way() -> bool:
        return not await request_rebuild(installation.connection, "areas", BOB) and (
            await next_request(installation.connection) is None
        )

    async def is_not() -> bool:
        return await next_request(installation.connection) is not None

    async with await connect(installation.database_url) as reader, reader.transaction():
        await reader.execute("SET LOCAL idle_in_transaction_session_timeout TO 0")
        await reader.execute("SELECT FROM areas")  # so that the rebuild does not come to its end
        await request_rebuild(installation.connection, "areas", ADA)
        with role(variables, "scheduler"):
            with role(variables, "worker") as worker:
                await until_async(is_under_way)
                worker.send_signal(ended_by)
                await asyncio.to_thread(worker.wait, DEADLINE)
            await until_async(is_not)
    assert (await rebuild_requests(installation.connection))["areas"].origin == ADA
