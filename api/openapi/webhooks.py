"""`webhooks` of the OpenAPI document: what is sent for each type of item of the feed."""

from __future__ import annotations

from typing import Any

import msgspec

from api.http.feed_examples import item_example
from domain.feed.item import ITEM_TYPES, ItemData
from domain.feed.sources import TYPES

Json = dict[str, Any]


def webhooks() -> Json:
    """By type of item."""
    return {type: {"post": _operation(ITEM_TYPES[type])} for type in TYPES}


def data_schemas() -> Json:
    """The components that `webhooks` refers to."""
    _, schemas = msgspec.json.schema_components(
        ITEM_TYPES.values(), ref_template="#/components/schemas/{name}"
    )
    return schemas


def _operation(kind: type[ItemData]) -> Json:
    return {
        "tags": ["feed"],
        "summary": kind.summary,
        "operationId": f"on_{kind.type.replace('.', '_')}",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _item_schema(kind),
                    "example": item_example(kind.type) | {"previous": 41},
                }
            },
        },
        "responses": {
            "2XX": {"description": "The item was taken: it is not sent again"},
            "410": {"description": "The endpoint is gone: nothing is sent to it any more"},
            "default": {"description": "The item is sent again later"},
        },
    }


def _item_schema(kind: type[ItemData]) -> Json:
    return {
        "allOf": [{"$ref": "#/components/schemas/FeedItem"}],
        "properties": {
            "type": {"const": kind.type},
            "version": {"const": kind.version},
            "data": {"$ref": f"#/components/schemas/{kind.__name__}"},
            "previous": {
                "type": ["integer", "null"],
                "description": "Position of the item before it that this endpoint was sent; null "
                "for the first one. Only in webhooks.",
            },
        },
    }
