"""The signing key of the installation: Ed25519, stored in the database, wrapped with
`SECRET_KEY`."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from psycopg import AsyncConnection, Connection

from domain.privacy.encryption import CannotOpen, rewrap, unwrap_secret, wrap_secret

_BOUND_TO = b"signing key"


def create_key(connection: Connection[Any], secret_keys: tuple[str, ...]) -> None:
    """Create the key if it is missing, and wrap it with the first of `secret_keys`.

    Raises `encryption.CannotOpen` when it exists but none of `secret_keys` decrypts it, or when it
    is missing although history has seals, which it has signed.
    """
    private = Ed25519PrivateKey.generate().private_bytes_raw()
    connection.execute(
        """
        INSERT INTO signing_key (wrapped) SELECT %s WHERE NOT EXISTS (SELECT FROM history_seals)
        ON CONFLICT DO NOTHING
        """,
        [wrap_secret(private, secret_keys, _BOUND_TO)],
    )
    if connection.execute(_WRAPPED).fetchone() is None:
        raise CannotOpen(
            "the signing key is missing, and history has seals that it has signed: restore the"
            " table signing_key from a backup"
        )
    if rewrapped := rewrap(_read(connection), secret_keys, _BOUND_TO):
        connection.execute("UPDATE signing_key SET wrapped = %s", [rewrapped])


def load_key(connection: Connection[Any], secret_keys: tuple[str, ...]) -> Ed25519PrivateKey:
    """The signing key. Raises `encryption.CannotOpen`, and LookupError when there is none."""
    return _opened(_read(connection), secret_keys)


async def load_public_key(
    connection: AsyncConnection[Any], secret_keys: tuple[str, ...]
) -> Ed25519PublicKey:
    """The public key. Raises as `load_key`."""
    cursor = await connection.execute(_WRAPPED)
    return _opened(_wrapped(await cursor.fetchone()), secret_keys).public_key()


def key_id(key: Ed25519PublicKey) -> str:
    """A short name of the key, to find it; it proves nothing."""
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def to_pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def from_pem(pem: bytes) -> Ed25519PublicKey:
    """Raises ValueError."""
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004  callers expect one error type
    return key


_WRAPPED = "SELECT wrapped FROM signing_key"


def _read(connection: Connection[Any]) -> bytes:
    return _wrapped(connection.execute(_WRAPPED).fetchone())


def _opened(wrapped: bytes, secret_keys: tuple[str, ...]) -> Ed25519PrivateKey:
    private = unwrap_secret(wrapped, secret_keys, _BOUND_TO)
    return Ed25519PrivateKey.from_private_bytes(private)


def _wrapped(row: tuple[bytes] | None) -> bytes:
    if row is None:
        raise LookupError("the database has no signing key: run `events-face migrate`")
    return row[0]
