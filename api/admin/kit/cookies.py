"""The panel's cookies: the session, the position of the last change, and a notice."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote, unquote

from litestar import Response
from litestar.datastructures import Cookie

from api.html.forms import whole_number
from api.http.access import COOKIE
from api.http.requests import Request
from api.identity.tokens import COOKIE_LIFE

SEEN = "events_face_seen"
"""The position of the browser's last change: later pages must include it."""

NOTICE = "events_face_notice"
"""A text that the next page shows once."""

CSRF = "events_face_csrf"


def signed_in(request: Request, token: str) -> Cookie:
    return _cookie(request, COOKIE, token, int(COOKIE_LIFE.total_seconds()))


def csrf(request: Request, secret: str) -> Cookie:
    return _cookie(request, CSRF, secret, None)


def remember(response: Response[Any], request: Request, position: int, notice: str) -> None:
    """Set the position of a change and the notice about it."""
    response.set_cookie(_cookie(request, SEEN, str(max(position, seen(request))), 600))
    response.set_cookie(_cookie(request, NOTICE, quote(notice), 60))


def seen(request: Request) -> int:
    return whole_number(request.cookies.get(SEEN, "")) or 0


def notice(request: Request) -> str:
    return unquote(request.cookies.get(NOTICE, ""))[:1000]


def forget(response: Response[Any], *names: str) -> None:
    for name in names:
        response.delete_cookie(name, path="/admin")


def _cookie(request: Request, name: str, value: str, life: int | None) -> Cookie:
    """A cookie that neither scripts nor pages of other sites can use."""
    same_site: Literal["strict", "lax"] = "lax" if name == COOKIE else "strict"
    return Cookie(
        key=name,
        value=value,
        max_age=life,
        path="/admin",
        secure=request.came_by_https,
        httponly=True,
        samesite=same_site,
    )
