"""A limit: the framework and the server, with a handler that does nothing."""

from __future__ import annotations

from litestar import Litestar, post
from litestar.params import FromPath


@post("/api/events/{event:str}/register")
async def register(event: FromPath[str]) -> dict[str, str]:
    return {"id": event}


app = Litestar([register], openapi_config=None)
