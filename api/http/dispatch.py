"""Executes the command of a request."""

from __future__ import annotations

from typing import Any

from api.http.etags import versions_in
from api.http.requests import Request
from domain.history.batch import Done, Origin

NEVER = -1
"""A version that no aggregate has."""


async def execute(request: Request, command: Any) -> Done:
    """Commit the command; raises as `domain.history.group_commit.Writer.execute`."""
    return await request.connections.writer.execute(command, origin_of(request))


def origin_of(request: Request) -> Origin:
    """The actor and correlation id for the request's commands."""
    return Origin(actor=request.actor, correlation_id=request.id)


def expected_version(request: Request) -> frozenset[int] | None:
    """The versions that `If-Match` allows; None for any version."""
    lines = request.headers.getall("If-Match", [])
    return versions_in(lines) if lines else None
