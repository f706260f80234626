"""What the panel says of how long people are kept, and the file with all about one of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
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


async def test_the_page_of_an_event_says_what_the_command_line_does_before_the_notice_is_over(
    api: Api, organizer: Panel
) -> None:
    event = await api.event(event_datetime=in_days(2), registration_deadline=in_days(1))
    await register(api, event)
    path = f"/api/events/{event}"
    assert (await api.http.patch(path, json={"retention_days": 0})).status_code == 200
    await api.settled()
    page = await organizer.open(f"/admin/events/{event}")
    assert re.search(
        r"Visitors are forgotten\S.* UTC, or when somebody runs events-face retention from .* on",
        page.text,
    )
    page = await organizer.open(f"/admin/visitors/?event={event}")
    assert "when somebody runs events-face retention from" in page.text


async def test_the_panel_shows_who_would_be_forgotten_and_forgets_nobody(
    api: Api, organizer: Panel, auditor: Panel
) -> None:
    event = await api.event(
        name="PyCon", event_datetime=in_days(2), registration_deadline=in_days(1)
    )
    for email in ("ada@example.org", "bob@example.org"):
        await api.register(event, email=email)
    await api.http.patch(f"/api/events/{event}", json={"retention_days": 3})
    await api.settled()
    page = await organizer.open("/admin/system/")
    assert page.links["Who will be forgotten"] == "/admin/system/retention"
    page = await organizer.follow("Who will be forgotten")
    assert page.heading == "Who will be forgotten"
    assert "it would forget 0 visitors now, and 2 more within 7 days" in page.text
    (row,) = page.rows
    assert row[:2] == ["PyCon", "2"]
    by_themselves, by_the_command = row[-2:]
    assert by_themselves != by_the_command, "the days were changed: that waits for the notice"
    await organizer.open(f"/admin/events/{event}/delete")
    await organizer.submit()
    await api.settled()
    page = await auditor.open("/admin/system/retention")
    assert [row[0] for row in page.rows] == ["PyCon removed"]
    assert "Registered2" in (await organizer.open(f"/admin/events/{event}")).text


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


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
