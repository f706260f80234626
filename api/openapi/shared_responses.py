"""Failures that several calls answer alike, written once."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import msgspec

from api.openapi.parts import ref

Json = dict[str, Any]


def with_shared_responses(drawn: Json) -> Json:
    """The document with references to the responses that occur more than once. The most frequent
    one gets the name; others with the same description stay where they are."""
    operations = [operation for item in drawn["paths"].values() for operation in item.values()]
    frequency = Counter(
        _key(response) for operation in operations for response in operation["responses"].values()
    )
    named: dict[str, bytes] = {}
    for key, count in sorted(frequency.items(), key=lambda pair: (-pair[1], pair[0])):
        name = _name(msgspec.json.decode(key))
        if count > 1 and name:
            named.setdefault(name, key)
    names = {key: name for name, key in named.items()}
    for operation in operations:
        operation["responses"] = {
            status: ref("responses", names[key]) if (key := _key(response)) in names else response
            for status, response in operation["responses"].items()
        }
    drawn["components"]["responses"] = {
        name: msgspec.json.decode(key) for name, key in sorted(named.items())
    }
    return drawn


def _key(response: Json) -> bytes:
    return msgspec.json.encode(response)


def _name(response: Json) -> str | None:
    """`BadRequestOrMalformedBody`; None for a success."""
    if "application/problem+json" not in response.get("content", {}):
        return None
    words = re.findall(r"\w+", response["description"])
    return "".join(word.capitalize() for word in words)
