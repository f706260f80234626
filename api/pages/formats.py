"""Pages that programs get as JSON."""

from __future__ import annotations

from hashlib import blake2b

from api.http.requests import Request
from api.http.responses import Ready, tagged


def wants_json(request: Request) -> bool:
    """Whether it comes from a program, and not from a browser."""
    accepted = request.headers.get("Accept", "")
    return "json" in accepted and "html" not in accepted


def ready(content: bytes, media_type: str) -> Ready:
    """A page that differs by what its reader accepts."""
    tag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    return Ready(content, media_type=media_type, headers=tagged(tag) | {"Vary": "Accept"})
