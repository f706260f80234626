"""The command `rotate-keys`: replaces the data key, which encrypts the keys of personal data."""

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
    """Rotate, or complete an interrupted rotation, and print the number of keys. All roles may be
    running."""
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
                "the database is of an older release: run `events-face migrate`"
            ) from None
    sys.stdout.write(f"rotated: {count:,} keys of personal data have a new data key\n")
