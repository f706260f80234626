"""Keys of personal data: each event with personal data has a key of its own, so that the data can
be erased by deleting the key, without changing history.

Each of these keys is wrapped with the data key of the installation, and that one with `SECRET_KEY`.
Data keys have generations (`domain.privacy.key_rotation`); a mark at the end of a wrapped key names
the generation of its data key. The first generation has no mark.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain.privacy.encryption import (
    KEY_BYTES,
    SEALED_KEY_BYTES,
    CannotOpen,
    new_key,
    seal,
    unseal_key,
    unwrap_secret,
    wrap_secret,
)

MARK_BYTES = 2

INSTALLATION = b"installation"
"""The purpose to which the wrapped keys of the installation are bound."""


class UnknownGeneration(CannotOpen):
    """A personal key is wrapped with a data key that is newer than the loaded ones."""


def binding_of(originator_id: UUID, originator_version: int) -> bytes:
    """The event to which encrypted personal data is bound."""
    return originator_id.bytes + originator_version.to_bytes(8, "big")


class InstallationKeys(msgspec.Struct):
    """The secrets of an installation, in one process.

    All readers and writers of history in a process share one instance. New generations are added
    when an unknown one is found (`domain.history.store.refresh_keys`).
    """

    identity: bytes
    """The key that derives ids of aggregates (`domain.core.ids`). It never changes."""
    data: dict[bytes, bytes]
    """Mark -> data key of that generation. Marks increase: the greatest is that of the present
    one."""
    secret_keys: tuple[str, ...] = ()
    """The `SECRET_KEY` values that unwrap these keys."""

    @classmethod
    def generate(cls) -> InstallationKeys:
        return cls(identity=new_key(), data={b"": new_key()})

    @property
    def mark(self) -> bytes:
        """The mark of the present generation."""
        return max(self.data)

    def wrap(self, *secret_keys: str) -> bytes:
        """The encrypted keys for the database, wrapped with the first of `secret_keys`."""
        marks = sorted(self.data, reverse=True)  # the first generation, without a mark, is last
        generations = b"".join(self.data[mark] + mark for mark in marks)
        return wrap_secret(self.identity + generations, secret_keys, INSTALLATION)

    @classmethod
    def unwrap(cls, wrapped: bytes, secret_keys: tuple[str, ...]) -> InstallationKeys:
        """Decrypt keys of the database. Raises `CannotOpen` when none of `secret_keys` fits."""
        opened = unwrap_secret(wrapped, secret_keys, INSTALLATION)
        data: dict[bytes, bytes] = {}
        for start in range(KEY_BYTES, len(opened), KEY_BYTES + MARK_BYTES):
            key_and_mark = opened[start : start + KEY_BYTES + MARK_BYTES]
            data[key_and_mark[KEY_BYTES:]] = key_and_mark[:KEY_BYTES]
        return cls(identity=opened[:KEY_BYTES], data=data, secret_keys=secret_keys)

    def learn(self, wrapped: bytes) -> None:
        """Add newer generations. Removed generations stay in memory, for events that were read
        before."""
        self.data |= self.unwrap(wrapped, self.secret_keys).data


def wrap(keys: InstallationKeys, personal_key: bytes, bound_to: bytes) -> bytes:
    """Wrap a personal key for the database, with the newest generation."""
    return seal(keys.data[keys.mark], personal_key, bound_to) + keys.mark


def unwrap(keys: InstallationKeys, wrapped: bytes, bound_to: bytes) -> bytes:
    """Unwrap a personal key of any loaded generation.

    Raises `CannotOpen`; `UnknownGeneration` after a rotation: then load the keys again
    (`domain.history.store.refresh_keys`), and read the wrapped key again.
    """
    data_key = keys.data.get(wrapped[SEALED_KEY_BYTES:])
    if data_key is None:
        raise UnknownGeneration("a key is wrapped with a data key that is not loaded")
    return unseal_key(data_key, wrapped[:SEALED_KEY_BYTES], bound_to)
