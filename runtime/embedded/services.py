"""The database and the broker that a command uses: configured or embedded."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from runtime.data_dir import has_database, prepare_data_dir
from runtime.errors import CommandFailed
from runtime.settings import Settings


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """`redis_url` is None when Redis is not configured and no `up` runs on this data dir."""

    database_url: str
    redis_url: str | None


def has_installation(settings: Settings) -> bool:
    """Whether the data dir has an installation; False with a configured database."""
    return settings.database_url is None and has_database(settings.data_dir)


def require_installation(settings: Settings) -> None:
    """Raises CommandFailed if there is no installation. Creates nothing."""
    if settings.database_url is not None:
        return
    if settings.data_dir.exists():
        prepare_data_dir(settings.data_dir)  # a folder of another account would seem empty
    if not has_database(settings.data_dir):
        raise CommandFailed(
            f"there is no installation in {settings.data_dir}: set --data-dir or DATA_DIR to its"
            " folder, or create a new one with `events-face up`"
        )


@contextmanager
def services(settings: Settings, *, keep_trying: bool = False) -> Iterator[Services]:
    """The services during the block. The embedded PostgreSQL is started if needed.

    Nothing is migrated. Raises CommandFailed when the embedded PostgreSQL does not start; with
    `keep_trying`, waits until it starts.
    """
    with ExitStack() as held:
        database_url = settings.database_url
        if database_url is None:
            from runtime.embedded.postgres import embedded_postgres

            database_url = held.enter_context(
                embedded_postgres(settings.data_dir, keep_trying=keep_trying)
            )
        redis_url = settings.redis_url or _embedded_redis_url(settings)
        yield Services(database_url=database_url, redis_url=redis_url)


def _embedded_redis_url(settings: Settings) -> str | None:
    from runtime.embedded import valkey

    if not valkey.folder(settings.data_dir).is_dir() or not valkey.is_running(settings.data_dir):
        return None
    return valkey.valkey_url(settings.data_dir)
