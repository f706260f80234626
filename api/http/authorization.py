"""Authorization: authenticates each request, and checks the permission that its route declares.

The check runs before the body is read. It is not a Litestar guard: Litestar copies the route's
handler for each guard, which costs a registration more time than the whole check.
"""

from __future__ import annotations

from collections.abc import Iterator

from litestar import Litestar
from litestar.routes import HTTPRoute

from api.database.signed_in import SignedInAccounts
from api.http.access import COOKIE, Permission, Who, WritePolicy, is_by_write_policy, may
from api.http.key_access import KeyAccess, key_of
from api.http.refusals import Forbidden
from api.http.requests import Request
from api.identity.tokens import TokenMissing


class UndeclaredAccess(Exception):
    """These routes do not declare who may call them: add opt={"access": ...}"""


class Access:
    """Authenticates each request and checks the permission that its route declares."""

    def __init__(
        self, signed_in: SignedInAccounts, keys: KeyAccess, write_policy: WritePolicy
    ) -> None:
        self._signed_in = signed_in
        self._keys = keys
        self._writes_are_open = write_policy == "anyone"

    async def check(self, request: Request) -> None:
        """Sets the request's account. Raises TokenMissing, TokenInvalid, Forbidden, NotFound."""
        opt = request.route_handler.opt
        access: Who | Permission = opt["access"]
        if key_of(request) is not None:
            await self._keys.check(request, access)
            return
        if access is Who.ANYONE:
            return
        in_browser = opt.get("signed_in_by") == COOKIE
        is_open = self._writes_are_open and is_by_write_policy(access) and not in_browser
        if is_open and "Authorization" not in request.headers:
            return
        if in_browser:
            account = await self._signed_in.of(request.cookies.get(COOKIE, ""), "cookie")
        else:
            account = await self._signed_in.of(_bearer_token(request))
        request.scope["user"] = account
        if not (is_open or may(account.roles, access)):
            raise Forbidden


def require_declarations(app: Litestar) -> None:
    """Raises UndeclaredAccess, naming each route without a declaration."""
    if undeclared := sorted(_undeclared(app)):
        raise UndeclaredAccess(", ".join(undeclared))


def _undeclared(app: Litestar) -> Iterator[str]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            yield route.path
            continue
        for handler in route.route_handlers:
            # Litestar's own OPTIONS handlers are never called (see api.http.edge).
            if handler.http_methods != {"OPTIONS"} and not isinstance(
                handler.opt.get("access"), Who | Permission
            ):
                yield f"{' '.join(sorted(handler.http_methods))} {route.path}"


def _bearer_token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissing
    return token.strip()
