"""The commands `seats check` and `seats recount`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from domain import application  # noqa: F401  recounting needs to know every event class
from domain.seats import SeatDifference, differences
from domain.seats import recount as recount_seats
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings

IN_ORDER = "all seats and waiting lines are as history says"


def check(settings: Settings, services: Services) -> None:
    """Print the events that differ. Raises `CommandFailed` if there are any."""
    found = found_in(services.database_url)
    _print(found)
    if found:
        raise CommandFailed(in_words(found))


def recount(settings: Settings, services: Services) -> None:
    """Print what was wrong before."""
    with _damaged_history_in_words(), psycopg.connect(services.database_url) as connection:
        found = recount_seats(connection)
    _print(found)
    if found:
        sys.stdout.write("recounted: now they are as history says\n")


def found_in(database_url: str, *, timeout: int = 0) -> list[SeatDifference]:
    """The differences. Raises `CommandFailed` when history is damaged, and
    `psycopg.errors.QueryCanceled` after so many seconds, unless they are 0."""
    options = f"-c statement_timeout={timeout}s"
    with (
        _damaged_history_in_words(),
        psycopg.connect(database_url, options=options) as connection,
    ):
        return differences(connection)


def in_words(found: Sequence[SeatDifference]) -> str:
    """One line about the events that differ."""
    return f"the seats of {len(found)} events are not as history says; first {found[0]}"


def _print(found: Sequence[SeatDifference]) -> None:
    lines = [str(difference) for difference in found] or [IN_ORDER]
    sys.stdout.writelines(f"{line}\n" for line in lines)


@contextmanager
def _damaged_history_in_words() -> Iterator[None]:
    try:
        yield
    except psycopg.DataError as error:
        damage = f"an event in history cannot be read: {error.diag.message_primary}"
        raise CommandFailed(f"seats cannot be recounted, {damage}") from None
