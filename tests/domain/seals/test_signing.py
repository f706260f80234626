"""The signing key: made once, and openable with whatever SECRET_KEY the installation has by now."""

from __future__ import annotations

import psycopg
import pytest

from domain.privacy.encryption import CannotOpen
from domain.seals.signing import create_key, from_pem, load_key, to_pem
from runtime.settings import Settings

NEW = "another-secret-" * 3


def test_the_key_stays_the_same_when_the_secret_key_changes(
    database_url: str, settings: Settings
) -> None:
    old = settings.secret_keys
    with psycopg.connect(database_url) as connection:
        key = load_key(connection, old).private_bytes_raw()
        create_key(connection, old)
        assert load_key(connection, old).private_bytes_raw() == key
        create_key(connection, (NEW, *old))
        assert load_key(connection, (NEW,)).private_bytes_raw() == key
        with pytest.raises(CannotOpen):
            load_key(connection, old)
        with pytest.raises(CannotOpen):
            create_key(connection, old)


def test_the_key_is_not_stored_in_the_database(database_url: str, settings: Settings) -> None:
    with psycopg.connect(database_url) as connection:
        key = load_key(connection, settings.secret_keys).private_bytes_raw()
        row = connection.execute("SELECT wrapped FROM signing_key").fetchone()
    assert row is not None
    assert key not in row[0]


def test_a_written_public_key_can_be_read(database_url: str, settings: Settings) -> None:
    with psycopg.connect(database_url) as connection:
        key = load_key(connection, settings.secret_keys).public_key()
    assert from_pem(to_pem(key).encode()) == key
    with pytest.raises(ValueError, match="PEM"):
        from_pem(b"nonsense")
