"""`/door/{id}`, its files, and the service worker that keeps them for when the network is away.

The page is the same for every event, and for everyone.
"""

from __future__ import annotations

import json
from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.door_page.files import (
    BASE,
    ICON,
    MEDIA_TYPES,
    PAGE,
    WORKER,
    contents,
    folder,
    release,
    to_keep,
)
from api.html.files import IMMUTABLE, address_of
from api.http.access import Who
from api.http.limits import UNLIMITED
from api.http.responses import Ready

WITH_CAMERA = {"Permissions-Policy": "camera=(self), microphone=(), geolocation=()"}

UP_TO_DATE = {"Cache-Control": "no-cache"}


@get(["/door", "/door/{event_id:uuid}"], opt={"access": Who.ANYONE}, include_in_schema=False)
async def door_page() -> Response[bytes]:
    html = contents()[PAGE].replace(b"{assets}", folder().encode())
    html = html.replace(b"{base}", address_of(BASE).encode())
    html = html.replace(b"{icon}", address_of(ICON).encode())
    return Ready(html, media_type=MEDIA_TYPES[".html"], headers=WITH_CAMERA | UP_TO_DATE)


@get("/door/worker.js", opt={"access": Who.ANYONE, **UNLIMITED}, include_in_schema=False)
async def door_worker() -> Response[bytes]:
    """Browsers look for another one when the page is opened."""
    constants = (
        f"const RELEASE = {json.dumps(release())};\nconst FILES = {json.dumps(to_keep())};\n"
    )
    script = constants.encode() + contents()[WORKER]
    return Ready(script, media_type=MEDIA_TYPES[".js"], headers=UP_TO_DATE)


@get(
    "/door/assets/{tag:str}/{name:str}",
    opt={"access": Who.ANYONE, **UNLIMITED},
    include_in_schema=False,
)
async def door_file(tag: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    content = contents().get(name)
    if content is None or tag != release():
        raise NotFoundException
    return Ready(
        content, media_type=MEDIA_TYPES[Path(name).suffix], headers={"Cache-Control": IMMUTABLE}
    )
