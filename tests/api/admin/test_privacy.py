"""What the panel says of how long people are kept, and the file with all about one of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg import AsyncConnection

from domain.audit.disclosures import PersonExported
from domain.history.store import read_events
from tests.api.admin.panel import Panel
from tests.api.forgetting import EMAIL, register
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


async def test_the_pages_of_an_event_and_its_visitors_say_when_they_are_forgotten(
    api: Api, organizer: Panel
) -> None:
    event = await api.event(retention_days=90)
    kept = await api.event()
    visitor = (await register(api, event)).json()["data"]["id"]
    await register(api, kept)
    await api.settled()
    page = await organizer.open(f"/admin/events/{event}")
    assert "Visitors are forgotten" in page.text
    assert (
        "they will be forgotten" in (await organizer.open(f"/admin/visitors/?event={event}")).text
    )
    assert "Will be forgotten" in (await organizer.open(f"/admin/visitors/{visitor}")).text
    assert "forgotten" not in (await organizer.open(f"/admin/events/{kept}")).text
    assert "forgotten" not in (await organizer.open(f"/admin/visitors/?event={kept}")).text


async def test_an_admin_exports_all_about_a_person(
    api: Api, admin: Panel, organizer: Panel, connection: AsyncConnection[Any]
) -> None:
    visitor = (await register(api, await api.event())).json()["data"]["id"]
    await api.settled()
    where = f"/admin/visitors/{visitor}"
    assert "Export all about this person" not in (await organizer.open(where)).text
    page = await admin.open(where)
    assert "Export all about this person" in page.text
    answer = await admin.send(f"{where}/export")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="person.json"'
    found = json.loads(answer.text)
    assert found["email"] == EMAIL
    assert found["registrations"][0]["visitor_id"] == visitor
    last = (await read_events(connection, after=0, limit=1_000))[-1]
    assert isinstance(last.event, PersonExported)
    assert (await organizer.send(f"{where}/export")).status_code == 403
