"""Going on with a form after its session has ended.

The page of the form is read again, for who is signed in now, and filled with what was typed.
Nothing is sent unseen: the person sends the form again, or does not.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlsplit

from litestar import Response
from litestar.enums import MediaType

from api.admin.kit import cookies
from api.admin.kit.filling import filled
from api.admin.kit.kept_forms import KeptForm
from api.admin.kit.pages import page
from api.http.access import COOKIE
from api.http.requests import Request

CHECK = (
    "You were signed out before this form was sent, so nothing was saved yet. "
    "What you typed is here again: check it, then send it. Passwords and files are not kept."
)

NOT_FOR_PAGES = (b"content-", b"transfer-", b"accept-encoding", b"cookie", b"if-", b"hx-", b"range")
"""Beginnings of header fields that belong to the request with the form."""


async def go_on(request: Request, kept: KeptForm, session: str) -> Response[str]:
    """The page of the form, filled; if the form is no longer there, a page with what was typed.
    `session` is the cookie of who is signed in now."""
    shown = await _page_now(request, kept.shown_at, session)
    content = shown and filled(shown, kept.shown_at, kept.sent_to, kept.fields)
    if content:
        no_store = {"Cache-Control": "no-store"}
        return Response(content, status_code=200, media_type=MediaType.HTML, headers=no_store)
    typed = [(name, value) for name, value in kept.fields if value.strip()]
    return page(request, "kept.html", kept=kept, typed=typed)


async def _page_now(request: Request, address: str, session: str) -> str | None:
    """The HTML of a page of the panel, as a browser with this session gets it."""
    answer = _Answer()
    await request.app(_scope(request, address, session), _nothing_more, answer.send)
    return answer.html


def _scope(request: Request, address: str, session: str) -> Any:
    given: Any = request.scope
    parts = urlsplit(address)
    kept = ("type", "asgi", "http_version", "scheme", "server", "client", "root_path")
    headers = [
        (name, value)
        for name, value in given["headers"]
        if not name.lower().startswith(NOT_FOR_PAGES)
    ]
    return {
        **{name: given[name] for name in kept if name in given},
        "method": "GET",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [*headers, (b"cookie", _cookies(request, session).encode())],
        "state": {"request_id": request.id},
    }


def _cookies(request: Request, session: str) -> str:
    seen = cookies.seen(request)
    return f"{COOKIE}={session}; {cookies.NOTICE}={quote(CHECK)}; {cookies.SEEN}={seen}"


async def _nothing_more() -> Any:
    """No page reads a body; an endless stream ends."""
    return {"type": "http.disconnect"}


class _Answer:
    def __init__(self) -> None:
        self._is_page = False
        self._parts: list[bytes] = []

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            content_type = dict(message["headers"]).get(b"content-type", b"")
            self._is_page = message["status"] == 200 and content_type.startswith(b"text/html")
        elif self._is_page:
            self._parts.append(message.get("body", b""))

    @property
    def html(self) -> str | None:
        return b"".join(self._parts).decode() if self._is_page else None
