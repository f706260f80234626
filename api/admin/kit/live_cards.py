"""Cards that a page updates as long as somebody looks at it: the route of their stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import combinations
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent

from api.admin.kit.live_figures import QUERY_INTERVAL, Kind, LiveFigures, Shown
from api.admin.kit.pages import fragment
from api.html.forms import whole_number
from api.http.access import Permission, may
from api.http.requests import Request

Look = Callable[[Request], Awaitable[Mapping[str, Any]]]
"""Reads what the template of the cards shows."""


def live_cards(
    path: str, template: str, look: Look, distinguishing: tuple[Permission, ...]
) -> HTTPRouteHandler:
    """`distinguishing` are the permissions that change what the cards show."""
    live_figures = LiveFigures()
    kinds = [
        frozenset(some)
        for count in range(len(distinguishing) + 1)
        for some in combinations(distinguishing, count)
    ]

    @get(path, opt={"access": Permission.USE_PANEL})
    async def live(request: Request) -> Response[Any]:
        if live_figures.full:
            return Response(None, status_code=503, headers={"Retry-After": "60"})

        async def shown() -> Shown:
            content = await look(request)
            return {
                kind: fragment(template, allowed=kind.__contains__, **content) for kind in kinds
            }

        roles = request.account.roles
        kind: Kind = frozenset(what for what in distinguishing if may(roles, what))
        return ServerSentEvent(
            live_figures.stream(
                kind, shown, request.connections.ending, after=_page_made_at(request)
            ),
            headers={"Cache-Control": "no-store"},
            retry_duration=int(QUERY_INTERVAL * 1000),
        )

    return live


def _page_made_at(request: Request) -> float:
    """Seconds since 1970; 0 for a request without a page."""
    return float(whole_number(request.query_params.get("after", "")) or 0) / 1000
