"""Signatures after Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

from domain.webhook_secrets import signing_key


def message_id(webhook_id: UUID, position: int | str) -> str:
    """The same for every try of an item."""
    return f"msg_{webhook_id.hex}_{position}"


def signed_headers(id: str, timestamp: int, body: bytes, secrets: Iterable[str]) -> bytes:
    """The three header lines, with a signature by each secret. `timestamp`: seconds since 1970."""
    content = b"%b.%d.%b" % (id.encode(), timestamp, body)
    signatures = " ".join(_signature(signing_key(secret), content) for secret in secrets)
    return (
        f"webhook-id: {id}\r\nwebhook-timestamp: {timestamp}\r\nwebhook-signature: {signatures}\r\n"
    ).encode()


def _signature(key: bytes, content: bytes) -> str:
    return f"v1,{b64encode(hmac.digest(key, content, sha256)).decode()}"
