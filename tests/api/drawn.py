"""The OpenAPI document. To draw it takes half a second: once is enough for a test process."""

from __future__ import annotations

from functools import cache
from typing import Any

from api.app import ROUTES
from api.openapi.document import document


@cache
def drawn() -> dict[str, Any]:
    """Not to be changed."""
    return document(ROUTES, "organizer")
