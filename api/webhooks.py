"""`/api/webhooks`: endpoints of other systems that get the items of the feed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType
from psycopg import AsyncConnection

from api.database.query import Query, run_query
from api.http.access import Permission
from api.http.dispatch import answered, answered_once, expected_version
from api.http.examples import ACCOUNT_ID, EVENT_ID, WEBHOOK_ID, example
from api.http.reads import Limit, Offset, unless_known
from api.http.refusals import Forbidden
from api.http.requests import Request
from api.http.responses import (
    Answer,
    Listing,
    Pagination,
    Ready,
    created,
    json_response,
    no_content,
    not_stored,
)
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Position
from domain.endpoints import Endpoint, get_endpoint, list_endpoints
from domain.feed.item import ItemType
from domain.history.batch import Done
from domain.history.idempotency import Once
from domain.history.replays import done_once
from domain.history.store import last_position
from domain.webhook_secrets import new_secret, seal_secret
from domain.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    DeleteWebhook,
    RollWebhookSecret,
    TooManyWebhooks,
    WebhookUrl,
)
from domain.webhooks import Webhook as WebhookAggregate
from projections import webhook_deliveries
from projections.webhook_deliveries import Attempt
from runtime.public_addresses import is_known_to_be_private

_FIELDS: dict[str, Any] = {
    "url": "https://example.com/events-face",
    "types": ["visitor.registered", "visitor.cancelled"],
    "event_id": EVENT_ID,
    "personal": False,
}

_SECRET = "whsec_" + 43 * "x" + "="

NOT_PUBLIC = "must have the address of a host of the internet (WEBHOOK_PRIVATE_NETWORKS is off)"


@example(**_FIELDS)
class NewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """Without `types`, all of them. Without `event_id`, the items of all events."""

    url: WebhookUrl
    types: tuple[ItemType, ...] = ()
    event_id: UUID | None = None
    personal: bool = False


@example(enabled=True)
class WebhookChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that are left out stay unchanged."""

    url: WebhookUrl | UnsetType = UNSET
    types: tuple[ItemType, ...] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


@example(after=41)
class Resend(msgspec.Struct, frozen=True, kw_only=True):
    after: Position


@example(id=WEBHOOK_ID, **_FIELDS, enabled=True, secret=_SECRET)
class WebhookWithSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The only response that shows `secret`."""

    id: UUID
    url: str
    types: tuple[str, ...]
    event_id: UUID | None
    personal: bool
    enabled: bool
    secret: str


@example(
    id=WEBHOOK_ID,
    **_FIELDS,
    enabled=True,
    disabled_because=None,
    created_at="2030-05-17T09:00:00Z",
    created_by=ACCOUNT_ID,
)
class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """`disabled_because` is null unless Events-Face disabled it."""

    id: UUID
    url: str
    types: list[str]
    event_id: UUID | None
    personal: bool
    enabled: bool
    disabled_because: str | None
    created_at: datetime
    created_by: str


example(
    position=42,
    type="visitor.registered",
    at="2030-05-17T09:00:00Z",
    status=204,
    answer_ms=31,
    error=None,
)(Attempt)


class WebhookCalls(Controller):
    path = "/api/webhooks"
    tags = ("webhooks",)
    opt = {"access": Permission.MANAGE_WEBHOOKS, "of_events": True}  # noqa: RUF012  Litestar's own type for it

    @post("/", summary="Create a webhook", opt={"problems": [Forbidden, TooManyWebhooks]})
    async def create_webhook(
        self, request: Request, data: JSONBody[NewWebhook]
    ) -> Response[Answer[WebhookWithSecret]]:
        """Each item of the feed from now on is sent to `url` as a POST, signed after Standard
        Webhooks. The response shows `secret`, and no other does. `personal` needs the right to read
        names and emails."""
        check_address(request, data.url)
        if data.personal and not request.may_read_personal:
            raise Forbidden
        _check_event(request, data.event_id)
        secret = new_secret()
        command = CreateWebhook(
            **msgspec.structs.asdict(data),
            sealed_secret=seal_secret(request.connections.keys, secret),
        )

        def respond(webhook: WebhookAggregate) -> Response[Any]:
            answer = Answer(data=_with_secret(webhook, secret))
            location = f"{self.path}/{webhook.id}"
            return not_stored(created(answer, location, version=webhook.version))

        return await answered(request, command, respond)

    @get("/", summary="List the webhooks", opt={"tagged": True})
    async def list_webhooks(
        self, request: Request, limit: Limit = 10, offset: Offset = 0
    ) -> Response[Listing[Webhook]]:
        """The oldest first, disabled ones included. Always up to date."""
        rows = await run_query(
            request.connections.primary, lambda c: list_endpoints(c, request.event_ids)
        )
        listing = Listing(
            data=[_webhook(row) for row in rows[offset : offset + limit]],
            pagination=Pagination(offset=offset, limit=limit, total=len(rows)),
        )
        return unless_known(request, json_response(listing, version=0))

    @get("/{webhook_id:uuid}", summary="Read one webhook", opt={"tagged": True})
    async def get_webhook(
        self, request: Request, webhook_id: FromPath[UUID]
    ) -> Response[Answer[Webhook]]:
        """Always up to date."""
        row = await existing_endpoint(request, webhook_id)
        return unless_known(request, _shown(row))

    @patch(
        "/{webhook_id:uuid}",
        summary="Change a webhook",
        opt={"versioned": True, "problems": [Forbidden]},
    )
    async def change_webhook(
        self, request: Request, webhook_id: FromPath[UUID], data: JSONBody[WebhookChanges]
    ) -> Response[Answer[Webhook]]:
        """Once it is enabled again, it goes on with the first item that was not sent. Another
        `url` of a webhook with `personal` needs the right to read names and emails."""
        row = await existing_endpoint(request, webhook_id)
        if data.url is not UNSET:
            check_address(request, data.url)
            if row.personal and not request.may_read_personal:
                raise Forbidden
        command = ChangeWebhook(
            webhook_id=webhook_id,
            url=_given(data.url),
            types=_given(data.types),
            enabled=_given(data.enabled),
            expected_version=expected_version(request),
        )
        return await answered(request, command, _shown, complete=_row_of)

    @delete("/{webhook_id:uuid}", summary="Delete a webhook", opt={"versioned": True})
    async def delete_webhook(self, request: Request, webhook_id: FromPath[UUID]) -> Response[None]:
        """Nothing more is sent. Its attempts are removed."""
        await _check_restriction(request, webhook_id)
        command = DeleteWebhook(webhook_id=webhook_id, expected_version=expected_version(request))
        return await answered(request, command, no_content)

    @post(
        "/{webhook_id:uuid}/test",
        status_code=202,
        summary="Send a test",
        opt={"command": False},
    )
    async def test_webhook(
        self, request: Request, webhook_id: FromPath[UUID]
    ) -> Response[Answer[None]]:
        """Sends an item of the type `webhook.test` with the position 0, at once and only once, also
        if the webhook is disabled. The outcome is in its attempts."""
        await existing_endpoint(request, webhook_id)
        return await requested(request, lambda c: webhook_deliveries.request_test(c, webhook_id))

    @post("/{webhook_id:uuid}/roll", status_code=200, summary="Give a webhook another secret")
    async def roll_secret(
        self, request: Request, webhook_id: FromPath[UUID]
    ) -> Response[Answer[WebhookWithSecret]]:
        """Both secrets sign for a day. The response shows the new `secret`, and no other does."""
        await _check_restriction(request, webhook_id)
        secret = new_secret()
        sealed = seal_secret(request.connections.keys, secret)
        command = RollWebhookSecret(webhook_id=webhook_id, sealed_secret=sealed)

        def respond(webhook: WebhookAggregate) -> Response[Any]:
            return not_stored(json_response(Answer(data=_with_secret(webhook, secret))))

        return await answered(request, command, respond)

    @post(
        "/{webhook_id:uuid}/resend",
        status_code=202,
        summary="Send items again",
        opt={"command": False},
    )
    async def resend(
        self, request: Request, webhook_id: FromPath[UUID], data: JSONBody[Resend]
    ) -> Response[Answer[None]]:
        """Sends all items after the position again, each under its former `webhook-id`. Items from
        before the webhook was created are sent, too."""
        await existing_endpoint(request, webhook_id)
        await check_position(request, data.after)
        return await requested(
            request, lambda c: webhook_deliveries.resend(c, webhook_id, data.after)
        )

    @get("/{webhook_id:uuid}/attempts", summary="List the calls of a webhook")
    async def list_attempts(
        self,
        request: Request,
        webhook_id: FromPath[UUID],
        limit: Limit = 10,
        offset: Offset = 0,
    ) -> Response[Listing[Attempt]]:
        """The newest first, 10,000 at most; they are kept for seven days. `error` is null if the
        item was taken; `status` is null without an answer."""
        await existing_endpoint(request, webhook_id)
        primary = request.connections.primary
        total = await run_query(primary, lambda c: webhook_deliveries.count_attempts(c, webhook_id))
        rows = await run_query(
            primary,
            lambda c: webhook_deliveries.list_attempts(c, webhook_id, limit=limit, offset=offset),
        )
        pagination = Pagination(offset=offset, limit=limit, total=total)
        listing = Listing(data=rows, pagination=pagination)
        return json_response(listing)


async def existing_endpoint(request: Request, id: UUID) -> Endpoint:
    """Raises NotFound, also for one that the caller may not see."""
    row = await run_query(request.connections.primary, lambda c: get_endpoint(c, id))
    allowed = request.event_ids
    if row is None or (allowed is not None and row.event_id not in allowed):
        raise NotFound("webhook", id)
    return row


async def check_position(request: Request, after: int) -> None:
    """Raises InvalidFields if history does not have the position."""
    if after > await run_query(request.connections.primary, last_position):
        raise InvalidFields(after="is beyond the end of history")


async def requested(request: Request, make_request: Query[None]) -> Response[Any]:
    """202, once the request to the workers is stored."""

    async def write(once: Once | None) -> Done:
        async def write_on(connection: AsyncConnection[Any]) -> Done:
            async def request_it() -> Done:
                await make_request(connection)
                return Done(None, 0)

            async with connection.transaction():
                return await done_once(connection, once, request_it)

        return await run_query(request.connections.primary, write_on)

    return await answered_once(request, write, _accepted)


def _accepted(_: object) -> Response[Any]:
    return json_response(Answer(data=None), status_code=202)


async def _check_restriction(request: Request, id: UUID) -> None:
    """Raises NotFound if the caller may not see the webhook. Whether there is one, the command
    finds out; but not if it was done before."""
    if request.event_ids is not None:
        await existing_endpoint(request, id)


def check_address(request: Request, url: WebhookUrl) -> None:
    """Other names are checked when a worker connects. Raises InvalidFields."""
    if not request.settings.webhook_private_networks and is_known_to_be_private(url.host):
        raise InvalidFields(url=NOT_PUBLIC)


def _check_event(request: Request, event_id: UUID | None) -> None:
    """Raises InvalidFields."""
    allowed = request.event_ids
    if allowed is not None and event_id not in allowed:
        raise InvalidFields(event_id="must be an event that your API key is restricted to")


def _given(value: Any) -> Any:
    return None if value is UNSET else value


def _with_secret(webhook: WebhookAggregate, secret: str) -> WebhookWithSecret:
    return WebhookWithSecret(
        id=webhook.id,
        url=webhook.url,
        types=webhook.types,
        event_id=webhook.event_id,
        personal=webhook.personal,
        enabled=webhook.enabled,
        secret=secret,
    )


async def _row_of(connection: AsyncConnection[Any], webhook: WebhookAggregate) -> Endpoint:
    row = await get_endpoint(connection, webhook.id)
    if row is None:
        raise NotFound("webhook", webhook.id)
    return row


def _shown(row: Endpoint) -> Ready:
    return json_response(Answer(data=_webhook(row)), version=row.version)


def _webhook(row: Endpoint) -> Webhook:
    return Webhook(
        id=row.id,
        url=row.url,
        types=row.types,
        event_id=row.event_id,
        personal=row.personal,
        enabled=row.enabled,
        disabled_because=row.disabled_because,
        created_at=row.created_at,
        created_by=row.made_by,
    )
