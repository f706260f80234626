"""No other site can make a browser change anything here.

What a browser sends to be changed carries a token, which only our own pages show. It is made of
what the browser is signed in by; before sign-in, which is guarded the same way, of a random secret
in another cookie. So a cookie that somebody else has planted makes no token of who is signed in.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b

from api.admin.kit.cookies import CSRF
from api.http.access import COOKIE
from api.http.bodies import UnsupportedMediaType
from api.http.requests import Request

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
SAFE = {"GET", "HEAD", "OPTIONS"}
FORM = "application/x-www-form-urlencoded"


class CsrfTokenMissing(Exception):
    """This was not sent from one of our pages, or the page is too old: reload it and try again"""


class NotAForm(UnsupportedMediaType):
    """What is sent here must be a form, as application/x-www-form-urlencoded"""


def known_secret(request: Request) -> str | None:
    return request.cookies.get(COOKIE) or request.cookies.get(CSRF)


def new_secret() -> str:
    """For a browser that has none, in a cookie."""
    return secrets.token_urlsafe(32)


def token_for(secret: str) -> str:
    return blake2b(secret.encode(), digest_size=24, person=b"csrf").hexdigest()


async def check_csrf(request: Request) -> None:
    """Asked before each request to the panel. Raises CsrfTokenMissing, NotAForm."""
    if request.method in SAFE:
        return
    if request.content_type[0] != FORM:
        raise NotAForm
    secret = known_secret(request)
    given = request.headers.get(HEADER) or (await request.form()).get(FIELD, "")
    if not secret or not hmac.compare_digest(token_for(secret).encode(), str(given).encode()):
        raise CsrfTokenMissing
