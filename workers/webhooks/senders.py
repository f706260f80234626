"""The senders of one worker: each webhook that has something to send gets one, in whichever worker
takes its lease first. What a dead worker had leased is free after a few seconds
(`workers.delivery.liveness`).

History's notifications wake them, as does a request for a test or for sending again. While nothing
is to be sent, a worker asks the database once in `SWEEP_INTERVAL`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, NoReturn
from uuid import UUID

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.core.availability import UNAVAILABLE, require_writes
from domain.endpoints import get_endpoint
from domain.history import store
from domain.history.batch import CommandRequest, Origin
from domain.history.decider import Decider
from domain.privacy.keys import InstallationKeys
from domain.webhooks import DisableWebhook
from projections.webhook_deliveries import CHANNEL
from workers.delivery import liveness
from workers.delivery.leases import clock
from workers.delivery.liveness import MissingWorkers
from workers.webhooks import cursors
from workers.webhooks.cleanup import remove_old_rows
from workers.webhooks.cursors import Standing
from workers.webhooks.endpoint_calls import Network
from workers.webhooks.metrics import DISABLED
from workers.webhooks.sender import Office, Sender

SWEEP_INTERVAL = 5.0
"""Seconds between two looks at the webhooks without a notification."""

MIN_WAKE_UP_INTERVAL = 0.05
"""Seconds between two looks at the webhooks."""

RENEWAL_INTERVAL = 5.0
"""Seconds between two renewals of all leases of this worker."""

RECONNECTION_INTERVAL = 1.0
"""Seconds between two attempts to reach the database again."""

DEAD_AFTER = 5.0
"""Seconds without a session, after which a worker is dead: before, it may connect again. One that
lives after all repeats items under their ids, and loses its lease with its next record."""

LIVENESS_INTERVAL = 2.0
"""Seconds between two looks for dead workers."""

CLEANUP_INTERVAL = 3600.0
"""Seconds."""

ALL_CALLS = 512
"""Concurrent calls of one worker at most, in equal parts for its webhooks: one that hangs takes
nothing from the others."""

CONNECTIONS = 4
"""To the database, at most, for all senders."""

ACTOR = "system:worker"

log = structlog.get_logger()


async def send_webhooks(
    database_url: str, keys: InstallationKeys, decider: Decider, *, private_networks: bool
) -> NoReturn:
    """Send to webhooks until cancelled; then running calls end, and leases are released."""
    pool = AsyncConnectionPool(
        database_url,
        min_size=0,
        max_size=CONNECTIONS,
        max_idle=60,
        open=False,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 1,
            "options": f"{store.SESSION} {store.BY_KEY}",
            **store.CONNECTION_TIMEOUTS,
        },
    )
    async with pool:
        senders = Senders(pool, keys, decider, Network.new(private_networks=private_networks))
        try:
            while True:
                try:
                    await _follow(database_url, senders)
                except UNAVAILABLE as error:
                    log.warning("webhooks wait for the database", error=str(error))
                    await asyncio.sleep(RECONNECTION_INTERVAL)
        finally:
            await senders.close()


async def _follow(database_url: str, senders: Senders) -> NoReturn:
    """Raises `UNAVAILABLE`."""
    async with await store.connect(database_url) as connection:
        await connection.execute(f"LISTEN {store.CHANNEL}")
        await connection.execute(f"LISTEN {CHANNEL}")
        await senders.connected(connection)
        while True:
            require_writes(connection)
            wait = await senders.look(connection)
            await asyncio.sleep(MIN_WAKE_UP_INTERVAL)
            async for _ in connection.notifies(timeout=wait, stop_after=1):
                pass


class Senders:
    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        keys: InstallationKeys,
        decider: Decider,
        network: Network,
    ) -> None:
        self._pool = pool
        self._decider, self._deciding = decider, asyncio.Lock()
        self._network = network
        self._running = dict[UUID, tuple[Sender, asyncio.Task[None]]]()
        self._worker_id = liveness.new_worker_id()
        self._missing = MissingWorkers()
        self._looked_for_dead_at = -math.inf
        self._renewed_at = self._cleaned_at = monotonic()
        self._office = Office(
            keys=keys,
            network=network,
            connection=pool.connection,
            disable=self._disable,
            senders=lambda: len(self._running),
            max_calls=lambda: max(1, ALL_CALLS // max(1, len(self._running))),
        )

    async def connected(self, connection: AsyncConnection[Any]) -> None:
        """The connection shows others that this worker lives. It is in no transaction for long."""
        await liveness.hold_liveness_lock(connection, self._worker_id)
        self._missing = MissingWorkers()  # other workers reconnect, too

    async def look(self, connection: AsyncConnection[Any]) -> float:
        """Start, wake and stop senders as the webhooks are now; returns the seconds until the next
        look, unless there is a notification before. Raises `UNAVAILABLE`."""
        now = await cursors.standings(connection)
        if await self._free_abandoned(connection, now):
            now = await cursors.standings(connection)
        self._stop_outdated(now)
        if disabled := [s.id for s in now if s.is_failing and not s.enabled]:
            await cursors.forget_failures(connection, disabled)
        for standing in now:
            is_due = standing.due_in is not None and standing.due_in <= 0
            if running := self._running.get(standing.id):
                running[0].wake(has_due=is_due)
            elif standing.is_free and (is_due or (standing.enabled and standing.is_behind)):
                await self._start(connection, standing.id)
        if monotonic() - self._renewed_at > RENEWAL_INTERVAL:
            await self._renew(connection)
        if monotonic() - self._cleaned_at > CLEANUP_INTERVAL:
            self._cleaned_at = monotonic()
            await remove_old_rows(connection)
        waits = [s.due_in for s in now if s.due_in is not None and s.due_in > 0]
        return min([LIVENESS_INTERVAL if self._missing else SWEEP_INTERVAL, *waits])

    async def close(self) -> None:
        for sender, _ in self._running.values():
            sender.stop()
        await asyncio.gather(*(task for _, task in self._running.values()))
        self._network.threads.shutdown(wait=False, cancel_futures=True)

    async def _free_abandoned(
        self, connection: AsyncConnection[Any], now: Sequence[Standing]
    ) -> bool:
        """End the leases of dead workers; returns whether there were some."""
        if monotonic() - self._looked_for_dead_at < LIVENESS_INTERVAL:
            return False
        self._looked_for_dead_at = monotonic()
        held = [s.lease_token for s in now if s.lease_token and not s.is_free]
        dead = await self._missing.dead(connection, held, DEAD_AFTER)
        if dead and (freed := await cursors.free(connection, dead)):
            log.warning("a worker died: others send to its webhooks", webhooks=freed)
            return True
        return False

    def _stop_outdated(self, now: Iterable[Standing]) -> None:
        """Stop senders of webhooks that were changed, or whose cursor was moved: they begin
        anew."""
        known = {standing.id: (standing.version, standing.lease_token) for standing in now}
        for id, (sender, _) in self._running.items():
            if known.get(id) != (sender.endpoint.version, sender.lease.lease_token):
                sender.stop()

    async def _start(self, connection: AsyncConnection[Any], id: UUID) -> None:
        leased_at = clock()
        lease = await cursors.acquire(connection, id, liveness.new_token(self._worker_id))
        if lease is None:
            return
        endpoint = await get_endpoint(connection, id)
        if endpoint is None:
            return
        try:
            sender = Sender(endpoint, lease, leased_at, self._office)
        except Exception:  # the others go on; tried again when the lease is over
            log.exception("bug in sending to a webhook", webhook=str(id))
            return
        self._running[id] = sender, asyncio.create_task(self._run(sender))

    async def _run(self, sender: Sender) -> None:
        id = sender.endpoint.id
        try:
            await sender.run()
        except UNAVAILABLE as error:
            log.warning("a webhook waits for the database", webhook=str(id), error=str(error))
        except Exception:  # the others go on
            log.exception("bug in sending to a webhook", webhook=str(id))
            await asyncio.sleep(SWEEP_INTERVAL)
        finally:
            del self._running[id]
            with suppress(*UNAVAILABLE):
                async with self._pool.connection() as connection:
                    await cursors.release(connection, sender.lease)

    async def _renew(self, connection: AsyncConnection[Any]) -> None:
        self._renewed_at, leased_at = monotonic(), clock()
        running = [sender for sender, _ in self._running.values()]
        if not running:
            return
        held = await cursors.renew(connection, [sender.lease.lease_token for sender in running])
        for sender in running:
            if sender.lease.lease_token in held:
                sender.renewed(leased_at)
            else:
                sender.stop()

    async def _disable(self, id: UUID, reason: str) -> None:
        command = DisableWebhook(webhook_id=id, reason=reason)
        origin = Origin(actor=ACTOR, correlation_id=f"webhook-{id}")
        async with self._deciding, self._pool.connection() as connection:
            (outcome,) = await self._decider.execute(connection, [CommandRequest(command, origin)])
        outcome.or_raise()
        DISABLED.inc()
        log.error("a webhook was disabled", webhook=str(id), reason=reason)
