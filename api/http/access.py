"""Authorization: who may do what, in the API and in the panel. Each `Permission` is declared once.

Each route names what it needs with `opt={"access": ...}`. The check runs before the body is read.
It is not a Litestar guard: Litestar copies the route's handler for each guard, which costs a
registration more time than the whole check.
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
"""The session cookie, on routes that declare `opt={"signed_in_by": COOKIE}`."""

WritePolicy = Literal["organizer", "anyone"]
"""Who may create and change areas and events."""


class Who(Enum):
    """A group of callers. Admins have every role."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    ORGANIZER = "organizer"
    AUDITOR = "auditor"
    STAFF = "staff"
    """Any role."""
    ADMIN = "admin"


BY_WRITE_POLICY = True
"""Marks permissions that `WRITE_POLICY=anyone` gives to anyone in the API, but not in the panel."""


class Permission(Enum):
    """A thing that can be done, in words, and who may do it."""

    USE_PANEL = "see events, notifications and synchronisations in the panel", Who.STAFF
    READ_AREAS = "read areas", Who.STAFF, BY_WRITE_POLICY
    CHANGE_AREAS = "create, rename and delete areas", Who.ORGANIZER, BY_WRITE_POLICY
    CHANGE_EVENTS = "create, change and delete events", Who.ORGANIZER, BY_WRITE_POLICY
    READ_SEATS = "see how many seats of an event are taken", Who.ORGANIZER
    READ_VISITORS = "see how many registered for what, and when", Who.STAFF
    READ_NAMES = "read visitors' names and emails; an auditor's reading is recorded", Who.ORGANIZER
    CHANGE_VISITORS = "add, correct, cancel and promote visitors", Who.ORGANIZER
    SEND_AGAIN = "send failed notifications again", Who.ORGANIZER
    SYNCHRONIZE = "start a synchronisation with the events provider", Who.ORGANIZER
    READ_HISTORY = "read history and its proofs", Who.AUDITOR
    MANAGE_ACCOUNTS = "grant and revoke roles, disable accounts", Who.ADMIN
    ERASE_PEOPLE = "erase a person", Who.ADMIN
    REBUILD_TABLES = "rebuild read tables", Who.ADMIN

    def __init__(self, words: str, who: Who, by_write_policy: bool = False) -> None:
        self.words = words
        self.who = who
        self.by_write_policy = by_write_policy


class Forbidden(ProblemError):
    """Your account may not do this"""

    status = 403


class UndeclaredAccess(Exception):
    """These routes do not declare who may call them: add opt={"access": ...}"""


class Access:
    """Authenticates each request and checks the permission that its route declares."""

    def __init__(self, sessions: Sessions, write_policy: WritePolicy) -> None:
        self._sessions = sessions
        self._writes_are_open = write_policy == "anyone"

    async def check(self, request: Request) -> None:
        """Sets the request's account. Raises TokenInvalid, Forbidden."""
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
    """Whether an account with these roles has access."""
    who = who_may(access)
    if who is Who.STAFF:
        return bool(roles)
    return who in {Who.ANYONE, Who.SIGNED_IN} or "admin" in roles or who.value in roles


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
        raise TokenInvalid
    return token.strip()
