"""The database and the broker a command works with: the configured ones, or the embedded ones."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from events_face.settings import Settings


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """`redis_url` is None when none is configured and no `up` runs on this data dir."""

    database_url: str
    redis_url: str | None


@contextmanager
def services(settings: Settings) -> Iterator[Services]:
    """Both for the length of the block, the embedded PostgreSQL started if need be.

    Nothing is migrated. Raises CommandFailed when the embedded PostgreSQL does not start.
    """
    with ExitStack() as held:
        database_url = settings.database_url
        if database_url is None:
            from events_face.embedded.postgres import embedded_postgres

            database_url = held.enter_context(embedded_postgres(settings.data_dir))
        redis_url = settings.redis_url or _embedded_redis_url(settings)
        yield Services(database_url=database_url, redis_url=redis_url)


def _embedded_redis_url(settings: Settings) -> str | None:
    from events_face.embedded import valkey

    if not settings.data_dir.is_dir() or not valkey.is_running(settings.data_dir):
        return None
    return valkey.valkey_url(settings.data_dir)
