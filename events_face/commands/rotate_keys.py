"""The command `rotate-keys`: a new key for what wraps personal data, while everything runs."""

import sys

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from domain.privacy.encryption import CannotOpen
from domain.privacy.key_rotation import RotationUnderWay, StillInUse, rotate
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings


def rotate_keys(settings: Settings, services: Services) -> None:
    """Rotate, or end a rotation that was interrupted, and print how many keys that concerned."""
    installation_keys(settings, services.database_url)
    console = Console(stderr=True)
    columns = (TextColumn("keys"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        psycopg.connect(services.database_url, autocommit=True) as connection,
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("keys", total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        try:
            count = rotate(connection, settings.secret_keys, report)
        except (RotationUnderWay, StillInUse) as error:
            raise CommandFailed(error.__doc__ or "") from None
        except CannotOpen as error:
            raise CommandFailed(str(error)) from None
        except psycopg.errors.UndefinedColumn:
            raise CommandFailed(
                "the database is older than this: run `events-face migrate`"
            ) from None
    sys.stdout.write(f"rotated: {count:,} keys of personal data are under a new data key\n")
