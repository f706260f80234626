"""`/admin/webhooks/`: organizers create webhooks, and see how they are sent. A secret is shown
once, by the response to the form that made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.kit.conflicts import last_change
from api.admin.kit.history_entries import timeline_for
from api.admin.kit.pages import page, see
from api.admin.kit.paging import Pages, page_number
from api.database.query import run_query
from api.html.forms import Form, parsed, refused, seen_version, sent_form, whole_number
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.requests import Request
from api.webhooks import NewWebhook, check_address, check_position, existing_endpoint
from domain.core.errors import ChangedMeanwhile, InvalidFields
from domain.endpoints import Endpoint, list_endpoints
from domain.feed.item import ITEM_TYPES
from domain.webhook_secrets import new_secret, seal_secret
from domain.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    DeleteWebhook,
    RollWebhookSecret,
    TooManyWebhooks,
)
from projections import webhook_deliveries
from projections.lists.names import names_of
from projections.webhook_deliveries import count_attempts, list_attempts, progress_of

WEBHOOKS = "/admin/webhooks/"
PAGE_SIZE = 50


class WebhookPages(Controller):
    path = "/webhooks"
    opt = {"access": Permission.MANAGE_WEBHOOKS}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def list_webhooks(self, request: Request) -> Response[str]:
        async def query(connection: AsyncConnection[Any]) -> list[tuple[Endpoint, Any]]:
            rows = await list_endpoints(connection)
            return [(row, await progress_of(connection, row.id)) for row in rows]

        found = await run_query(request.connections.primary, query)
        return page(request, "webhooks/list.html", webhooks=found)

    @get("/new")
    async def new_webhook(self, request: Request) -> Response[str]:
        return _form(request, Form(), None)

    @post("/new")
    async def create_webhook(self, request: Request) -> Response[str]:
        sent = await sent_form(request)
        secret = new_secret()
        try:
            new = _parsed(request, sent)
            sealed = seal_secret(request.connections.keys, secret)
            command = CreateWebhook(**msgspec.structs.asdict(new), sealed_secret=sealed)
            done = await execute(request, command)
        except (InvalidFields, TooManyWebhooks) as error:
            return _form(request, refused(sent, error), None, status_code=422)
        return page(request, "webhooks/secret.html", webhook=done.value, secret=secret)

    @get("/{webhook_id:uuid}")
    async def webhook(self, request: Request, webhook_id: FromPath[UUID]) -> Response[str]:
        return await _shown(request, webhook_id)

    @get("/{webhook_id:uuid}/edit")
    async def edit_webhook(self, request: Request, webhook_id: FromPath[UUID]) -> Response[str]:
        row = await existing_endpoint(request, webhook_id)
        return _form(request, _filled(row), row)

    @post("/{webhook_id:uuid}/edit")
    async def change_webhook(self, request: Request, webhook_id: FromPath[UUID]) -> Response[Any]:
        sent = await sent_form(request)
        row = await existing_endpoint(request, webhook_id)
        try:
            new = _parsed(request, sent)
            command = ChangeWebhook(
                webhook_id=webhook_id,
                url=new.url,
                types=new.types,
                expected_version=seen_version(sent),
            )
            done = await execute(request, command)
        except InvalidFields as error:
            return _form(request, refused(sent, error), row, status_code=422)
        except ChangedMeanwhile:
            change = await last_change(request, webhook_id)
            form = Form(
                {**sent, "version": str(row.version)},
                {
                    "": "Someone else changed this webhook in the meantime. The last change:"
                    f" {change.who} {change.what}."
                },
            )
            return _form(request, form, row, status_code=412)
        return _see(request, webhook_id, done.position, "The webhook was changed.")

    @post("/{webhook_id:uuid}/enable")
    async def enable(self, request: Request, webhook_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, ChangeWebhook(webhook_id=webhook_id, enabled=True))
        notice = "The webhook is enabled. It goes on with the first item that was not sent."
        return _see(request, webhook_id, done.position, notice)

    @post("/{webhook_id:uuid}/disable")
    async def disable(self, request: Request, webhook_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, ChangeWebhook(webhook_id=webhook_id, enabled=False))
        return _see(request, webhook_id, done.position, "The webhook is disabled.")

    @post("/{webhook_id:uuid}/test")
    async def test_webhook(self, request: Request, webhook_id: FromPath[UUID]) -> Response[Any]:
        await existing_endpoint(request, webhook_id)
        await run_query(
            request.connections.primary, lambda c: webhook_deliveries.request_test(c, webhook_id)
        )
        notice = "A test is sent now. Reload this page to see the answer."
        return _see(request, webhook_id, None, notice)

    @post("/{webhook_id:uuid}/resend")
    async def resend(self, request: Request, webhook_id: FromPath[UUID]) -> Response[Any]:
        sent = await sent_form(request)
        await existing_endpoint(request, webhook_id)
        after = whole_number(sent.get("after", ""))
        try:
            if after is None:
                raise InvalidFields(after="must be a position in history: a whole number")
            await check_position(request, after)
        except InvalidFields as error:
            return await _shown(request, webhook_id, refused(sent, error), status_code=422)
        await run_query(
            request.connections.primary, lambda c: webhook_deliveries.resend(c, webhook_id, after)
        )
        notice = f"The items after position {after} are sent again."
        return _see(request, webhook_id, None, notice)

    @post("/{webhook_id:uuid}/roll")
    async def roll_secret(self, request: Request, webhook_id: FromPath[UUID]) -> Response[str]:
        secret = new_secret()
        sealed = seal_secret(request.connections.keys, secret)
        command = RollWebhookSecret(webhook_id=webhook_id, sealed_secret=sealed)
        done = await execute(request, command)
        return page(request, "webhooks/secret.html", webhook=done.value, secret=secret)

    @get("/{webhook_id:uuid}/delete")
    async def confirm_deletion(self, request: Request, webhook_id: FromPath[UUID]) -> Response[str]:
        row = await existing_endpoint(request, webhook_id)
        return page(request, "webhooks/delete.html", webhook=row)

    @post("/{webhook_id:uuid}/delete")
    async def delete_webhook(self, request: Request, webhook_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, DeleteWebhook(webhook_id=webhook_id))
        notice = "The webhook was deleted."
        return see(request, WEBHOOKS, position=done.position, notice=notice)


def _parsed(request: Request, sent: Mapping[str, str]) -> NewWebhook:
    """The fields as the API takes them. Raises InvalidFields."""
    new = parsed(
        NewWebhook,
        {
            "url": sent.get("url", ""),
            "types": [type for type in ITEM_TYPES if f"type {type}" in sent],
            "event_id": sent.get("event_id", "").strip() or None,
            "personal": "personal" in sent,
        },
    )
    check_address(request, new.url)
    return new


def _filled(row: Endpoint) -> Form:
    types = {f"type {type}": "on" for type in row.types}
    return Form({"url": row.url, "version": str(row.version), **types})


def _form(
    request: Request, form: Form, row: Endpoint | None, status_code: int = 200
) -> Response[str]:
    return page(
        request,
        "webhooks/form.html",
        status_code=status_code,
        form=form,
        webhook=row,
        types={type: data.summary for type, data in ITEM_TYPES.items()},
    )


def _see(request: Request, id: UUID, position: int | None, notice: str) -> Response[Any]:
    return see(request, f"{WEBHOOKS}{id}", position=position, notice=notice)


async def _shown(
    request: Request, id: UUID, form: Form | None = None, status_code: int = 200
) -> Response[str]:
    row = await existing_endpoint(request, id)
    number = page_number(request)

    async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
        total = await count_attempts(connection, id)
        offset = (number - 1) * PAGE_SIZE
        return {
            "progress": await progress_of(connection, id),
            "attempts": await list_attempts(connection, id, limit=PAGE_SIZE, offset=offset),
            "pages": Pages(number, PAGE_SIZE, total),
            "timeline": await timeline_for(request, connection, id),
            "names": await names_of(connection, [row.event_id] if row.event_id else []),
        }

    found = await run_query(request.connections.primary, query)
    return page(
        request,
        "webhooks/webhook.html",
        status_code=status_code,
        webhook=row,
        form=form or Form(),
        **found,
    )
