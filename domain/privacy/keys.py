"""Personal data in history: encrypted under one key per event that carries it, so that it can be
forgotten by deleting the key while history itself stays untouched.

Each of these keys is wrapped by the installation's data key, and that one by `SECRET_KEY`. Data
keys come in generations (`domain.privacy.key_rotation`); a wrapped key says by a mark at its end
which generation it is under. The first has none.
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
"""What the installation's keys are bound to under `SECRET_KEY`."""


class UnknownGeneration(CannotOpen):
    """A personal key is wrapped by a data key that came after these were loaded."""


def place(originator_id: UUID, originator_version: int) -> bytes:
    """What personal data is bound to: the event it belongs to."""
    return originator_id.bytes + originator_version.to_bytes(8, "big")


class InstallationKeys(msgspec.Struct):
    """The secrets of an installation, as one process knows them.

    All that work with history share one of these, and it learns of new generations when somebody
    meets one (`domain.history.store.refresh_keys`).
    """

    identity: bytes
    """Derives aggregates' ids for as long as history lives, see `domain.core.ids`."""
    data: dict[bytes, bytes]
    """Mark -> the data key of that generation. Marks grow: the greatest is the one that wraps."""
    secret_keys: tuple[str, ...] = ()
    """What these were opened with, and what is learnt will be."""

    @classmethod
    def generate(cls) -> InstallationKeys:
        return cls(identity=new_key(), data={b"": new_key()})

    @property
    def mark(self) -> bytes:
        """Of the generation that wraps."""
        return max(self.data)

    def wrap(self, *secret_keys: str) -> bytes:
        """For the database: unreadable without the first of `SECRET_KEY`."""
        marks = sorted(self.data, reverse=True)  # the first generation, without one, comes last
        generations = b"".join(self.data[mark] + mark for mark in marks)
        return wrap_secret(self.identity + generations, secret_keys, INSTALLATION)

    @classmethod
    def unwrap(cls, wrapped: bytes, secret_keys: tuple[str, ...]) -> InstallationKeys:
        """Raises `CannotOpen` when none of the keys is the one it was wrapped with."""
        opened = unwrap_secret(wrapped, secret_keys, INSTALLATION)
        data: dict[bytes, bytes] = {}
        for start in range(KEY_BYTES, len(opened), KEY_BYTES + MARK_BYTES):
            key_and_mark = opened[start : start + KEY_BYTES + MARK_BYTES]
            data[key_and_mark[KEY_BYTES:]] = key_and_mark[:KEY_BYTES]
        return cls(identity=opened[:KEY_BYTES], data=data, secret_keys=secret_keys)

    def learn(self, wrapped: bytes) -> None:
        """Take in the generations that came since. Those that were retired stay known: what was
        read before can still be opened."""
        self.data |= self.unwrap(wrapped, self.secret_keys).data


def wrap(keys: InstallationKeys, personal_key: bytes, bound_to: bytes) -> bytes:
    """A personal key for the database, under the newest generation."""
    return seal(keys.data[keys.mark], personal_key, bound_to) + keys.mark


def unwrap(keys: InstallationKeys, wrapped: bytes, bound_to: bytes) -> bytes:
    """The personal key that `wrap` was given, whatever generation it is under by now.

    Raises `CannotOpen`; `UnknownGeneration` where a rotation came in between: load the keys anew
    (`domain.history.store.refresh_keys`), read what is wrapped again, and it opens.
    """
    data_key = keys.data.get(wrapped[SEALED_KEY_BYTES:])
    if data_key is None:
        raise UnknownGeneration("a key is wrapped by a data key that is not known here")
    return unseal_key(data_key, wrapped[:SEALED_KEY_BYTES], bound_to)
