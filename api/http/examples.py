"""Examples for the OpenAPI document; each is declared beside its struct or route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

ACCOUNT_ID = "5f0c8a3e-7b1d-8c2f-9e4a-6d3b2c1a0f9e"
AREA_ID = "2f1f9a52-57e5-5d2c-9c0c-3c6f1a0f7b11"
EVENT_ID = "8d0a3c1e-6f0b-4b7e-9d55-0a4f3f0c9e21"
KEY_ID = "019a0c5e-7d21-7c3b-8e55-2f6a1b9c0d34"
NONCE = "8f14e45fceea167a"
REQUEST_ID = "5c1a9f7e2b6d4038-2a"
TICKET = "YD7664AAABIABAAAAAAAAAAACJRAAAABAAAKQ2VW6X5B7ZDN"
VISITOR_ID = "c0ffee00-0000-5000-8000-00000000000a"
WEBHOOK_ID = "0197a3f2-6c1e-7d4a-8b55-3e9f0c2a7d11"

EXAMPLES: dict[type, dict[str, Any]] = {}
"""Struct -> fields as in JSON."""


def example(**fields: Any) -> Callable[[type[T]], type[T]]:
    """Registers the example of a struct. For a struct of another package, call it beside the route
    that uses it: `example(name="Great Hall")(CreateArea)`."""

    def register(kind: type[T]) -> type[T]:
        EXAMPLES[kind] = fields
        return kind

    return register
