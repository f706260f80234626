"""The whole life of a person's data: asked for, exported, kept, forgotten. Afterwards no file of
the database has any of it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.api.database_files import a_name, files_with, write_everything
from tests.api.forgetting import an_admin, caught_up
from tests.api.serving import Api
from tests.support.processes import environment, events_face
from tests.support.waiting import until_async
from workers.delivery.deliverer import Delivery

pytestmark = pytest.mark.anyio

LEAD = timedelta(seconds=4)
"""So long before the event it is made: its visitors register in time."""


async def commanded(surroundings: dict[str, str], *words: str) -> str:
    """What the command prints, while the projector of this process goes on."""
    ran = await asyncio.to_thread(events_face, surroundings, *words)
    assert ran.code == 0, ran.err
    return ran.out


async def exported(surroundings: dict[str, str], email: str) -> list[dict[str, Any]]:
    found = json.loads(await commanded(surroundings, "export-person", email))
    registrations: list[dict[str, Any]] = found["registrations"]
    return registrations


async def test_a_person_is_asked_exported_kept_forgotten_and_in_no_file_any_more(
    api: Api,
    services: Services,
    settings: Settings,
    connection: AsyncConnection[Any],
    delivery: Delivery,
    servers_dir: Path,
) -> None:
    first, last, mailbox, domain, diet, street = (a_name() for _ in range(6))
    email = f"{mailbox}@{domain}.org"
    words = [first, last, mailbox, domain, diet, street]
    admin = await an_admin(api)
    surroundings = environment(settings, services) | {"RETENTION_DAYS": "0"}
    begins = datetime.now(UTC) + LEAD
    event = await api.event(
        event_datetime=begins.isoformat(), registration_deadline=begins.isoformat()
    )
    another = await api.event()
    questions = [
        {"id": "diet", "type": "text", "label": "Diet?", "required": True},
        {"id": "home", "type": "long_text", "label": "Where do you live?"},
    ]
    for each in (event, another):
        asked = await api.http.put(f"/api/events/{each}/questions", json={"questions": questions})
        assert asked.status_code == 200
        answers = {"diet": diet, "home": f"{street} 7"}
        person = {"full_name": f"{first} {last}", "email": email, "answers": answers}
        answer = await api.http.post(f"/api/events/{each}/register", json=person)
        assert answer.status_code == 201, answer.text
    await until_async(lambda: caught_up(connection))
    await delivery.drain()

    at = {each["event"]["id"]: each for each in await exported(surroundings, email)}
    assert at[event]["episodes"][0]["person"] == person | {"email": email.lower()}
    write_everything(services.database_url)
    assert files_with(servers_dir, words) == set()

    async def is_over() -> bool:
        return datetime.now(UTC) > begins

    await until_async(is_over)
    planned = await commanded(surroundings, "retention", "--dry-run")
    assert f"({event}), ended " in planned
    assert another not in planned
    done = await commanded(surroundings, "retention")
    assert done.splitlines()[-1] == "forgot 1 visitor of 1 event"
    await until_async(lambda: caught_up(connection))
    (kept,) = await exported(surroundings, email)
    assert kept["event"]["id"] == another, "the same person at another event stays"

    erased = await api.http.post("/api/visitors/erase", json={"email": email}, headers=admin.bearer)
    assert erased.json()["data"]["registrations"] == 1
    await until_async(lambda: caught_up(connection))
    assert await exported(surroundings, email) == []
    write_everything(services.database_url)
    assert files_with(servers_dir, words) == set()
