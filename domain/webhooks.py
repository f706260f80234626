"""Webhooks: endpoints of other systems that get the items of the feed. History holds no secret."""

from __future__ import annotations

import ipaddress
import re
from typing import ClassVar, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, Expected, stored_as
from domain.core.errors import InvalidFields, NotFound, Refused
from domain.core.unit_of_work import Work, check_version
from domain.core.values import Invalid
from domain.events import event_exists

MAX_WEBHOOKS = 100


class TooManyWebhooks(Refused):
    """There are 100 webhooks already: delete one first"""


class WebhookUrl(str):
    """The address of an endpoint: http or https, with the host in ASCII."""

    __slots__ = ()
    max_length: ClassVar[int] = 2048

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str):
            raise Invalid("must be a text")
        text = raw.strip()
        if len(text) > cls.max_length:
            raise Invalid(f"must have at most {cls.max_length} characters")
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise Invalid(_EXAMPLE) from None
        if parts.scheme not in {"http", "https"} or not host or port == 0:
            raise Invalid(_EXAMPLE)
        if "@" in parts.netloc:
            raise Invalid("must not contain a username or password")
        if "#" in text:
            raise Invalid("must not have a fragment")
        rest = f"{parts.path}{parts.query}"
        if not rest.isascii() or not rest.isprintable() or " " in rest:
            raise Invalid("must have a path of ASCII characters: percent-encode all others")
        netloc = _ascii_host(host) + (f":{port}" if port else "")
        return cls(urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, "")))

    @property
    def host(self) -> str:
        return urlsplit(self).hostname or ""


_EXAMPLE = "must look like https://example.com/path"

_NUMBER = re.compile("[0-9]+|0x[0-9a-f]*", re.IGNORECASE)

Ip = TypeVar("Ip", ipaddress.IPv4Address, ipaddress.IPv6Address)


def _ascii_host(host: str) -> str:
    if ":" in host:
        return f"[{_ip(ipaddress.IPv6Address, host)}]"
    name = host if host.isascii() else _a_labels(host)
    if len(name) > 253 or not all(_is_label(label) for label in name.rstrip(".").split(".")):
        raise Invalid("must have a host that is a valid domain name")
    if _NUMBER.fullmatch(name.rstrip(".").rpartition(".")[2]):  # no domain ends in a number
        return str(_ip(ipaddress.IPv4Address, name))
    return name


def _ip(kind: type[Ip], text: str) -> Ip:
    """Raises Invalid, also for an address with a zone, which is of this machine only."""
    try:
        if "%" not in text:
            return kind(text)
    except ValueError:
        pass
    raise Invalid("must have a host that is a domain name or an IP address")


def _a_labels(host: str) -> str:
    import idna  # only here: it costs each process memory, and few hosts need it

    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise Invalid("must have a host that is a valid domain name") from None


def _is_label(label: str) -> bool:
    return 0 < len(label) <= 63 and label.replace("-", "").replace("_", "").isalnum()


class CreateWebhook(msgspec.Struct, frozen=True, kw_only=True):
    url: WebhookUrl
    sealed_secret: bytes
    types: tuple[str, ...] = ()
    """Of the feed; empty: all."""
    event_id: UUID | None = None
    """None: items of all events."""
    personal: bool = False
    """Whether items contain names, emails and answers."""
    existing: int = 0
    """How many webhooks there are, looked up for each decision."""


class ChangeWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """None: unchanged."""

    webhook_id: UUID
    url: WebhookUrl | None = None
    types: tuple[str, ...] | None = None
    enabled: bool | None = None
    expected_version: Expected = None


class DisableWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """By a worker."""

    webhook_id: UUID
    reason: str


class RollWebhookSecret(msgspec.Struct, frozen=True, kw_only=True):
    webhook_id: UUID
    sealed_secret: bytes


class DeleteWebhook(msgspec.Struct, frozen=True, kw_only=True):
    webhook_id: UUID
    expected_version: Expected = None


class Webhook(Aggregate, frozen=True, kw_only=True):
    url: str = ""
    types: tuple[str, ...] = ()
    event_id: UUID | None = None
    personal: bool = False
    enabled: bool = False
    disabled_because: str | None = None
    exists: bool = False

    def change(self, command: ChangeWebhook) -> list[DomainEvent[Webhook]]:
        url = command.url if command.url != self.url else None
        types = command.types if command.types != self.types else None
        found: list[DomainEvent[Webhook]] = []
        if url is not None or types is not None:
            found.append(Changed(url=url, host=url and url.host, types=types))
        if command.enabled is True and not self.enabled:
            found.append(Enabled())
        if command.enabled is False and self.enabled:
            found.append(Disabled())
        return found


@stored_as("Webhook.Created", phrase="created the webhook", secret=["url"])
class Created(DomainEvent[Webhook], frozen=True, kw_only=True):
    """The path of an address is often a password; the host says where data goes."""

    url: str
    host: str
    types: tuple[str, ...] = ()
    event_id: UUID | None = None
    personal: bool = False

    def apply(self, aggregate: Webhook) -> Webhook:
        return msgspec.structs.replace(
            aggregate,
            url=self.url,
            types=self.types,
            event_id=self.event_id,
            personal=self.personal,
            enabled=True,
            exists=True,
        )


@stored_as("Webhook.Changed", phrase="changed the webhook", secret=["url"])
class Changed(DomainEvent[Webhook], frozen=True, kw_only=True):
    """None: unchanged."""

    url: str | None = None
    host: str | None = None
    types: tuple[str, ...] | None = None

    def apply(self, aggregate: Webhook) -> Webhook:
        return msgspec.structs.replace(
            aggregate,
            url=aggregate.url if self.url is None else self.url,
            types=aggregate.types if self.types is None else self.types,
        )


@stored_as("Webhook.Enabled", phrase="enabled the webhook")
class Enabled(DomainEvent[Webhook], frozen=True, kw_only=True):
    def apply(self, aggregate: Webhook) -> Webhook:
        return msgspec.structs.replace(aggregate, enabled=True, disabled_because=None)


@stored_as("Webhook.Disabled", phrase="disabled the webhook")
class Disabled(DomainEvent[Webhook], frozen=True, kw_only=True):
    reason: str | None = None
    """None when a user disabled it."""

    def apply(self, aggregate: Webhook) -> Webhook:
        return msgspec.structs.replace(aggregate, enabled=False, disabled_because=self.reason)


@stored_as("Webhook.SecretRolled", phrase="rolled the secret of the webhook")
class SecretRolled(DomainEvent[Webhook], frozen=True, kw_only=True):
    pass


@stored_as("Webhook.Deleted", phrase="deleted the webhook")
class Deleted(DomainEvent[Webhook], frozen=True, kw_only=True):
    def apply(self, aggregate: Webhook) -> Webhook:
        return msgspec.structs.replace(aggregate, exists=False, enabled=False)


def create_webhook(command: CreateWebhook, work: Work) -> Webhook:
    if command.existing >= MAX_WEBHOOKS:
        raise TooManyWebhooks
    if command.event_id is not None and not event_exists(command.event_id, work):
        raise InvalidFields(event_id="there is no event with this id")
    created = Created(
        url=command.url,
        host=command.url.host,
        types=command.types,
        event_id=command.event_id,
        personal=command.personal,
    )
    return work.record(Webhook(id=work.new_id()), created)


def change_webhook(command: ChangeWebhook, work: Work) -> Webhook:
    webhook = _existing_webhook(command.webhook_id, work)
    check_version(webhook, command.expected_version)
    return work.record(webhook, *webhook.change(command))


def disable_webhook(command: DisableWebhook, work: Work) -> Webhook:
    webhook = _existing_webhook(command.webhook_id, work)
    return work.record(webhook, *[Disabled(reason=command.reason)] * webhook.enabled)


def roll_secret(command: RollWebhookSecret, work: Work) -> Webhook:
    return work.record(_existing_webhook(command.webhook_id, work), SecretRolled())


def delete_webhook(command: DeleteWebhook, work: Work) -> Webhook:
    webhook = _existing_webhook(command.webhook_id, work)
    check_version(webhook, command.expected_version)
    return work.record(webhook, Deleted())


def _existing_webhook(id: UUID, work: Work) -> Webhook:
    webhook = work.get(Webhook, id)
    if not webhook.exists:
        raise NotFound("webhook", id)
    return webhook
