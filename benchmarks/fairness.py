"""Equal work: before it is measured, a contender must obey the rules of a registration."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

IN_A_YEAR = datetime.now(UTC) + timedelta(days=365)

SOON = timedelta(seconds=1)
"""Until a deadline that is waited for."""

REFUSED = (400, 422)
"""Expected statuses for an invalid body."""


class Unfair(Exception):
    """A contender breaks a rule that the others obey."""


def new_event(
    client: httpx.Client, *, status: str = "open", deadline: datetime = IN_A_YEAR, **more: Any
) -> str:
    """The path to register at. `more` are further fields of the event."""
    body = {
        "name": "Fair",
        "event_datetime": IN_A_YEAR.isoformat(),
        "registration_deadline": deadline.isoformat(),
        "status": status,
        **more,
    }
    answer = client.post("/api/events/", json=body)
    if answer.status_code != 201:
        raise Unfair(f"creating an event: {answer.text}")
    return f"/api/events/{answer.json()['data']['id']}/register"


def check(origin: str) -> None:
    """Raises `Unfair`."""
    ada = {"full_name": "Ada Lovelace", "email": "Ada@example.org"}
    with httpx.Client(base_url=origin, trust_env=False, timeout=30) as client:
        fair = new_event(client)
        deadline = datetime.now(UTC) + SOON
        passed = new_event(client, deadline=deadline)
        _expect(client, fair, ada, 201)
        _expect(client, fair, ada | {"email": "ada@example.org"}, 409)
        _expect(client, fair, ada | {"email": "ada"}, *REFUSED)
        _expect(client, fair, ada | {"full_name": ""}, *REFUSED)
        _expect(client, new_event(client, status="closed"), ada, 409)
        nowhere = "/api/events/00000000-0000-4000-8000-000000000000/register"
        _expect(client, nowhere, ada, 404)
        time.sleep(max(0.0, (deadline - datetime.now(UTC)).total_seconds() + 0.1))
        _expect(client, passed, ada, 409)


def _expect(client: httpx.Client, path: str, body: dict[str, str], *statuses: int) -> None:
    answer = client.post(path, json=body)
    if answer.status_code not in statuses:
        raise Unfair(f"{body} at {path} is answered {answer.status_code}: {answer.text[:500]}")
