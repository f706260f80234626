"""Workers that send webhooks: another takes over where one was killed or stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from domain.departures import CancelVisitor
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.processes import environment, role
from tests.support.sending import a_webhook, sending
from tests.support.waiting import until_async
from tests.support.webhook_endpoint import Endpoint
from tests.workers.webhook_kills import Taking, items_of
from workers.webhooks import cursors, pace, sender
from workers.webhooks.cursors import Lease

pytestmark = pytest.mark.anyio


async def test_another_worker_goes_on_after_the_last_answer_that_a_dead_one_recorded(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    await installation.register(fair, "ada@example.org", "bob@example.org", "cem@example.org")
    created, ada, bob, cem = [
        e.position for e in await installation.history() if e.position > webhook.position
    ]
    lease = await cursors.acquire(installation.connection, webhook.id, uuid4())
    assert lease is not None
    await installation.connection.execute(
        """
        UPDATE webhook_cursors
        SET position = %s, previous = %s, taken_ahead = %s, leased_until = now() + interval '2 s'
        """,
        [created, created, [bob]],
    )
    async with sending(installation):
        await endpoint.has(2)
        assert await cursors.renew(installation.connection, [lease.lease_token]) == set()
    previous = {r.position: r.item["previous"] for r in endpoint.received}
    assert previous == {ada: created, cem: bob}


async def test_a_killed_worker_loses_nothing_and_repeats_only_what_was_in_flight(
    own_settings: Settings, services: Services, installation: Installation, endpoint: Endpoint
) -> None:
    taking = Taking(endpoint)
    webhook = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    await installation.register(fair, *(f"early{n}@example.org" for n in range(5)))
    env = environment(own_settings, services) | {"WEBHOOK_PRIVATE_NETWORKS": "on"}
    soon = "from workers.webhooks import senders; senders.DEAD_AFTER = 1.0"
    with role(env, "worker", "--queues", "webhooks") as first:
        await until_async(lambda: _has_taken(installation, 6))
        endpoint.answer = lambda received: msgspec.structs.replace(
            taking.take(received), delay=12.0
        )
        visitors = await installation.register(fair, *(f"late{n}@example.org" for n in range(60)))
        await installation.give(*(CancelVisitor(visitor_id=id) for id in visitors[:20]))
        await endpoint.has(7)
        with role(env, "worker", "--queues", "webhooks", first=soon):
            await until_async(lambda: _are_live(installation, 2))
            first.kill()
            in_flight = set(endpoint.positions[6:])
            endpoint.answer = taking.take
            expected = await items_of(services.database_url, installation.keys, webhook.position)
            await endpoint.until(lambda: taking.has(set(expected)))
    figures = taking.figures(expected)
    assert (figures.lost, figures.gaps, figures.out_of_order, figures.ids_of_several) == (0,) * 4
    repeated = {p for p in endpoint.positions if endpoint.positions.count(p) > 1}
    assert 0 < figures.doubles == len(repeated)
    assert repeated <= in_flight


async def test_an_endpoint_that_takes_nothing_keeps_its_sender_and_so_its_pauses(
    installation: Installation, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LINGER", 0.1)
    monkeypatch.setattr(pace, "MAX_DELAY", 0.5)
    leases = list[Lease | None]()

    async def acquire(*arguments: Any) -> Lease | None:
        leases.append(await genuine(*arguments))
        return leases[-1]

    genuine = cursors.acquire
    monkeypatch.setattr(cursors, "acquire", acquire)
    endpoint.answer = lambda _: Answer(status=503)
    await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    await installation.register(fair, *(f"visitor{n}@example.org" for n in range(20)))
    async with sending(installation):
        await endpoint.until(lambda: len(set(endpoint.positions)) == 21)
        assert len(leases) == 1


async def test_a_stopped_worker_records_all_answers_and_gives_its_leases_back(
    own_settings: Settings,
    services: Services,
    installation: Installation,
    endpoint: Endpoint,
    tmp_path: Path,
) -> None:
    await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    await installation.register(fair, *(f"visitor{n}@example.org" for n in range(300)))
    log = tmp_path / "worker.log"
    env = environment(own_settings, services) | {"WEBHOOK_PRIVATE_NETWORKS": "on"}
    with role(env, "worker", "--queues", "webhooks", log=log):
        await endpoint.has(50)
    (cursor,) = await installation.rows("webhook_cursors")
    assert cursor["lease_token"] is None
    recorded = {row["position"] for row in await installation.rows("webhook_attempts")}
    assert recorded == set(endpoint.positions)
    assert "destroyed" not in log.read_text()  # as asyncio says of tasks that were not awaited


async def _has_taken(installation: Installation, count: int) -> bool:
    """Whether so many answers are recorded."""
    return len(await installation.rows("webhook_attempts")) >= count


async def _are_live(installation: Installation, workers: int) -> bool:
    """Whether so many workers show that they live."""
    cursor = await installation.connection.execute(
        """
        SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.mode = 'ShareLock'
        """
    )
    return await cursor.fetchone() == (workers,)
