"""What the panel keeps in a browser: who is signed in, what was changed last, and a notice."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote, unquote

from litestar import Response
from litestar.datastructures import Cookie

from api.admin.kit.forms import whole_number
from api.http.access import COOKIE
from api.http.requests import Request
from api.identity.tokens import COOKIE_LIFE

SEEN = "events_face_seen"
"""The position of the browser's last change: no later page may be older."""

NOTICE = "events_face_notice"
"""What the next page says once."""

CSRF = "events_face_csrf"


def signed_in(request: Request, token: str) -> Cookie:
    return _cookie(request, COOKIE, token, int(COOKIE_LIFE.total_seconds()))


def csrf(request: Request, secret: str) -> Cookie:
    return _cookie(request, CSRF, secret, None)


def remember(response: Response[Any], request: Request, position: int, notice: str) -> None:
    """The position of a change, and what to say of it."""
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
    """Nothing that a script, or another site's page, can use."""
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
