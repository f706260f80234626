"""The database and the broker a command works with: the configured ones, or the embedded ones."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from runtime.data_dir import holds_database, prepared
from runtime.errors import CommandFailed
from runtime.settings import Settings


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """`redis_url` is None when none is configured and no `up` runs on this data dir."""

    database_url: str
    redis_url: str | None


def holds_installation(settings: Settings) -> bool:
    """Whether the data dir has one; a configured database is not asked."""
    return settings.database_url is None and holds_database(settings.data_dir)


def require_installation(settings: Settings) -> None:
    """Raises CommandFailed where nothing has begun one, before anything is created."""
    if settings.database_url is not None:
        return
    if settings.data_dir.exists():
        prepared(settings.data_dir)  # else a folder of another account seems to be an empty one
    if not holds_database(settings.data_dir):
        raise CommandFailed(
            f"there is no installation in {settings.data_dir}: name the folder that has it with"
            " --data-dir or DATA_DIR; `events-face up` begins a new one"
        )


@contextmanager
def services(settings: Settings, *, patient: bool = False) -> Iterator[Services]:
    """Both for the length of the block, the embedded PostgreSQL started if need be.

    Nothing is migrated. Raises CommandFailed when the embedded PostgreSQL does not start, which one
    who is `patient` waits for.
    """
    with ExitStack() as held:
        database_url = settings.database_url
        if database_url is None:
            from runtime.embedded.postgres import embedded_postgres

            database_url = held.enter_context(embedded_postgres(settings.data_dir, patient=patient))
        redis_url = settings.redis_url or _embedded_redis_url(settings)
        yield Services(database_url=database_url, redis_url=redis_url)


def _embedded_redis_url(settings: Settings) -> str | None:
    from runtime.embedded import valkey

    if not valkey.folder(settings.data_dir).is_dir() or not valkey.is_running(settings.data_dir):
        return None
    return valkey.valkey_url(settings.data_dir)
