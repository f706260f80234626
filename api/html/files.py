"""Stylesheets, scripts and pictures of pages, cached by browsers until their content changes."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.http.access import Who
from api.http.bundles import PANEL, installed
from api.http.limits import UNLIMITED
from api.http.responses import Ready

_API = Path(__file__).parent.parent

FOLDERS = [_API / "html" / "assets", _API / "admin" / "assets", _API / "pages" / "assets"]
"""No two files have the same name."""

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

IMMUTABLE = "public, max-age=31536000, immutable"


@get(
    "/assets/{tag:str}/{name:str}",
    include_in_schema=False,
    opt={"access": Who.ANYONE, **UNLIMITED},
)
async def file(tag: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Serves a file at the address that `address_of` gives: new content has a new address."""
    content = _contents().get(name)
    if content is None or tag != _tag(content):
        raise NotFoundException
    media_type = _MEDIA_TYPES[Path(name).suffix]
    return Ready(content, media_type=media_type, headers={"Cache-Control": IMMUTABLE})


def address_of(name: str) -> str:
    return f"/assets/{_tag(_contents()[name])}/{name}"


@cache
def _contents() -> dict[str, bytes]:
    """All files by name, so that no path is built from a name that a client sent."""
    found = [path for folder in FOLDERS for path in folder.iterdir()]
    ours = {path.name: path for path in found if path.suffix in _MEDIA_TYPES}
    files = ours | {name: installed(file) for name, file in PANEL.items()}
    return {name: path.read_bytes() for name, path in files.items()}


@cache
def _tag(content: bytes) -> str:
    return blake2b(content, digest_size=6).hexdigest()
