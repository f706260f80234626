"""Visitors' names in the panel: an auditor's reading is recorded, as in the audit API."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.audit.disclosures import PersonalDataRead
from domain.core.aggregate import RecordedEvent
from domain.history.store import read_events
from tests.api.admin.panel import Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

ASKED = "personal=true"


async def visitors(api: Api, *panels: Panel) -> tuple[str, list[str]]:
    """Of one event; afterwards these panels' pages include them."""
    event = await api.event(name="Fair")
    answers = [await api.register(event, f"{name}@example.com") for name in ("ada", "bob")]
    for panel in panels:
        position = answers[-1].headers["Event-Position"]
        panel.http.cookies.set("events_face_seen", position, path="/admin", domain="127.0.0.1")
    return event, [answer.json()["data"]["id"] for answer in answers]


async def disclosures(api: Api) -> list[RecordedEvent]:
    async with api.connections.readers.connection() as connection:
        events = await read_events(connection, after=0, limit=1_000)
    return [event for event in events if isinstance(event.event, PersonalDataRead)]


def pages_of(event: str, visitor: str) -> list[str]:
    return [
        "/admin/visitors/?",
        f"/admin/visitors/?event={event}&",
        f"/admin/visitors/{visitor}?",
        f"/admin/events/{event}/messages?",
        "/admin/notifications/?",
    ]


async def test_an_auditor_sees_names_only_after_the_disclosure_is_recorded(
    api: Api, auditor: Panel
) -> None:
    event, (ada, _) = await visitors(api, auditor)
    account = await api.connections.credentials.by_id(await _id_of(api, "auditor"))
    assert account is not None
    pages = pages_of(event, ada)
    for number, address in enumerate(pages):
        page = await auditor.open(address)
        assert page.status == 200
        assert not {"Lovelace", "example.com"} & set(page.text.replace("@", " ").split()), address
        assert len(await disclosures(api)) == number
        page = await auditor.follow("Show names and emails")
        assert "Ada Lovelace" in page.text
        assert len(await disclosures(api)) == number + 1
    recorded = await disclosures(api)
    assert {event.metadata.actor for event in recorded} == {str(account.account_id)}
    read_events = [event.event for event in recorded if isinstance(event.event, PersonalDataRead)]
    assert [read.criteria for read in read_events] == [
        {"type": "Visitor"},
        {"type": "Visitor", "event_id": event},
        {"type": "Visitor", "aggregate_id": ada},
        {"type": "Visitor", "event_id": event},
        {"type": "Visitor"},
    ]
    assert [read.count for read in read_events] == [2, 2, 1, 2, 2]
    assert all(read.first_position <= read.last_position for read in read_events)


async def test_while_names_are_hidden_no_search_by_name_is_possible(
    api: Api, auditor: Panel
) -> None:
    await visitors(api, auditor)
    page = await auditor.open("/admin/visitors/?q=nobody-of-that-name")
    assert len(page.rows) == 2
    assert page.root.all("input", name="q") == []
    page = await auditor.open(f"/admin/visitors/?{ASKED}")
    assert len((await auditor.submit("/admin/visitors/", q="bob")).rows) == 1
    assert [event.event.count for event in await disclosures(api)] == [2, 1]  # type: ignore[attr-defined]


async def test_organizers_and_admins_read_names_for_their_work(
    api: Api, organizer: Panel, admin: Panel
) -> None:
    event, (ada, _) = await visitors(api, organizer, admin)
    for panel in (organizer, admin):
        for address in pages_of(event, ada):
            assert "Ada Lovelace" in (await panel.open(address)).text
    assert await disclosures(api) == []


async def _id_of(api: Api, username: str) -> UUID:
    async with api.connections.primary.connection() as connection:
        cursor = await connection.execute(
            "SELECT account_id FROM credentials WHERE username = %s", [username]
        )
        (id,) = await cursor.fetchone() or (UUID(int=0),)
    return UUID(str(id))
