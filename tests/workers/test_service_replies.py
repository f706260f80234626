"""What the service said of a message that it did not take: kept for organizers, as long as the
person is known."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from domain.notifications import Failed
from projections.service_replies import replies_to
from tests.support.database_contents import tables_with
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.messages import LINK, outgoing
from tests.support.notification_service import NotificationService
from tests.workers.outboxes import forget_everybody, history_of, make_due, registered, the_row
from workers.delivery.deliverer import Delivery
from workers.delivery.said import LONGEST, readable

pytestmark = pytest.mark.anyio

EMAIL = "ada.lovelace@example.org"


async def replies(installation: Installation) -> list[str]:
    row = await the_row(installation)
    found = await replies_to(installation.connection, installation.keys, [UUID(row["id"])])
    return list(found.values())


async def test_what_the_service_said_is_kept_encrypted_and_goes_with_the_person(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, EMAIL)
    code = msgspec.json.decode((await the_row(installation))["facts"])["code"]
    service.usual = Answer(
        status=422, body=f'{{"error": "no such\0 mailbox:\r\n {EMAIL}", "code": {code}}}'.encode()
    )
    with capture_logs() as logs:
        assert (await delivery.drain()).failed == 1
    assert await replies(installation) == [f'{{"error": "no such mailbox: {EMAIL}", "code": ****}}']
    assert (await the_row(installation))["last_error"] == "HTTP 422"
    (failed,) = await history_of(installation, Failed)
    assert isinstance(failed.event, Failed)
    assert failed.event == Failed(reason="HTTP 422", visitor_id=failed.event.visitor_id)
    assert EMAIL not in str(logs)
    assert tables_with(installation.database_url, [EMAIL, "no such"]) == set()
    await forget_everybody(installation.connection)
    assert await replies(installation) == []


async def test_only_the_last_reply_is_kept_and_none_once_the_message_is_sent(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, EMAIL)
    for reply in (b"busy", b"still busy"):
        service.answer_next(Answer(status=503, body=reply))
        await delivery.drain()
        assert await replies(installation) == [reply.decode()]
        await make_due(installation)
    assert (await delivery.drain()).sent == 1
    assert await installation.rows("service_replies") == []


def test_a_reply_is_one_short_line_without_the_secrets_of_the_message() -> None:
    message = outgoing(ticket="the-ticket")
    said = f"0042\x1b[31m at {LINK}\u202e or the-ticket\n\u2028<b>x</b>\ufffd"
    assert readable(said, message) == "**** [31m at **** or **** <b>x</b>\ufffd"
    assert readable("\0\n\u200b", message) == ""
    long = readable("x" * 2_000, message)
    assert (len(long), long[-2:]) == (LONGEST, "x…")
