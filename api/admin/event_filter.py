"""Filter and order of a list, from its address. Invalid values are ignored."""

from __future__ import annotations

from contextlib import suppress
from typing import cast
from uuid import UUID

from api.http.requests import Request
from projections.event_search import ORDERS, STATES, Filter, Order, State
from projections.lists.dates import Span

FIRST_YEAR, LAST_YEAR = 1, 9998


def asked_filter(request: Request) -> Filter:
    query = request.query_params
    status, area = query.get("status", ""), query.get("area", "")
    area_id = None
    with suppress(ValueError):
        area_id = UUID(area) if area else None
    return Filter(
        name_fragment=query.get("name", "")[:255].replace("\0", ""),
        status=cast("State", status) if status in STATES else None,
        area_id=area_id,
        span=span_of(query.get("date", "")),
    )


def asked_order(request: Request) -> Order:
    order = cast("Order", request.query_params.get("order", "newest"))
    return order if order in ORDERS else "newest"


def span_of(text: str) -> Span | None:
    """From `2030`, `2030-05` or `2030-05-17`."""
    with suppress(ValueError):
        parts = [int(part) for part in text.split("-")]
        if 1 <= len(parts) <= 3 and FIRST_YEAR <= parts[0] <= LAST_YEAR and 0 not in parts:
            span = Span(*parts)
            _ = span.begin  # the day may not exist
            return span
    return None
