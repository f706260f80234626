"""Requested syncs: once, through the scheduler, as the user who requested it."""

from __future__ import annotations

import threading
from uuid import uuid4

import msgspec
import psycopg
import pytest

from domain import sync_requests
from domain.history.batch import Origin
from domain.history.store import connect, read_events
from domain.sync_requests import request_sync, state, take_up, wake_up_due
from projections.sync_results import latest
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.processes import environment, role
from tests.support.provider import Provider, an_item
from tests.support.waiting import until, until_async
from workers.provider.sync import SyncFailed, run_requested_sync, run_sync
from workers.scheduler import schedule_while_active
from workers.tasks import PeriodicTask

pytestmark = pytest.mark.anyio

ADA = Origin(actor=str(uuid4()), correlation_id="a-click")


async def test_a_second_request_changes_nothing(installation: Installation) -> None:
    connection = installation.connection
    assert (await state(connection)).request is None
    assert await request_sync(connection, ADA, full=True)
    bob = Origin(actor="bob", correlation_id="another-click")
    assert not await request_sync(connection, bob, full=False)
    request = (await state(connection)).request
    assert request is not None
    assert (request.full, request.origin) == (True, ADA)
    assert await take_up(connection) == request
    assert await take_up(connection) is None


async def test_no_sync_can_be_requested_while_one_runs(installation: Installation) -> None:
    connection = installation.connection
    async with await connect(installation.database_url) as running:
        assert await sync_requests.lock(running)
        assert (await state(connection)).running
        assert not await request_sync(connection, ADA, full=False)
    await until_async(lambda: request_sync(connection, ADA, full=False))
    assert not (await state(connection)).running


async def test_a_request_that_no_worker_takes_expires(
    installation: Installation,
) -> None:
    connection = installation.connection
    for new_one_is_asked in (False, True):
        await request_sync(connection, ADA, full=True)
        await connection.execute("UPDATE sync_requests SET asked_at = asked_at - interval '1 day'")
        assert (await state(connection)).request is None
        if new_one_is_asked:
            assert await request_sync(connection, ADA, full=False)
        else:
            assert await take_up(connection) is None


async def test_a_request_that_was_not_taken_is_handed_over_again(
    installation: Installation, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as scheduler:
        assert not wake_up_due(scheduler)
        await request_sync(installation.connection, ADA, full=True)
        assert wake_up_due(scheduler)
        assert not wake_up_due(scheduler)
        scheduler.execute("UPDATE sync_requests SET handed_over_at = now() - interval '1 minute'")
        assert wake_up_due(scheduler)


async def test_the_active_scheduler_hands_it_over(installation: Installation) -> None:
    asked, stopping = list[PeriodicTask](), threading.Event()
    await request_sync(installation.connection, ADA, full=True)
    thread = threading.Thread(
        target=schedule_while_active,
        args=[installation.database_url, {}, asked.append, stopping],
    )
    thread.start()
    try:
        until(lambda: asked == ["requested_sync"])
    finally:
        stopping.set()
        thread.join()


async def test_its_changes_have_the_requester_as_actor(
    installation: Installation, source: Provider
) -> None:
    source.items = [an_item()]
    await request_sync(installation.connection, ADA, full=True)
    result = await run_requested_sync(installation.database_url, source.source, installation.keys)
    assert result is not None
    assert (result.full, result.counts.new) == (True, 1)
    events = await read_events(installation.connection, after=0, limit=100)
    assert {(e.metadata.actor, e.metadata.correlation_id) for e in events} == {
        (ADA.actor, ADA.correlation_id)
    }
    again = await run_requested_sync(installation.database_url, source.source, installation.keys)
    assert again is None
    assert len(source.asked) == 1


async def test_it_waits_for_a_running_sync(installation: Installation, source: Provider) -> None:
    await request_sync(installation.connection, ADA, full=True)
    async with await connect(installation.database_url) as running:
        assert await sync_requests.lock(running)
        with pytest.raises(SyncFailed, match="another sync is running"):
            await run_requested_sync(installation.database_url, source.source, installation.keys)
    assert (await state(installation.connection)).request is not None


async def test_a_scheduled_sync_does_not_take_the_request(
    installation: Installation, source: Provider
) -> None:
    source.items = [an_item()]
    await request_sync(installation.connection, ADA, full=True)
    await run_sync(installation.database_url, source.source, installation.keys, full=False)
    assert (await state(installation.connection)).request is not None


async def test_scheduler_and_worker_run_a_requested_sync(
    installation: Installation, settings: Settings, services: Services, source: Provider
) -> None:
    source.items = [an_item()]
    settings = msgspec.structs.replace(
        settings, events_provider_url=source.url, sync_schedule="0 0 29 2 *"
    )
    variables = environment(settings, services)
    with role(variables, "worker"), role(variables, "scheduler"):
        await request_sync(installation.connection, ADA, full=True)

        async def has_result() -> bool:
            await installation.project()
            return len(await latest(installation.connection)) == 1

        await until_async(has_result)
    (result,) = await latest(installation.connection)
    assert (result.full_sync, result.new) == (True, 1)
