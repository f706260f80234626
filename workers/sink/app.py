"""The local sink: a real, small notification service, and an endpoint of webhooks, so that a person
sees what is sent.

It keeps what it gets in a file under DATA_DIR, one JSON line each, and shows it on a page, to those
who know its token (`workers.sink.access`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import structlog
from litestar import Litestar, Request, Response, Router, get, post, route
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.di import Provide
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Template
from litestar.template import TemplateConfig
from litestar.types import Message, Scope

from workers.sink.access import HEADERS, WEBHOOKS, Access
from workers.sink.received import Item, ReceivedItem, ReceivedNotification
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
    request: AnyRequest, notifications: Notifications, items: Items, access: Access
) -> Template:
    return Template(
        "page.html",
        context={
            "notifications": _shown(notifications),
            "items": _shown(items),
            "webhook_url": f"http://{request.url.netloc}{access.webhook_path}",
        },
    )


def _shown(store: SinkStore[Any]) -> dict[str, Any]:
    return {"total": store.total, "repeats": store.repeats, "newest": list(store.newest(SHOWN))}


@route("/notifications", http_method=READ)
async def list_newest(
    notifications: Notifications, limit: AtMost = SHOWN, email: str | None = None
) -> Listing:
    found = notifications.newest(limit, where=lambda each: email in (None, each.email))
    return Listing(notifications.total, notifications.repeats, list(found))


@route("/webhooks", http_method=READ)
async def list_newest_items(items: Items, limit: AtMost = SHOWN) -> ItemListing:
    return ItemListing(items.total, items.repeats, list(items.newest(limit)))


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


HANDLERS = [take, take_item, show, list_newest, list_newest_items]


def create_app(notifications: Notifications, items: Items, access: Access) -> Litestar:
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
            "items": Provide(lambda: items, sync_to_thread=False),
            "access": Provide(lambda: access, sync_to_thread=False),
        },
        exception_handlers={Exception: answer_failure},
        before_send=[_harden],
        template_config=TemplateConfig(directory=Path(__file__).parent, engine=JinjaTemplateEngine),
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
        message["headers"] = [*message["headers"], *HEADERS]
