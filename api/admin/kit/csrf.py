"""Protection against cross-site request forgery.

Every form carries a token that only pages of the panel show. The token is derived from the session;
before sign-in, which is protected in the same way, from a random secret in another cookie. So a
planted cookie does not yield a token of a signed-in account.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b

from api.admin.kit.cookies import CSRF
from api.http.access import COOKIE
from api.http.bodies import UnsupportedMediaType
from api.http.requests import Request
from domain.core.errors import ProblemError

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
SAFE = {"GET", "HEAD", "OPTIONS"}
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
"""Of a form with a file; its route declares `opt={"accepts": MULTIPART}`."""


class CsrfTokenMissing(ProblemError):
    """The form is not from a page of this panel, or the page is too old: reload it and try again"""

    status = 403
    title = "Not sent"


class NotAForm(UnsupportedMediaType):
    """The body must be a form of this page"""


def known_secret(request: Request) -> str | None:
    return request.cookies.get(COOKIE) or request.cookies.get(CSRF)


def new_secret() -> str:
    """A new secret, for a browser without one."""
    return secrets.token_urlsafe(32)


def token_for(secret: str) -> str:
    return blake2b(secret.encode(), digest_size=24, person=b"csrf").hexdigest()


def is_form(request: Request) -> bool:
    """Whether the body has the type that the route accepts."""
    accepted: str = request.route_handler.opt.get("accepts", FORM)
    return request.content_type[0] == accepted


async def check_csrf(request: Request) -> None:
    """Runs before each request to the panel. Raises CsrfTokenMissing, NotAForm."""
    if request.method in SAFE:
        return
    if not is_form(request):
        raise NotAForm
    await request.body()  # within its limit; the form is parsed from it
    secret = known_secret(request)
    given = request.headers.get(HEADER) or (await request.form()).get(FIELD, "")
    if not secret or not hmac.compare_digest(token_for(secret).encode(), str(given).encode()):
        raise CsrfTokenMissing
