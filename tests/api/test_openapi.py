"""The OpenAPI document says what the API takes and answers."""

from __future__ import annotations

import pytest

from tests.api.serving import Api

pytestmark = pytest.mark.anyio


async def test_every_call_is_described_with_its_body(lone_api: Api) -> None:
    document = (await lone_api.http.get("/api/schema/")).json()
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert set(paths) == {
        "/api/events/areas",
        "/api/events/areas/{area_id}",
        "/api/events",
        "/api/events/list",
        "/api/events/{event_id}",
        "/api/events/{event_id}/register",
        "/health/live",
        "/health/ready",
    }
    register = paths["/api/events/{event_id}/register"]["post"]
    body = register["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["full_name"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 128,
    }
    assert body["required"] == ["full_name", "email"]
    assert "201" in register["responses"]
    names = {parameter["name"] for parameter in paths["/api/events/list"]["get"]["parameters"]}
    assert names == {"name", "order_by", "limit", "offset", "cursor", "Min-Event-Position"}
