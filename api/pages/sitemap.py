"""`/sitemap.xml` and `/robots.txt`: what search engines may read, and where upcoming events are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Any, Literal

from litestar import Response, get
from psycopg import AsyncConnection

from api.html.forms import whole_number
from api.http.access import Who
from api.http.failures import NothingHere
from api.http.reads import read
from api.http.requests import Request
from api.http.responses import Ready
from projections.upcoming_events import count_upcoming, upcoming_changes

PART_SIZE = 10_000
"""Addresses in one file; the standard allows 50,000."""

MAX_PARTS = 50_000
"""As the standard has it."""

FOR_AN_HOUR = {"Cache-Control": "max-age=3600"}


@get("/sitemap.xml", include_in_schema=False, opt={"access": Who.ANYONE})
async def sitemap(request: Request) -> Response[Any]:
    """The addresses of upcoming events; if they are many, those of its parts. There is none
    without `PUBLIC_URL`: a sitemap must have whole addresses."""
    base = request.settings.public_url
    if base is None:
        raise NothingHere
    part = whole_number(request.query_params.get("part", ""))
    now = datetime.now(UTC)

    async def query(connection: AsyncConnection[Any]) -> Ready:
        total = 0 if part else await count_upcoming(connection, now)
        if total > PART_SIZE:
            parts = (f"{base}/sitemap.xml?part={n}" for n in range(1, -(-total // PART_SIZE) + 1))
            return _xml("sitemapindex", "sitemap", ((address, None) for address in parts))
        skipped = (min(part, MAX_PARTS) - 1) * PART_SIZE if part else 0
        changes = await upcoming_changes(connection, now, limit=PART_SIZE, offset=skipped)
        found: list[tuple[str, datetime | None]] = [] if skipped else [(f"{base}/events/", None)]
        found += ((f"{base}/events/{id}", changed_at) for id, changed_at in changes)
        return _xml("urlset", "url", found)

    return await read(request, 0, query)


@get("/robots.txt", include_in_schema=False, opt={"access": Who.ANYONE})
async def robots(request: Request) -> Response[Any]:
    settings = request.settings
    lines = ["User-agent: *", "Disallow: /admin/", "Disallow: /api/"]
    if not settings.public_pages:
        lines.append("Disallow: /events/")
    elif settings.public_url:
        lines.append(f"Sitemap: {settings.public_url}/sitemap.xml")
    body = "".join(f"{line}\n" for line in lines).encode()
    return Ready(body, media_type="text/plain; charset=utf-8", headers=FOR_AN_HOUR)


def _xml(
    root: Literal["urlset", "sitemapindex"],
    item: Literal["url", "sitemap"],
    found: Iterable[tuple[str, datetime | None]],
) -> Ready:
    """Of addresses, each with the time of its last change, if that is known."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
        *(f"<{item}><loc>{escape(address)}</loc>{_last(at)}</{item}>" for address, at in found),
        f"</{root}>",
    ]
    body = "".join(f"{line}\n" for line in lines).encode()
    return Ready(body, media_type="application/xml; charset=utf-8", headers=FOR_AN_HOUR)


def _last(changed_at: datetime | None) -> str:
    return f"<lastmod>{changed_at:%Y-%m-%dT%H:%M:%SZ}</lastmod>" if changed_at else ""
