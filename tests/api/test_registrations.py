"""Registering: what is checked, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.api.serving import Api
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_a_visitor_registers_once_in_any_spelling_of_the_email(api: Api) -> None:
    event = await api.event()
    answer = await api.register(event, "Ada@Example.com")
    assert answer.status_code == 201
    assert set(answer.json()["data"]) == {"id", "status"}
    assert answer.json()["data"]["status"] == "registered"
    assert answer.json()["meta"] == {"message": "Successful registration"}
    again = await api.register(event, "  aDA@exAMPLE.COM ")
    assert again.status_code == 409
    assert again.json()["type"] == "/problems/duplicate-registration"
    assert (await api.register(await api.event())).status_code == 201


async def test_a_closed_event_refuses_registrations_until_it_is_opened_again(api: Api) -> None:
    event = await api.event(status="closed")
    refusal = await api.register(event)
    assert (refusal.status_code, refusal.json()["type"]) == (409, "/problems/event-closed")
    await api.http.patch(f"/api/events/{event}", json={"status": "open"})
    assert (await api.register(event)).status_code == 201


async def test_registrations_after_the_deadline_are_refused(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    event = await api.event(registration_deadline=soon.isoformat())

    async def refused() -> bool:
        answer = await api.register(event, f"{uuid4().hex}@example.com")
        problem = "/problems/registration-deadline-passed"
        return answer.status_code == 409 and answer.json()["type"] == problem

    await until_async(refused)


async def test_an_invalid_body_is_reported_before_any_other_error(api: Api) -> None:
    nowhere = f"/api/events/{uuid4()}/register"
    wrong: dict[str, Any] = {"full_name": "x" * 129, "email": "nobody"}
    answer = await api.http.post(nowhere, json=wrong)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["full_name", "email"]
    right = {"full_name": "x" * 128, "email": "a@b.de"}
    assert (await api.http.post(nowhere, json=right)).status_code == 404
