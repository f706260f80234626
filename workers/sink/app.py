"""The local sink: a real, small notification service, and an endpoint of webhooks, so that a person
sees what is sent.

It keeps what it gets in a file under DATA_DIR, one JSON line each, and shows it on pages, to those
who know its token (`workers.sink.access`). Mails come by SMTP (`workers.sink.mail_listener`).
"""

from __future__ import annotations

import heapq
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import structlog
from litestar import Litestar, Request, Response, Router, get, post, route
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.di import Provide
from litestar.enums import HttpMethod, MediaType
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import Template
from litestar.template import TemplateConfig
from litestar.types import Message, Scope

from workers.sink.access import FRAMED, HEADERS, WEBHOOKS, Access
from workers.sink.mails import shown_mail
from workers.sink.received import Item, ReceivedItem, ReceivedMail, ReceivedNotification
from workers.sink.store import SinkStore

SHOWN = 50
"""Of each kind on the page, and in an answer to a query without a limit."""

LARGEST_BODY = 64 * 1024

LARGEST_BODY_READ = 1024 * 1024
"""A larger body is refused unread, and its client may find the connection closed instead."""

READ = (HttpMethod.GET, HttpMethod.HEAD)

log = structlog.get_logger()

AnyRequest = Request[Any, Any, Any]

AtMost = Annotated[int, QueryParameter(ge=0, le=1_000_000_000)]


class Notification(msgspec.Struct):
    id: str
    owner_id: str
    email: str
    message: str


class Listing(msgspec.Struct):
    total: int
    repeats: int
    notifications: list[ReceivedNotification]


class ItemListing(msgspec.Struct):
    total: int
    repeats: int
    items: list[ReceivedItem]


Notifications = SinkStore[ReceivedNotification]
Mails = SinkStore[ReceivedMail]
Items = SinkStore[ReceivedItem]


@post(["/", "/notifications"])
async def take(
    data: Notification,
    notifications: Notifications,
    key: Annotated[str, HeaderParameter(name="Idempotency-Key")] = "",
) -> Response[dict[str, str]]:
    received = ReceivedNotification(
        at=datetime.now(UTC),
        id=data.id,
        owner_id=data.owner_id,
        email=data.email,
        message=data.message,
    )
    if notifications.take(key or data.id, received):
        return Response({"status": "taken"}, status_code=201)
    return Response({"status": "known"}, status_code=200)


@post(f"{WEBHOOKS}{{token:path}}", status_code=204)
async def take_item(
    data: Item, items: Items, id: Annotated[str, HeaderParameter(name="webhook-id")]
) -> None:
    items.take(id, ReceivedItem(at=datetime.now(UTC), id=id, item=data))


@route("/", http_method=READ)
async def show(
    request: AnyRequest,
    notifications: Notifications,
    mails: Mails,
    items: Items,
    access: Access,
    takes_mails: bool,
) -> Template:
    return Template(
        "messages.html",
        context={
            "notifications": _shown(notifications),
            "mails": _shown(mails),
            "items": _shown(items),
            "takes_mails": takes_mails,
            "mail_path": lambda mail: _path(request, f"/mails/{mail.id}"),
            "webhook_url": f"http://{request.url.netloc}{access.webhook_path}",
        },
    )


def _shown(store: SinkStore[Any]) -> dict[str, Any]:
    return {"total": store.total, "repeats": store.repeats, "newest": list(store.newest(SHOWN))}


@route("/notifications", http_method=READ)
async def list_newest(
    notifications: Notifications, mails: Mails, limit: AtMost = SHOWN, email: str | None = None
) -> Listing:
    """Mails are among them, as their plain text."""
    found = notifications.newest(limit, where=lambda each: email in (None, each.email))
    mailed = mails.newest(limit, where=lambda each: email in (None, each.recipient))
    both = heapq.merge(
        found, (mail.notification for mail in mailed), key=lambda each: each.at, reverse=True
    )
    return Listing(
        notifications.total + mails.total,
        notifications.repeats + mails.repeats,
        list(islice(both, limit)),
    )


@route("/webhooks", http_method=READ)
async def list_newest_items(items: Items, limit: AtMost = SHOWN) -> ItemListing:
    return ItemListing(items.total, items.repeats, list(items.newest(limit)))


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@route("/mails/{id:str}", http_method=READ)
async def show_mail(request: AnyRequest, mails: Mails, id: FromPath[str]) -> Template:
    received = _found(mails, id)
    return Template(
        "mail.html",
        context={
            "received": received,
            "mail": shown_mail(received.content),
            "list_path": _path(request, "/"),
            "html_path": _path(request, f"/mails/{id}/html"),
            "file_path": _path(request, f"/mails/{id}/file"),
        },
    )


@route("/mails/{id:str}/html", http_method=READ)
async def show_html(mails: Mails, id: FromPath[str]) -> Response[str]:
    return Response(
        shown_mail(_found(mails, id).content).html,
        media_type=MediaType.HTML,
        headers={"Content-Security-Policy": FRAMED},
    )


@route("/mails/{id:str}/file", http_method=READ)
async def download(mails: Mails, id: FromPath[str]) -> Response[bytes]:
    return Response(
        _found(mails, id).content,
        media_type="message/rfc822",
        headers={"Content-Disposition": 'attachment; filename="mail.eml"'},
    )


def _found(mails: Mails, id: str) -> ReceivedMail:
    for mail in mails.newest(1, where=lambda each: each.id == id):
        return mail
    raise NotFoundException("there is no such mail, or it is too old")


def _path(request: AnyRequest, path: str) -> str:
    """With the token, where the request has it in its address."""
    token = request.query_params.get("token")
    return f"{path}?token={quote(token, safe='')}" if token else path


HANDLERS = [
    take,
    take_item,
    show,
    list_newest,
    list_newest_items,
    show_mail,
    show_html,
    download,
]


def create_app(
    notifications: Notifications,
    mails: Mails,
    items: Items,
    access: Access,
    *,
    takes_mails: bool,
) -> Litestar:
    """`/health` answers everyone. Without access every other request is refused alike, also for
    unknown paths."""

    def refused(request: AnyRequest) -> Response[Any] | None:
        scope = request.scope
        refusal = access.refusal(
            scope["method"], dict(scope["headers"]), scope["query_string"], scope["path"]
        )
        return _problem(refusal.status, refusal.detail) if refusal else None

    async def check(request: AnyRequest) -> Response[Any] | None:
        refusal = refused(request)
        if refusal is None and len(await request.body()) > LARGEST_BODY:
            return _problem(413, f"at most {LARGEST_BODY} bytes")
        return refusal

    def answer_failure(request: AnyRequest, error: Exception) -> Response[Any]:
        return refused(request) or _failure(error)

    return Litestar(
        [health, Router("/", route_handlers=HANDLERS, before_request=check)],
        dependencies={
            "notifications": Provide(lambda: notifications, sync_to_thread=False),
            "mails": Provide(lambda: mails, sync_to_thread=False),
            "takes_mails": Provide(lambda: takes_mails, sync_to_thread=False),
            "items": Provide(lambda: items, sync_to_thread=False),
            "access": Provide(lambda: access, sync_to_thread=False),
        },
        exception_handlers={Exception: answer_failure},
        before_send=[_harden],
        template_config=TemplateConfig(
            directory=Path(__file__).parent / "templates", engine=JinjaTemplateEngine
        ),
        request_max_body_size=LARGEST_BODY_READ,
        openapi_config=None,
        logging_config=None,
    )


def _failure(error: Exception) -> Response[Any]:
    if isinstance(error, UnicodeDecodeError | RecursionError):
        return _problem(400, "the body is not JSON in UTF-8")
    if isinstance(error, HTTPException):
        return _problem(error.status_code, error.detail, error.extra)
    log.error("a request failed", exc_info=error)
    return _problem(500, "this is a bug of the sink: see its log")


def _problem(status: int, detail: str, extra: object = None) -> Response[Any]:
    return Response(
        {"status": status, "detail": detail} | ({"extra": extra} if extra else {}),
        status_code=status,
        headers={"WWW-Authenticate": "Bearer"} if status == 401 else None,
    )


async def _harden(message: Message, _: Scope) -> None:
    if message["type"] == "http.response.start":
        own = {name for name, _ in message["headers"]}
        message["headers"] = [
            *message["headers"],
            *((name, value) for name, value in HEADERS if name not in own),
        ]
