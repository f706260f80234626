"""Links where a person sets the password of an account.

A link is not stored: its token names the account and the version of its password, so that a new
password ends all links that were made before it. Their key comes from `SECRET_KEY`, as that of
sessions does: whoever replaces a leaked one ends the links, too.
"""

from __future__ import annotations

import binascii
from base64 import b32decode, b32encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from hmac import compare_digest
from uuid import UUID

import msgspec

from api.identity.credentials import Credential
from domain.core.errors import ProblemError

LIFE = timedelta(days=1)

ID_BYTES, VERSION_BYTES, TIME_BYTES, MAC_BYTES = 16, 4, 5, 20
"""Together 45: 72 characters of base32, without padding, so each token has one spelling."""

TOKEN_LENGTH = 72


class PasswordLinkExpired(ProblemError):
    """This link was used before, is older than a day, or is not complete"""

    status = 410
    slug = "link-expired"
    title = "Link expired"


class PasswordLink(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says."""

    account_id: UUID
    password_version: int
    expires_at: datetime

    @classmethod
    def to(cls, credential: Credential) -> PasswordLink:
        """For the password that the account has now."""
        return cls(
            account_id=credential.account_id,
            password_version=credential.password_version,
            expires_at=datetime.now(UTC).replace(microsecond=0) + LIFE,
        )

    def fits(self, credential: Credential) -> bool:
        """Whether the link can set the password of this account now."""
        return (
            credential.account_id == self.account_id
            and credential.password_version == self.password_version
            and not credential.disabled
            and datetime.now(UTC) < self.expires_at
        )


class PasswordLinks:
    """Makes and reads tokens with the installation's secret keys: the first signs, all verify."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._keys = [_key(secret) for secret in secret_keys]

    def address(self, origin: str, link: PasswordLink) -> str:
        """`origin` is where people reach this installation."""
        return f"{origin}/admin/password/{self.token(link)}/"

    def token(self, link: PasswordLink) -> str:
        """Lower-case letters and digits only, so that mail programs take all of it as the link."""
        content = (
            link.account_id.bytes
            + link.password_version.to_bytes(VERSION_BYTES)
            + int(link.expires_at.timestamp()).to_bytes(TIME_BYTES)
        )
        return b32encode(content + _mac(self._keys[0], content)).decode().lower()

    def read(self, token: str) -> PasswordLink:
        """Raises PasswordLinkExpired unless the token was made by this installation."""
        if len(token) != TOKEN_LENGTH or not token.isascii():
            raise PasswordLinkExpired
        try:
            decoded = b32decode(token.upper())
        except binascii.Error:
            raise PasswordLinkExpired from None
        content, mac = decoded[:-MAC_BYTES], decoded[-MAC_BYTES:]
        if not any(compare_digest(mac, _mac(key, content)) for key in self._keys):
            raise PasswordLinkExpired
        id, rest = content[:ID_BYTES], content[ID_BYTES:]
        return PasswordLink(
            account_id=UUID(bytes=id),
            password_version=int.from_bytes(rest[:VERSION_BYTES]),
            expires_at=datetime.fromtimestamp(int.from_bytes(rest[VERSION_BYTES:]), UTC),
        )


def _mac(key: bytes, content: bytes) -> bytes:
    return blake2b(content, key=key, digest_size=MAC_BYTES).digest()


def _key(secret_key: str) -> bytes:
    return blake2b(secret_key.encode(), digest_size=32, person=b"password links").digest()
