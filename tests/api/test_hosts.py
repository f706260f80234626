"""`ALLOWED_HOSTS`: whom the API answers as."""

from __future__ import annotations

import pytest

from tests.api.serving import Serving

pytestmark = pytest.mark.anyio


async def test_only_the_allowed_hosts_are_answered_for(serving: Serving) -> None:
    allowed = ("127.0.0.1", "events.example", ".sub.example")
    async with serving(allowed_hosts=allowed) as api:
        for host, status in {
            "events.example": 200,
            "EVENTS.example:8000": 200,
            "sub.example": 200,
            "a.sub.example": 200,
            "notsub.example": 400,
            "other.example": 400,
        }.items():
            answer = await api.http.get("/api/events/list", headers={"Host": host})
            assert (host, answer.status_code) == (host, status)
            assert (await api.http.get("/health/live", headers={"Host": host})).status_code == 200
