"""Who may do what, in the API and in the panel. Each `Permission` is declared once.

Each route names what it needs with `opt={"access": ...}`, which `api.http.authorization` checks.

An account does what its roles allow; an API key does what its scopes allow. A key that is
restricted to events reaches routes with the id of an event or a visitor in their path, and routes
that declare `opt={"of_events": True}`: their handlers keep to `Request.event_ids` themselves.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from domain.accounts import Role
from domain.api_keys import Scope

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
    """A thing that can be done, in words, who may do it, and the scope that lets a key do it."""

    USE_PANEL = "see events, notifications and synchronisations in the panel", Who.STAFF
    READ_AREAS = "read areas", Who.STAFF, "events:read", BY_WRITE_POLICY
    CHANGE_AREAS = "create, rename and delete areas", Who.ORGANIZER, "events:write", BY_WRITE_POLICY
    CHANGE_EVENTS = (
        "create, change and delete events",
        Who.ORGANIZER,
        "events:write",
        BY_WRITE_POLICY,
    )
    READ_SEATS = "see how many seats of an event are taken", Who.ORGANIZER, "visitors:read"
    READ_VISITORS = "see how many registered for what, and when", Who.STAFF
    READ_NAMES = (
        "read visitors, their names and emails; an auditor's reading is recorded",
        Who.ORGANIZER,
        "visitors:read",
    )
    CHANGE_VISITORS = (
        "add, correct, cancel and promote visitors",
        Who.ORGANIZER,
        "visitors:write",
    )
    CHECK_IN = "check visitors in, and read the door's list", Who.ORGANIZER, "check_in"
    MANAGE_DOOR_LINKS = "create and revoke the links of an event's door", Who.ORGANIZER
    MANAGE_WEBHOOKS = "create, change and delete webhooks", Who.ORGANIZER, "webhooks"
    SEND_AGAIN = "send failed notifications again", Who.ORGANIZER
    SYNCHRONIZE = "start a synchronisation with the events provider", Who.ORGANIZER
    READ_FEED = "read the feed; without names for auditors", Who.STAFF, "feed"
    READ_HISTORY = "read history and its proofs", Who.AUDITOR
    MANAGE_ACCOUNTS = (
        "invite people, make password links, grant and revoke roles, disable and enable accounts",
        Who.ADMIN,
    )
    MANAGE_KEYS = "create, roll and revoke API keys", Who.ADMIN
    ERASE_PEOPLE = "erase a person", Who.ADMIN
    EXPORT_PEOPLE = "export all that is known of a person; it is recorded", Who.ADMIN
    REBUILD_TABLES = "rebuild read tables", Who.ADMIN

    def __init__(
        self, words: str, who: Who, scope: Scope | None = None, by_write_policy: bool = False
    ) -> None:
        self.words = words
        self.who = who
        self.scope = scope
        self.by_write_policy = by_write_policy


def is_by_write_policy(access: Who | Permission) -> bool:
    return isinstance(access, Permission) and access.by_write_policy


def who_may(access: Who | Permission) -> Who:
    return access.who if isinstance(access, Permission) else access


def scope_of(access: Who | Permission) -> Scope | None:
    """The scope that a key needs; None if no key has access, or if anyone has."""
    return access.scope if isinstance(access, Permission) else None


def may(roles: tuple[Role, ...], access: Who | Permission) -> bool:
    """Whether an account with these roles has access."""
    who = who_may(access)
    if who is Who.STAFF:
        return bool(roles)
    return who in {Who.ANYONE, Who.SIGNED_IN} or "admin" in roles or who.value in roles
