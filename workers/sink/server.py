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
from workers.sink.mail_listener import MailListener
from workers.sink.mails import received_mail
from workers.sink.received import ReceivedItem, ReceivedMail, ReceivedNotification
from workers.sink.store import SinkStore

log = structlog.get_logger()


KEPT_MAILS = 1_000
"""In memory, each of about 10 KB."""


def run(settings: Settings, host: str, port: int, mail_port: int | None = None) -> None:
    """Answer until SIGTERM or SIGINT; with `mail_port`, take mails there, too."""
    folder = prepare_data_dir(settings.data_dir) / "sink"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    secret = token(settings)
    access = Access(secret, {host, _host_of(settings.notification_service_url)})
    with (
        SinkStore(folder / "notifications.jsonl", ReceivedNotification) as notifications,
        SinkStore(folder / "mails.jsonl", ReceivedMail, KEPT_MAILS) as mails,
        SinkStore(folder / "webhooks.jsonl", ReceivedItem) as items,
        announced(folder, port),
    ):

        def take_mail(sender: str, recipient: str, content: bytes) -> None:
            mail = received_mail(sender, recipient, content)
            mails.take(mail.id, mail)

        app = create_app(notifications, mails, items, access, takes_mails=mail_port is not None)
        listener = MailListener(secret, take_mail)
        log.info("the sink is open", page=page_url(port, secret))
        uvloop.run(_serve(app, listener, host, port, mail_port))


async def _serve(
    app: Litestar, listener: MailListener, host: str, port: int, mail_port: int | None
) -> None:
    server = Server(
        app, host, port, interface=Interfaces.ASGINL, websockets=False, log_enabled=False
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    if mail_port is None:
        await server.serve()
        return
    async with await asyncio.start_server(listener.serve, host, mail_port):
        await server.serve()


def _host_of(url: str | None) -> str:
    return (urlsplit(url).hostname if url else None) or LOOPBACK
