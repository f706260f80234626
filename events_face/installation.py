"""The keys of the installation that a role or command works on."""

import psycopg

from domain.history import load_keys
from domain.personal_data import CannotOpen, InstallationKeys
from events_face.errors import CommandFailed
from events_face.settings import Settings

CONNECT_TIMEOUT = 5  # seconds


def installation_keys(settings: Settings, database_url: str) -> InstallationKeys:
    """Raises `psycopg.OperationalError` when the database is away, `CommandFailed` when it is
    not migrated or belongs to another SECRET_KEY."""
    try:
        with psycopg.connect(database_url, connect_timeout=CONNECT_TIMEOUT) as connection:
            return load_keys(connection, settings.secret_keys)
    except psycopg.errors.UndefinedTable:
        raise CommandFailed("the database has no tables yet: run `events-face migrate`") from None
    except (LookupError, CannotOpen) as error:
        raise CommandFailed(str(error)) from None
