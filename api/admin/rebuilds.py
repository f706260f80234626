"""`/admin/rebuilds/{name}`: admins request the rebuild of a read table."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.admin.kit.pages import page, see
from api.admin.system_status import system_status
from api.http.access import Permission
from api.http.dispatch import origin_of
from api.http.requests import Request
from projections.rebuild import requests
from projections.registry import ALL

log = structlog.get_logger()


class RebuildPages(Controller):
    path = "/rebuilds"
    opt = {"access": Permission.REBUILD_TABLES}  # noqa: RUF012  Litestar's own type for it

    @get("/{name:str}")
    async def confirm(self, request: Request, name: FromPath[str]) -> Response[str]:
        known, found = _known(name), await system_status(request)
        table = next((standing for standing in found.tables if standing.name == known), None)
        asked = found.rebuilds.get(known)
        return page(request, "rebuilds/rebuild.html", name=known, table=table, asked=asked)

    @post("/{name:str}")
    async def ask(self, request: Request, name: FromPath[str]) -> Response[Any]:
        """Requests the rebuild; the next free worker runs it."""
        known, origin = _known(name), origin_of(request)
        async with request.connections.primary.connection() as connection:
            asked = await requests.request_rebuild(connection, known, origin)
        if asked:
            log.info("rebuild requested", projection=known, actor=origin.actor)
            notice = f"Rebuild of “{known}” requested."
        else:
            notice = f"A rebuild of “{known}” is already running or requested: none was added."
        return see(request, "/admin/system/", position=None, notice=notice)


def _known(name: str) -> str:
    if name not in {projection.name for projection in ALL}:
        raise NotFoundException
    return name
