"""`/admin/seals/`: checkpoints to store elsewhere; they prove that history is unchanged."""

from __future__ import annotations

import msgspec
from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException

from api.admin.kit.pages import page
from api.admin.system_status import sealing
from api.http.access import Permission
from api.http.requests import Request
from api.http.responses import Ready
from domain.seals.signing import to_pem


class SealPages(Controller):
    path = "/seals"
    opt = {"access": Permission.READ_HISTORY}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def newest(self, request: Request) -> Response[str]:
        found = await sealing(request)
        return page(
            request,
            "seals/page.html",
            sealing=found,
            checkpoint=msgspec.json.encode(found.newest).decode(),
            public_key=to_pem(found.key),
        )

    @get("/checkpoint", media_type="application/json")
    async def checkpoint(self, request: Request) -> Response[bytes]:
        """The checkpoint as a line of the file for `audit verify --checkpoint`."""
        newest = (await sealing(request)).newest
        if newest.tree_size == 0:
            raise NotFoundException
        name = f"checkpoint-{newest.last_position}.jsonl"
        return Ready(
            msgspec.json.encode(newest) + b"\n",
            media_type="application/json",
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{name}"',
            },
        )
