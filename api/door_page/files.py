"""The files of the door page, which browsers keep. All of them have one tag in their address: the
scripts import each other by relative addresses, and a release is kept as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path

from api.html.files import address_of

BASE, ICON = "base.css", "icon.svg"
"""Shared with other pages."""

PAGE, WORKER = "door.html", "worker.js"
"""Which have addresses of their own."""

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def contents() -> Mapping[str, bytes]:
    """By name, so that no path is built from a name that a client sent."""
    folder = Path(__file__).with_name("assets")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@cache
def release() -> str:
    """Changes when any of the files does."""
    return blake2b(b"\0".join(contents().values()), digest_size=6).hexdigest()


def folder() -> str:
    return f"/door/assets/{release()}"


def to_keep() -> list[str]:
    """The addresses of what the page loads."""
    ours = [f"{folder()}/{name}" for name in contents() if name not in {PAGE, WORKER}]
    return [*ours, address_of(BASE), address_of(ICON)]
