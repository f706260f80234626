"""`/admin/system/retention`: who will be forgotten, and when; nobody is forgotten here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import Response, get
from psycopg import AsyncConnection

from api.admin.kit.cookies import seen
from api.admin.kit.pages import page
from api.http.access import Permission
from api.http.reads import read
from api.http.requests import Request
from domain.retention import NOTICE
from projections.retention_plan import Plan, plan

SHOWN = 100
"""Events, at most."""

COUNTED = 10_000
"""Visitors, at most: of more, pages say that there are more."""


@get("/system/retention", opt={"access": Permission.USE_PANEL})
async def retention(request: Request) -> Response[str]:
    setting, now = request.settings.retention_days, datetime.now(UTC)

    async def query(connection: AsyncConnection[Any]) -> Plan:
        return await plan(connection, setting, now, limit=SHOWN, most=COUNTED + 1)

    return page(
        request,
        "system/retention.html",
        plan=await read(request, seen(request), query, ["retention", "visitors"]),
        setting=setting,
        notice_days=NOTICE.days,
        shown=SHOWN,
        counted=COUNTED,
    )
