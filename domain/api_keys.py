"""API keys: what other systems call the API with."""

from __future__ import annotations

from typing import Literal

Scope = Literal[
    "events:read",
    "events:write",
    "visitors:read",
    "visitors:write",
    "personal",
    "check_in",
    "feed",
    "webhooks",
]
"""What a key may do. `personal` lets it read names, emails and answers."""
