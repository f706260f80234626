"""The commands `outbox` and `cleanup`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import msgspec
import structlog
import uvloop

from domain.core.availability import UNAVAILABLE
from runtime import tracing
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from workers.delivery.deliverer import Delivery, new_delivery
from workers.upkeep import cleanup as cleaning

log = structlog.get_logger()


def cleanup(settings: Settings, services: Services, days: int) -> None:
    """Remove past events, and print their number."""
    keys = installation_keys(settings, services.database_url)
    removed = uvloop.run(cleaning.clean_up(services.database_url, keys, days))
    _print(f"removed {removed}")


def outbox(settings: Settings, services: Services, sleep: float, once: bool, now: bool) -> None:
    """Deliver due notifications, until SIGTERM or SIGINT; with `once`, deliver those that are due
    now and print the outcomes. `now`: also those that wait for a later attempt."""
    if settings.notification_service_url is None:
        from workers.sink import access, announcement

        if (url := announcement.running_at(settings.data_dir)) is not None:
            settings = msgspec.structs.replace(
                settings,
                notification_service_url=url,
                notification_token=access.token(settings),
            )
    keys = installation_keys(settings, services.database_url)
    delivery = new_delivery(settings, services.database_url, keys)
    with tracing.exporting("outbox", settings):
        uvloop.run(_drain(delivery, now) if once else _deliver(delivery, sleep, now))


async def _drain(delivery: Delivery, now: bool) -> None:
    async with delivery:
        if now:
            await delivery.send_now()
        _stop_on_signals(delivery)
        drained = await delivery.drain()
    _print(f"sent {drained.sent}, failed {drained.failed}, waiting {drained.waiting}")
    if drained.paused:
        raise CommandFailed(
            f"sending is paused, the service refuses the credentials: {drained.paused}"
        )


async def _deliver(delivery: Delivery, sleep: float, now: bool) -> None:
    """Deliver until SIGTERM or SIGINT; while the database is unavailable, wait for it."""
    async with delivery:
        if now:
            await delivery.send_now()
        stopping = _stop_on_signals(delivery)
        while not stopping.is_set():
            try:
                await delivery.free_abandoned()
                await delivery.run()
            except UNAVAILABLE as error:
                log.warning("waiting for the database", error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), sleep)


def _stop_on_signals(delivery: Delivery) -> asyncio.Event:
    """An event that is set at the first signal, which also stops the delivery."""
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        delivery.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
