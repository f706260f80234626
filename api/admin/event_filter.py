"""Filter and order of a list, from its address. Invalid values are ignored."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from psycopg import AsyncConnection

from api.http.requests import Request
from projections.areas import areas_matching
from projections.event_search import ORDERS, STATES, TIMES, Filter, Order, State, Time
from projections.lists.dates import Span

FIRST_YEAR, LAST_YEAR = 1, 9998

_DATES = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)


def asked_time(request: Request) -> Time | None:
    """Events to come, unless the address says otherwise; None means all."""
    asked = request.query_params.get("time", "upcoming")
    return cast("Time", asked) if asked in TIMES else None


def asked_area(request: Request) -> str:
    """The id or the name of an area, or a part of its name."""
    return _text(request, "area").strip()


async def asked_filter(request: Request, connection: AsyncConnection[Any]) -> Filter:
    query, area = request.query_params, asked_area(request)
    status = query.get("status", "")
    area_ids = None
    if area:
        area_ids = frozenset[UUID](found.id for found in await areas_matching(connection, area))
    return Filter(
        name_fragment=_text(request, "name"),
        status=cast("State", status) if status in STATES else None,
        time=asked_time(request),
        area_ids=area_ids,
        span=span_of(query.get("date", "")),
    )


def asked_order(request: Request) -> Order:
    """Events to come begin with the next one, others with the newest."""
    usual: Order = "oldest" if asked_time(request) == "upcoming" else "newest"
    order = cast("Order", request.query_params.get("order", usual))
    return order if order in ORDERS else usual


def _text(request: Request, name: str) -> str:
    return request.query_params.get(name, "")[:255].replace("\0", "")


def span_of(text: str) -> Span | None:
    """From `2030`, `2030-05` or `2030-05-17`."""
    with suppress(ValueError):
        match = _DATES.fullmatch(text)
        parts = [int(part) for part in match.groups() if part] if match else []
        if parts and FIRST_YEAR <= parts[0] <= LAST_YEAR and 0 not in parts:
            span = Span(*parts)
            _ = span.begin  # the day may not exist
            return span
    return None
