"""The installation's signing key: Ed25519, kept in the database, wrapped by `SECRET_KEY`."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from psycopg import Connection

from domain.encryption import unwrap_secret, wrap_again, wrap_secret

_BOUND_TO = b"signing key"


def create_key(connection: Connection[Any], secret_keys: tuple[str, ...]) -> None:
    """Create the key unless there is one, and wrap it under the first of `secret_keys`.

    Raises `encryption.CannotOpen` when it is there but none of `secret_keys` opens it.
    """
    private = Ed25519PrivateKey.generate().private_bytes_raw()
    connection.execute(
        "INSERT INTO signing_key (wrapped) VALUES (%s) ON CONFLICT DO NOTHING",
        [wrap_secret(private, secret_keys, _BOUND_TO)],
    )
    if anew := wrap_again(_read(connection), secret_keys, _BOUND_TO):
        connection.execute("UPDATE signing_key SET wrapped = %s", [anew])


def load_key(connection: Connection[Any], secret_keys: tuple[str, ...]) -> Ed25519PrivateKey:
    """Raises `encryption.CannotOpen`, and LookupError when there is none."""
    private = unwrap_secret(_read(connection), secret_keys, _BOUND_TO)
    return Ed25519PrivateKey.from_private_bytes(private)


def key_id(key: Ed25519PublicKey) -> str:
    """A short name for the key, to find the right one by; it proves nothing."""
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def to_pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def from_pem(pem: bytes) -> Ed25519PublicKey:
    """Raises ValueError."""
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004  the caller knows one kind of wrong
    return key


def _read(connection: Connection[Any]) -> bytes:
    row = connection.execute("SELECT wrapped FROM signing_key").fetchone()
    if row is None:
        raise LookupError("the database has no signing key: run `events-face migrate`")
    wrapped: bytes = row[0]
    return wrapped
