"""`/admin/`: how things are going."""

from __future__ import annotations

from litestar import Response, get

from api.access import Who
from api.admin.pages import page
from api.requests import Request


@get("/", opt={"access": Who.STAFF})
async def dashboard(request: Request) -> Response[str]:
    return page(request, "dashboard.html")
