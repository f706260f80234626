"""Creates or upgrades every table. Safe to run again, and from two hosts at once."""

import psycopg

from domain import history
from domain.personal_data import CannotOpen
from events_face.errors import CommandFailed
from events_face.secret_key import with_secret_key
from events_face.services import Services
from events_face.settings import Settings


def migrate(settings: Settings, services: Services) -> None:
    """Bring the database up to this release. Raises `CommandFailed` when the key does not fit."""
    import api
    import projections
    import workers

    with psycopg.connect(services.database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('migrate'))")
        with connection.transaction():
            try:
                history.create_tables(connection, with_secret_key(settings).secret_keys)
            except CannotOpen as error:
                raise CommandFailed(str(error)) from None
            projections.create_tables(connection)
            workers.create_tables(connection)
            api.create_tables(connection)
