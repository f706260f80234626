"""No other site can make a browser change anything here.

A browser has a random secret in a cookie; what it sends to be changed carries a token made of the
secret, which only our own pages show. Sign-in is guarded the same way.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b

from api.admin.cookies import CSRF
from api.requests import Request

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
SAFE = {"GET", "HEAD", "OPTIONS"}


class CsrfTokenMissing(Exception):
    """This was not sent from one of our pages, or the page is too old: reload it and try again"""


def secret_of(request: Request) -> str:
    """The browser's, or a new one that the answer has to bring."""
    return request.cookies.get(CSRF) or secrets.token_urlsafe(32)


def token_for(secret: str) -> str:
    return blake2b(secret.encode(), digest_size=24, person=b"csrf").hexdigest()


async def check_csrf(request: Request) -> None:
    """Asked before each request to the panel. Raises CsrfTokenMissing."""
    if request.method in SAFE:
        return
    secret = request.cookies.get(CSRF)
    given = request.headers.get(HEADER) or (await request.form()).get(FIELD, "")
    if not secret or not hmac.compare_digest(token_for(secret).encode(), str(given).encode()):
        raise CsrfTokenMissing
