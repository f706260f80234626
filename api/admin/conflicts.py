"""When somebody else was quicker."""

from __future__ import annotations

from api.reading import read
from api.requests import Request
from domain.history import last_position


async def newest_position(request: Request) -> int:
    """Of the newest event there is: what a page must include that shows what has changed."""
    return await read(request, 0, last_position)
