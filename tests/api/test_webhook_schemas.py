"""Each item of the feed is as the OpenAPI document describes its type."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import msgspec
import pytest

from domain.feed.item import FeedItem
from domain.feed.sources import SOURCES, TYPES
from domain.history.codec import decode, to_json
from tests.api.drawn import drawn

DRAWN = drawn()

GOLDEN = Path(__file__).parents[1] / "domain" / "golden"
"""Stored domain events of each class and version."""


def content(type: str) -> dict[str, Any]:
    body: dict[str, Any] = DRAWN["webhooks"][type]["post"]["requestBody"]
    return dict(body["content"]["application/json"])


def check(type: str, item: Any) -> None:
    schema = {**content(type)["schema"], "components": DRAWN["components"]}
    jsonschema.validate(item, schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def test_every_type_of_item_is_described() -> None:
    assert tuple(DRAWN["webhooks"]) == TYPES


@pytest.mark.parametrize("type", TYPES)
def test_the_example_of_a_type_matches_its_schema(type: str) -> None:
    item = content(type)["example"]
    check(type, item)
    assert item["type"] == type
    wrong = {**item, "data": {name: ["?"] for name in item["data"]}}
    if item["data"]:
        with pytest.raises(jsonschema.ValidationError):
            check(type, wrong)


@pytest.mark.parametrize("topic", [kind.topic for kind in SOURCES])
def test_an_item_of_the_feed_matches_the_schema_of_its_type(topic: str) -> None:
    for path in GOLDEN.glob(f"{topic}.v*.json"):
        event = decode(UUID(int=1), 1, topic, path.read_bytes()).event
        data = SOURCES[type(event)].of(event)
        assert data is not None
        item = FeedItem(
            position=1,
            type=data.type,
            version=data.version,
            occurred_at=datetime.now(UTC),
            event_id=UUID(int=1),
            visitor_id=None,
            data=data,
        )
        check(data.type, msgspec.json.decode(to_json(item)))
