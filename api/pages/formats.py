"""Responses with pages, which programs may get as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from litestar import Request as AnyRequest

from api.http.responses import Ready, tagged
from api.pages.languages import Reader

HTML = "text/html; charset=utf-8"


def wants_json(request: AnyRequest[Any, Any, Any]) -> bool:
    """Whether it comes from a program, and not from a browser."""
    accepted = request.headers.get("Accept", "")
    return "json" in accepted and "html" not in accepted


def tagged_page(content: bytes, reader: Reader) -> Ready:
    """A page that the client keeps until it changes."""
    return _ready(content, HTML, reader.headers)


def by_format(content: bytes, media_type: str, reader: Reader | None = None) -> Ready:
    """The same, where it differs by what its reader accepts. `reader` of a page."""
    headers = reader.headers if reader else {}
    vary = ", ".join(["Accept", headers["Vary"]] if reader else ["Accept"])
    return _ready(content, media_type, {**headers, "Vary": vary})


def _ready(content: bytes, media_type: str, headers: Mapping[str, str]) -> Ready:
    tag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    return Ready(content, media_type=media_type, headers={**headers, **tagged(tag)})
