"""Workers that send webhooks: another takes over where one was killed or stopped."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.processes import environment, role
from tests.support.sending import a_webhook, sending
from tests.support.webhook_endpoint import Endpoint
from workers.webhooks import cursors

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
