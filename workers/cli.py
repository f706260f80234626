"""What the sub-commands `sync`, `outbox` and `cleanup` do."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import msgspec
import psycopg
import structlog
import uvloop
from rich.console import Console
from rich.progress import Progress

from events_face import tracing
from events_face.errors import CommandFailed
from events_face.installation import installation_keys
from events_face.services import Services
from events_face.settings import Settings
from workers import cleanup as cleaning
from workers.delivery import Delivery, new_delivery
from workers.sync import synchronise

SKIPPED_SHOWN = 20

log = structlog.get_logger()


def sync(settings: Settings, services: Services, full: bool) -> None:
    """Prints the counts; the reasons of what was skipped go to stderr."""
    if settings.events_provider_url is None:
        raise CommandFailed("EVENTS_PROVIDER_URL is not set")
    keys = installation_keys(settings, services.database_url)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("Synchronising", total=None)
        result = uvloop.run(
            synchronise(
                services.database_url,
                settings.events_provider_url,
                keys,
                full=full,
                report=lambda done, total: progress.update(bar, completed=done, total=total),
            )
        )
    counts = msgspec.structs.asdict(result.counts)
    _print(", ".join(f"{outcome} {count}" for outcome, count in counts.items()))
    for skipped in result.skipped_items[:SKIPPED_SHOWN]:
        sys.stderr.write(f"skipped {skipped.item}: {skipped.reason}\n")
    if (more := result.counts.skipped - SKIPPED_SHOWN) > 0:
        sys.stderr.write(f"skipped {more} more\n")


def cleanup(settings: Settings, services: Services, days: int) -> None:
    """Prints how many events were removed."""
    keys = installation_keys(settings, services.database_url)
    removed = uvloop.run(cleaning.clean_up(services.database_url, keys, days))
    _print(f"removed {removed}")


def outbox(settings: Settings, services: Services, sleep: float, once: bool) -> None:
    """Deliver what is due now, and with `once` print what became of it; else go on for ever."""
    if settings.notification_service_url is None:
        from workers import sink

        url = sink.running_at(settings.data_dir)
        settings = msgspec.structs.replace(settings, notification_service_url=url)
    keys = installation_keys(settings, services.database_url)
    delivery = new_delivery(settings, services.database_url, keys)
    with tracing.sent("outbox", settings):
        uvloop.run(_drain(delivery) if once else _deliver(delivery, sleep))


async def _drain(delivery: Delivery) -> None:
    async with delivery:
        _asked_to_stop(delivery)
        drained = await delivery.drain()
    _print(f"sent {drained.sent}, failed {drained.failed}, waiting {drained.waiting}")
    if drained.paused:
        raise CommandFailed(
            f"sending is paused, the notification service refuses us: {drained.paused}"
        )


async def _deliver(delivery: Delivery, sleep: float) -> None:
    """Until SIGTERM or SIGINT, however often the database goes away."""
    async with delivery:
        stopping = _asked_to_stop(delivery)
        while not stopping.is_set():
            try:
                await delivery.run()
            except psycopg.OperationalError as error:
                log.warning("waiting for the database", error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), sleep)


def _asked_to_stop(delivery: Delivery) -> asyncio.Event:
    """Set at the first signal, which also has the delivery come to its end."""
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        delivery.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
