"""Who may do what, in the API and in the panel: declared here, once for each thing (`Permission`).

Each route says with `opt={"access": ...}` what it is for, and it is asked here.

It is asked before a route's body is read, and not by a Litestar guard: for each of those Litestar
copies the route's handler, which costs a registration more than all that is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Literal

from litestar import Litestar
from litestar.routes import HTTPRoute

from api.http.requests import Request
from api.identity.sessions import Sessions
from api.identity.tokens import TokenInvalid
from domain.accounts import Role
from domain.core.errors import ProblemError

COOKIE = "events_face_session"
"""What a browser is signed in by on routes that declare it: `opt={"signed_in_by": COOKIE}`."""

WritePolicy = Literal["organizer", "anyone"]
"""Who may create and change areas and events."""


class Who(Enum):
    """Whom something is for. An account without the role is refused, an admin never is."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    ORGANIZER = "organizer"
    AUDITOR = "auditor"
    STAFF = "staff"
    """Any role will do."""
    ADMIN = "admin"


BY_WRITE_POLICY = True
"""`WRITE_POLICY=anyone` opens the API's calls for it to anyone; the panel's pages never."""


class Permission(Enum):
    """What may be done, and by whom."""

    USE_PANEL = "see events, notifications and synchronisations in the panel", Who.STAFF
    READ_AREAS = "read areas", Who.STAFF, BY_WRITE_POLICY
    CHANGE_AREAS = "create, rename and delete areas", Who.ORGANIZER, BY_WRITE_POLICY
    CHANGE_EVENTS = "create, change and delete events", Who.ORGANIZER, BY_WRITE_POLICY
    READ_VISITORS = "see how many registered for what, and when", Who.STAFF
    READ_NAMES = "read visitors' names and emails; an auditor's reading is recorded", Who.ORGANIZER
    SEND_AGAIN = "have failed notifications sent again", Who.ORGANIZER
    SYNCHRONIZE = "ask for a synchronisation with the events provider", Who.ORGANIZER
    READ_HISTORY = "read history and what proves it", Who.AUDITOR
    MANAGE_ACCOUNTS = "grant and revoke roles, disable accounts", Who.ADMIN
    ERASE_PEOPLE = "have a person forgotten", Who.ADMIN
    REBUILD_TABLES = "have read tables derived from history again", Who.ADMIN

    def __init__(self, words: str, who: Who, by_write_policy: bool = False) -> None:
        self.words = words
        self.who = who
        self.by_write_policy = by_write_policy


class Forbidden(ProblemError):
    """Your account may not do this"""

    status = 403


class UndeclaredAccess(Exception):
    """Some routes do not say whom they are for"""


class Access:
    """Asks each request's route whom it is for, and each request whom it comes from."""

    def __init__(self, sessions: Sessions, write_policy: WritePolicy) -> None:
        self._sessions = sessions
        self._writes_are_open = write_policy == "anyone"

    async def check(self, request: Request) -> None:
        """Afterwards the request knows its account. Raises TokenInvalid, Forbidden."""
        opt = request.route_handler.opt
        access: Who | Permission = opt["access"]
        if access is Who.ANYONE:
            return
        in_browser = opt.get("signed_in_by") == COOKIE
        is_open = self._writes_are_open and is_by_write_policy(access) and not in_browser
        if is_open and "Authorization" not in request.headers:
            return
        if in_browser:
            account = await self._sessions.signed_in(request.cookies.get(COOKIE, ""), "cookie")
        else:
            account = await self._sessions.signed_in(_bearer_token(request))
        request.scope["user"] = account
        if not (is_open or may(account.roles, access)):
            raise Forbidden


def is_by_write_policy(access: Who | Permission) -> bool:
    return isinstance(access, Permission) and access.by_write_policy


def who_may(access: Who | Permission) -> Who:
    return access.who if isinstance(access, Permission) else access


def may(roles: tuple[Role, ...], access: Who | Permission) -> bool:
    """Whether an account with these roles is one of those."""
    who = who_may(access)
    if who is Who.STAFF:
        return bool(roles)
    return who in {Who.ANYONE, Who.SIGNED_IN} or "admin" in roles or who.value in roles


def require_declarations(app: Litestar) -> None:
    """Raises UndeclaredAccess, naming each route that does not say whom it is for."""
    if undeclared := sorted(_undeclared(app)):
        raise UndeclaredAccess(", ".join(undeclared))


def _undeclared(app: Litestar) -> Iterator[str]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            yield route.path
            continue
        for handler in route.route_handlers:
            # Litestar's own OPTIONS handlers are never routed to (see api.http.edge).
            if handler.http_methods != {"OPTIONS"} and not isinstance(
                handler.opt.get("access"), Who | Permission
            ):
                yield f"{' '.join(sorted(handler.http_methods))} {route.path}"


def _bearer_token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenInvalid
    return token.strip()
