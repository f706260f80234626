"""The command `schema check`: for probes of processes that must not serve before it succeeds."""

import sys

from events_face.commands.schema import require_migrated
from projections.rebuild.outdated import due_rebuilds
from projections.registry import ALL
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import session
from runtime.settings import Settings


def check(settings: Settings, services: Services) -> None:
    """Print a line when migrations and read tables are those of this release. Raises
    `CommandFailed` with what is due."""
    require_migrated(services.database_url)
    with session(services.database_url) as connection:
        due = due_rebuilds(connection, ALL)
    if due:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in due.items())
        raise CommandFailed(f"{reasons}: run `events-face projections rebuild {' '.join(due)}`")
    sys.stdout.write("the tables are those of this release\n")
