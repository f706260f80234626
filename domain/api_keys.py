"""API keys: what other systems call the API with. History has their scopes, and no secrets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Literal, Self, get_args
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, stored_as
from domain.core.errors import InvalidFields, NotFound, Refused
from domain.core.unit_of_work import Work
from domain.core.values import Invalid, Text
from domain.events import event_exists

Scope = Literal[
    "events:read",
    "events:write",
    "visitors:read",
    "visitors:write",
    "personal",
    "check_in",
    "feed",
    "webhooks",
]
"""What a key may do. `personal` lets it read names, emails and answers."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

MAX_EVENTS = 100
"""Events that a key can be restricted to."""


LONGEST_LIFE = timedelta(days=36_525)
"""A hundred years. A key that is to last longer never expires, and its lists say so."""


class GraceSeconds(int):
    """How long earlier secrets of a rolled key still work: 0 to 7 days."""

    __slots__ = ()
    most: ClassVar[int] = 7 * 24 * 60 * 60

    @classmethod
    def parse(cls, raw: object) -> Self:
        if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw <= cls.most:
            raise Invalid(f"must be a whole number from 0 to {cls.most}")
        return cls(raw)


class KeyExpired(Refused):
    """The API key has expired: create another one"""


class CreateKey(msgspec.Struct, frozen=True, kw_only=True):
    name: Text
    scopes: tuple[Scope, ...]
    event_ids: tuple[UUID, ...] | None = None
    """The events that the key is restricted to; None for all events."""
    expires_at: datetime | None = None
    secret_hash: bytes


class RollKey(msgspec.Struct, frozen=True, kw_only=True):
    """Give the key another secret."""

    key_id: UUID
    grace: timedelta
    """How long all earlier secrets still work, at most."""
    secret_hash: bytes


class RevokeKey(msgspec.Struct, frozen=True, kw_only=True):
    key_id: UUID


class ApiKey(Aggregate, frozen=True, kw_only=True):
    name: str = ""
    scopes: tuple[Scope, ...] = ()
    """In the order of `SCOPES`."""
    event_ids: tuple[UUID, ...] | None = None
    expires_at: datetime | None = None
    exists: bool = False
    """Created, and not revoked."""


@stored_as("ApiKey.Created", phrase="created the API key")
class Created(DomainEvent[ApiKey], frozen=True, kw_only=True):
    name: str
    scopes: tuple[Scope, ...]
    event_ids: tuple[UUID, ...] | None = None
    expires_at: datetime | None = None

    def apply(self, aggregate: ApiKey) -> ApiKey:
        return msgspec.structs.replace(
            aggregate,
            name=self.name,
            scopes=self.scopes,
            event_ids=self.event_ids,
            expires_at=self.expires_at,
            exists=True,
        )


@stored_as("ApiKey.Rolled", phrase="gave the API key another secret")
class Rolled(DomainEvent[ApiKey], frozen=True, kw_only=True):
    former_works_until: datetime
    """When the last of the earlier secrets ends."""


@stored_as("ApiKey.Revoked", phrase="revoked the API key")
class Revoked(DomainEvent[ApiKey], frozen=True, kw_only=True):
    def apply(self, aggregate: ApiKey) -> ApiKey:
        return msgspec.structs.replace(aggregate, exists=False)


def create_key(command: CreateKey, work: Work) -> ApiKey:
    wrong = dict[str, str]()
    if command.expires_at is not None:
        if command.expires_at <= work.now:
            wrong["expires_at"] = "must be in the future"
        elif command.expires_at - work.now > LONGEST_LIFE:
            wrong["expires_at"] = "must be within a hundred years; without it, a key never expires"
    if unknown := [id for id in command.event_ids or () if not event_exists(id, work)]:
        wrong["event_ids"] = f"there is no event with the id {unknown[0]}"
    if wrong:
        raise InvalidFields(**wrong)
    created = Created(
        name=command.name,
        scopes=tuple(scope for scope in SCOPES if scope in command.scopes),
        event_ids=tuple(sorted(set(command.event_ids))) if command.event_ids else None,
        expires_at=command.expires_at,
    )
    return work.record(ApiKey(id=work.new_id()), created)


def roll_key(command: RollKey, work: Work) -> ApiKey:
    key = _existing_key(command.key_id, work)
    if key.expires_at is not None and key.expires_at <= work.now:
        raise KeyExpired
    return work.record(key, Rolled(former_works_until=work.now + command.grace))


def revoke_key(command: RevokeKey, work: Work) -> ApiKey:
    return work.record(_existing_key(command.key_id, work), Revoked())


def _existing_key(id: UUID, work: Work) -> ApiKey:
    try:
        key = work.get(ApiKey, id)
    except NotFound:
        raise NotFound("API key", id) from None
    if not key.exists:
        raise NotFound("API key", id)
    return key
