"""The sink role: serves the local sink until it is stopped."""

from __future__ import annotations

import asyncio
import signal
from urllib.parse import urlsplit

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

from runtime.data_dir import prepare_data_dir
from runtime.settings import Settings
from workers.sink.access import Access, page_url, token
from workers.sink.announcement import LOOPBACK, announced
from workers.sink.app import create_app
from workers.sink.received import ReceivedItem, ReceivedNotification
from workers.sink.store import SinkStore

log = structlog.get_logger()


def run(settings: Settings, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT."""
    folder = prepare_data_dir(settings.data_dir) / "sink"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    secret = token(settings)
    access = Access(secret, {host, _host_of(settings.notification_service_url)})
    with (
        SinkStore(folder / "notifications.jsonl", ReceivedNotification) as notifications,
        SinkStore(folder / "webhooks.jsonl", ReceivedItem) as items,
        announced(folder, port),
    ):
        log.info("the sink is open", page=page_url(port, secret))
        uvloop.run(_serve(create_app(notifications, items, access), host, port))


async def _serve(app: Litestar, host: str, port: int) -> None:
    server = Server(
        app, host, port, interface=Interfaces.ASGINL, websockets=False, log_enabled=False
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.serve()


def _host_of(url: str | None) -> str:
    return (urlsplit(url).hostname if url else None) or LOOPBACK
