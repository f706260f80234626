"""Giving a command to the writer on behalf of a request."""

from __future__ import annotations

from typing import Any

from api.etags import versions_in
from api.requests import Request
from domain.batch import Done, Origin

NEVER = -1
"""A version that no aggregate has."""


async def execute(request: Request, command: Any) -> Done:
    """Commit the command; raises as `domain.writer.Writer.execute`."""
    return await request.connections.writer.execute(command, origin_of(request))


def origin_of(request: Request) -> Origin:
    """On whose behalf the request's commands are given."""
    return Origin(actor=request.actor, correlation_id=request.id)


def expected_version(request: Request) -> int | None:
    """The version that `If-Match` asks for; None for whichever there is.

    Of several it is the highest: when the aggregate is at a lower one, nobody has seen the higher.
    """
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    return max(versions_in(given), default=NEVER)
