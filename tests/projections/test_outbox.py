"""The rows of each registration: the visitor, and the notification in the outbox."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from domain.notifications import QueueAgain, RecordDelivery
from projections import visitors
from projections.backlog import count_by_state
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio


async def only_row(installation: Installation) -> dict[str, Any]:
    (row,) = await installation.rows("outbox")
    return row


async def test_a_registration_becomes_a_visitor_and_a_waiting_message(
    installation: Installation,
) -> None:
    event = await installation.event()
    (visitor,) = await installation.register(event, "ada@example.org")
    await installation.project()

    row = await visitors.get_visitor(installation.connection, installation.keys, visitor)
    assert row is not None
    assert (row.event_id, row.full_name, row.email) == (event, "Ada Lovelace", "ada@example.org")
    message = await only_row(installation)
    code = msgspec.json.decode(message["facts"])["code"]
    assert (message["kind"], len(code), code.isdecimal()) == ("registered", 4, True)
    assert (message["visitor_id"], message["event_id"]) == (str(visitor), str(event))
    assert (message["state"], message["attempts"], message["erased"]) == ("waiting", 0, False)
    assert message["correlation_id"] == "a-request"
    assert message["position"] == message["person_position"] == row.position
    assert datetime.fromisoformat(message["due_at"]) <= datetime.now(UTC)


async def test_rows_of_an_erased_person_have_no_name_and_no_email_and_are_marked(
    installation: Installation,
) -> None:
    event = await installation.event()
    (visitor,) = await installation.register(event, "ada@example.org")
    await installation.connection.execute("DELETE FROM personal_keys")
    await installation.project()
    row = await visitors.get_visitor(installation.connection, installation.keys, visitor)
    assert row is not None
    assert (row.full_name, row.email) == (None, None)
    assert (await only_row(installation))["erased"]


async def test_a_message_follows_its_outcomes(installation: Installation) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    await installation.project()
    id = UUID((await only_row(installation))["id"])

    await installation.give(RecordDelivery(notification_id=id, failure="no such mailbox"))
    await installation.project()
    row = await only_row(installation)
    assert (row["state"], row["last_error"]) == ("failed", "no such mailbox")
    assert row["concluded_at"] is not None

    await installation.give(QueueAgain(notification_id=id))
    await installation.project()
    row = await only_row(installation)
    assert (row["state"], row["concluded_at"], row["attempts"]) == ("waiting", None, 0)

    await installation.give(RecordDelivery(notification_id=id))
    await installation.project()
    assert (await only_row(installation))["state"] == "sent"
    assert await count_by_state(installation.connection) == {"waiting": 0, "sent": 1, "failed": 0}


async def test_the_last_of_several_outcomes_in_one_batch_counts(
    installation: Installation,
) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    await installation.project()
    id = UUID((await only_row(installation))["id"])
    await installation.give(RecordDelivery(notification_id=id, failure="no such mailbox"))
    await installation.give(QueueAgain(notification_id=id))
    await installation.give(RecordDelivery(notification_id=id, failure="mailbox full"))
    await installation.project()
    row = await only_row(installation)
    assert (row["state"], row["last_error"]) == ("failed", "mailbox full")


async def test_a_row_with_a_recorded_outcome_is_not_changed(installation: Installation) -> None:
    await installation.register(await installation.event(), "ada@example.org")
    await installation.project()
    id = UUID((await only_row(installation))["id"])
    async with installation.connection.transaction():
        await installation.give(RecordDelivery(notification_id=id))
        await installation.connection.execute(
            "UPDATE outbox SET state = 'sent', attempts = 3, concluded_at = now()"
        )
    settled = await only_row(installation)
    _, version, _, _ = await installation.standing("outbox")
    await installation.project()
    assert await only_row(installation) == settled
    assert (await installation.standing("outbox"))[1] == version


async def test_only_new_and_requeued_messages_wake_the_deliverers(
    installation: Installation,
) -> None:
    async with await psycopg.AsyncConnection.connect(
        installation.database_url, autocommit=True
    ) as listener:
        await listener.execute("LISTEN outbox")

        async def notified() -> int:
            await installation.project()
            await listener.execute("SELECT 1")  # whatever was announced has arrived with the answer
            return len([n async for n in listener.notifies(timeout=0)])

        event = await installation.event()
        assert await notified() == 0
        await installation.register(event, "ada@example.org", "bob@example.org")
        assert await notified() == 1
        id = UUID((await installation.rows("outbox"))[0]["id"])
        await installation.give(RecordDelivery(notification_id=id, failure="no such mailbox"))
        assert await notified() == 0
        await installation.give(QueueAgain(notification_id=id))
        assert await notified() == 1
