"""`events-face webhooks`: what it prints, and how it ends."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import pytest

from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.processes import environment, events_face
from tests.support.sending import a_webhook, attempts_of, sending
from tests.support.webhook_endpoint import Endpoint

pytestmark = pytest.mark.anyio


async def test_webhooks_are_listed_with_their_attempts_and_sent_again(
    installation: Installation, settings: Settings, services: Services, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url, types=("event.created",))
    await installation.event("Fair")
    endpoint.answer_next(Answer(status=500))
    async with sending(installation):
        await attempts_of(installation, webhook, 1)
    surroundings, id = environment(settings, services), str(webhook.id)

    listed = events_face(surroundings, "webhooks", "list", "--json")
    (found,) = msgspec.json.decode(listed.out)
    assert (found["id"], found["url"], found["waiting"]) == (id, endpoint.url, 1)
    table = events_face(surroundings, "webhooks", "list")
    assert (table.code, table.err) == (0, "")
    assert all(shown in table.out for shown in (id, endpoint.url, "event.created", "enabled"))

    attempts = events_face(surroundings, "webhooks", "attempts", id)
    assert (attempts.code, attempts.err) == (0, "")
    assert "HTTP 500" in attempts.out

    resent = events_face(surroundings, "webhooks", "resend", id, "--after", "0")
    assert (resent.code, resent.err) == (0, "")
    (cursor,) = await installation.rows("webhook_cursors")
    assert cursor["position"] == 0
    assert await installation.rows("webhook_parked") == []

    beyond = events_face(surroundings, "webhooks", "resend", id, "--after", "999999")
    assert (beyond.code, beyond.out) == (1, "")
    assert "history ends at position" in beyond.err
    unknown = events_face(surroundings, "webhooks", "attempts", str(uuid4()))
    assert unknown.code == 1
    assert "there is no webhook" in unknown.err
