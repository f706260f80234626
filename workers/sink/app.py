"""The local sink: a real, small notification service, so that a person sees what is sent.

It keeps what it gets in a file under DATA_DIR, one JSON line each, and shows it on a page, to those
who know its token (`workers.sink.access`).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from runtime.data_dir import prepare_data_dir
from runtime.settings import Settings
from workers.sink.access import HEADERS, Access, page_url, token
from workers.sink.store import Received, SinkStore

LOOPBACK = "127.0.0.1"
SHOWN = 50
"""Notifications on the page, and in an answer to a query without a limit."""

LARGEST_BODY = 64 * 1024

log = structlog.get_logger()

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = tuple[int, bytes, bytes]
"""Status, content type, body."""


def run(settings: Settings, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT; whoever shares the data dir finds it at the loopback."""
    folder = prepare_data_dir(settings.data_dir) / "sink"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    announcement = folder / "url"
    secret = token(settings)
    access = Access(secret, {host, _host_of(settings.notification_service_url)})
    with SinkStore(folder / "notifications.jsonl") as store:
        announcement.write_text(f"http://{LOOPBACK}:{port}/notifications", encoding="ascii")
        log.info("the sink is open", page=page_url(port, secret))
        try:
            uvloop.run(serve(store, access, host, port))
        finally:
            announcement.unlink(missing_ok=True)


def _host_of(url: str | None) -> str:
    return (urlsplit(url).hostname if url else None) or LOOPBACK


def running_at(data_dir: Path) -> str | None:
    """The URL that the sink of this data dir takes notifications at; None when none runs."""
    try:
        return (data_dir / "sink" / "url").read_text(encoding="ascii")
    except FileNotFoundError:
        return None


async def serve(store: SinkStore, access: Access, host: str, port: int) -> None:
    """Serve `store` until a signal, or until cancelled."""
    server = Server(
        application(store, access),
        host,
        port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.serve()


def application(
    store: SinkStore, access: Access
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """POST / or /notifications takes one, GET / shows them, GET /notifications lists them.

    GET /health answers whoever asks.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        status, kind, body = await _answer(store, access, scope, receive)
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            *([(b"www-authenticate", b"Bearer")] if status == 401 else []),
            *HEADERS,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})

    return app


async def _answer(store: SinkStore, access: Access, scope: Scope, receive: Receive) -> Answer:
    headers = {name: bytes(value) for name, value in scope["headers"]}
    path = scope["path"].rstrip("/")
    if path == "/health":
        return 200, _JSON, b'{"status":"ok"}'
    if refusal := access.refusal(scope["method"], headers, scope["query_string"]):
        return _problem(refusal.status, refusal.detail)
    match scope["method"], path:
        case "POST", "" | "/notifications":
            return _take(store, headers.get(b"idempotency-key"), await _body(receive))
        case "GET" | "HEAD", "":
            return 200, _HTML, _page(store).encode()
        case "GET" | "HEAD", "/notifications":
            return _listing(store, scope["query_string"])
        case _, "" | "/notifications":
            return _problem(405, "only GET and POST are possible here")
    return _problem(404, "there is nothing here")


class _Notification(msgspec.Struct):
    id: str
    owner_id: str
    email: str
    message: str


_JSON = b"application/json"
_HTML = b"text/html; charset=utf-8"
_decode = msgspec.json.Decoder(_Notification).decode
_encode = msgspec.json.Encoder().encode


def _take(store: SinkStore, key: bytes | None, body: bytes | None) -> Answer:
    if body is None:
        return _problem(413, f"at most {LARGEST_BODY} bytes")
    try:
        notification = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _problem(400, str(error))
    is_new = store.take(
        key.decode("latin-1") if key else notification.id,
        Received(
            at=datetime.now(UTC),
            id=notification.id,
            owner_id=notification.owner_id,
            email=notification.email,
            message=notification.message,
        ),
    )
    return (201, _JSON, b'{"status":"taken"}') if is_new else (200, _JSON, b'{"status":"known"}')


def _problem(status: int, detail: str) -> Answer:
    return status, _JSON, _encode({"status": status, "detail": detail})


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None when it is too large."""
    body = bytearray()
    while len(body) <= LARGEST_BODY:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)
    return None


def _listing(store: SinkStore, query: bytes) -> Answer:
    asked = dict(parse_qsl(query.decode("latin-1")))
    limit = asked.get("limit", str(SHOWN))
    if not limit.isascii() or not limit.isdigit():
        return _problem(400, "limit must be a number")
    found = store.newest(int(limit[:9]), email=asked.get("email"))
    listing = {"total": store.total, "repeats": store.repeats, "notifications": list(found)}
    return 200, _JSON, _encode(listing)


_PAGE = Template((files("workers.sink") / "page.html").read_text("utf-8"))


def _page(store: SinkStore) -> str:
    shown = list(store.newest(SHOWN))
    return _PAGE.substitute(
        total=f"{store.total:,}",
        repeats=f"{store.repeats:,}",
        shown=len(shown),
        rows="\n".join(_row(received) for received in shown),
    )


def _row(received: Received) -> str:
    cells: Iterable[tuple[str, str]] = (
        ("time", f"{received.at:%Y-%m-%d %H:%M:%S}"),
        ("email", received.email),
        ("message", received.message),
        ("id", received.id),
    )
    return "<tr>" + "".join(f'<td class="{name}">{escape(t)}</td>' for name, t in cells) + "</tr>"
