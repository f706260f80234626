"""The rows of webhooks, with their sealed secrets. They are inline projections, so a change is in
force when its command is answered."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from domain.core.unit_of_work import Work
from domain.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    DeleteWebhook,
    DisableWebhook,
    RollWebhookSecret,
    Webhook,
)

FORMER_SECRET_SIGNS_FOR = timedelta(days=1)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `webhooks`."""

    id: UUID
    version: int
    url: str
    types: list[str]
    event_id: UUID | None
    personal: bool
    enabled: bool
    disabled_because: str | None
    secret: bytes
    former_secret: bytes | None
    """None when it signs no longer."""
    made_by: str
    created_at: datetime
    created_position: int


COLUMNS = """
    id, version, url, types, event_id, personal, enabled, disabled_because, secret,
    CASE WHEN former_until > now() THEN former_secret END AS former_secret,
    made_by, created_at, created_position
"""


async def insert_endpoint(
    connection: AsyncConnection[Any], command: CreateWebhook, work: Work
) -> None:
    (recorded,) = work.recorded
    webhook = work.get(Webhook, recorded.originator_id)
    await connection.execute(
        """
        INSERT INTO webhooks (id, version, url, types, event_id, personal, enabled, secret,
                              made_by, created_at, created_position)
        SELECT %(id)s, %(version)s, %(url)s, %(types)s, %(event_id)s, %(personal)s, true,
               %(secret)s, %(made_by)s, %(created_at)s, notification_id
        FROM history_events WHERE originator_id = %(id)s AND originator_version = %(version)s
        """,
        {
            "id": webhook.id,
            "version": webhook.version,
            "url": webhook.url,
            "types": list(webhook.types),
            "event_id": webhook.event_id,
            "personal": webhook.personal,
            "secret": command.sealed_secret,
            "made_by": recorded.metadata.actor,
            "created_at": recorded.metadata.timestamp,
        },
    )


async def update_endpoint(
    connection: AsyncConnection[Any], command: ChangeWebhook | DisableWebhook, work: Work
) -> None:
    webhook = work.get(Webhook, command.webhook_id)
    await connection.execute(
        """
        UPDATE webhooks
        SET version = %s, url = %s, types = %s, enabled = %s, disabled_because = %s
        WHERE id = %s
        """,
        [
            webhook.version,
            webhook.url,
            list(webhook.types),
            webhook.enabled,
            webhook.disabled_because,
            webhook.id,
        ],
    )


async def update_secret(
    connection: AsyncConnection[Any], command: RollWebhookSecret, work: Work
) -> None:
    webhook = work.get(Webhook, command.webhook_id)
    await connection.execute(
        """
        UPDATE webhooks
        SET version = %s, former_secret = secret, former_until = %s, secret = %s
        WHERE id = %s
        """,
        [webhook.version, work.now + FORMER_SECRET_SIGNS_FOR, command.sealed_secret, webhook.id],
    )


async def delete_endpoint(
    connection: AsyncConnection[Any], command: DeleteWebhook, _: Work
) -> None:
    await connection.execute("DELETE FROM webhooks WHERE id = %s", [command.webhook_id])


async def with_number_of_webhooks(
    connection: AsyncConnection[Any], command: CreateWebhook
) -> CreateWebhook:
    cursor = await connection.execute("SELECT count(*) FROM webhooks")
    row = await cursor.fetchone()
    return msgspec.structs.replace(command, existing=row[0] if row else 0)


async def get_endpoint(connection: AsyncConnection[Any], id: UUID) -> Endpoint | None:
    async with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        await cursor.execute(f"SELECT {COLUMNS} FROM webhooks WHERE id = %s", [id])  # noqa: S608
        return await cursor.fetchone()


async def list_endpoints(
    connection: AsyncConnection[Any], event_ids: Collection[UUID] | None = None
) -> list[Endpoint]:
    """The oldest first; `event_ids`: only webhooks for one of these events."""
    async with connection.cursor(row_factory=class_row(Endpoint)) as cursor:
        await cursor.execute(
            f"""
            SELECT {COLUMNS} FROM webhooks
            WHERE %(all)s OR event_id = ANY(%(event_ids)s::uuid[])
            ORDER BY created_position
            """,  # noqa: S608
            {"all": event_ids is None, "event_ids": list(event_ids or ())},
        )
        return await cursor.fetchall()
