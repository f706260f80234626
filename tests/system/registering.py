"""Visitors of a system that runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx


async def an_event(http: httpx.AsyncClient) -> str:
    starts = datetime.now(UTC) + timedelta(days=30)
    body = {
        "name": "Fair",
        "event_datetime": starts.isoformat(),
        "registration_deadline": starts.isoformat(),
    }
    answer = await http.post("/api/events/", json=body)
    assert answer.status_code == 201, answer.text
    id: str = answer.json()["data"]["id"]
    return id


async def register(http: httpx.AsyncClient, event_id: str, email: str) -> httpx.Response:
    body = {"full_name": "Ada Lovelace", "email": email}
    return await http.post(f"/api/events/{event_id}/register", json=body)
