"""Loads the keys of the installation that a role or command uses."""

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.history.pooling import PoolerDetected, connect_in_session
from domain.history.store import load_keys
from domain.privacy.encryption import CannotOpen
from domain.privacy.keys import InstallationKeys
from domain.seals.signing import load_key
from runtime.errors import CommandFailed
from runtime.secret_key import with_existing_key
from runtime.settings import Settings

K = TypeVar("K")


def installation_keys(settings: Settings, database_url: str) -> InstallationKeys:
    """Raises `UNAVAILABLE`, and `CommandFailed` when the database is not migrated or belongs to
    another SECRET_KEY."""
    return _loaded(load_keys, settings, database_url)


def signing_key(settings: Settings, database_url: str) -> Ed25519PrivateKey:
    """The key that signs the seals of history. Raises as `installation_keys`."""
    return _loaded(load_key, settings, database_url)


def session(database_url: str) -> psycopg.Connection[Any]:
    """A connection in autocommit mode. Raises `UNAVAILABLE`, and `CommandFailed` when the URL leads
    to a pooler."""
    try:
        return connect_in_session(database_url)
    except PoolerDetected:
        raise CommandFailed(
            "DATABASE_URL leads to a pooler (PgBouncer?) and must lead to PostgreSQL itself;"
            " READ_DATABASE_URL may lead to one"
        ) from None


def _loaded(
    load: Callable[[psycopg.Connection[Any], tuple[str, ...]], K],
    settings: Settings,
    database_url: str,
) -> K:
    try:
        with session(database_url) as connection:
            return load(connection, with_existing_key(settings).secret_keys)
    except psycopg.errors.UndefinedTable:
        raise CommandFailed("the database has no tables yet: run `events-face migrate`") from None
    except (LookupError, CannotOpen) as error:
        raise CommandFailed(str(error)) from None
