"""The command `erase`: an operator erases the personal data of a person."""

from __future__ import annotations

import asyncio
import sys
from uuid import uuid4

from psycopg.errors import UndefinedColumn, UndefinedTable

from api.database.erasures import Erasures
from api.http.connections import account_pool
from domain.core.values import Email, Invalid
from domain.erasure import Erasure
from domain.history.batch import Origin
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings


def erase(settings: Settings, services: Services, email: str, *, yes: bool = False) -> None:
    """Erase the person with this email, and print what was erased, without the email. On a terminal
    this asks first, except with `yes`."""
    try:
        address = Email.parse(email)
    except Invalid as error:
        raise CommandFailed(f"the email {error}") from None
    if not yes and sys.stdin.isatty():
        _ask(address)
    keys = installation_keys(settings, services.database_url)

    async def run() -> Erasure:
        async with account_pool(services.database_url) as pool:
            origin = Origin(actor="system:cli", correlation_id=str(uuid4()))
            erasure: Erasure = (await Erasures(pool, keys).erase(address, origin)).value
            return erasure

    try:
        erasure = asyncio.run(run())
    except (UndefinedTable, UndefinedColumn):
        raise CommandFailed(
            "the database is of an older release: run `events-face migrate`"
        ) from None
    sys.stdout.write(f"{_summary(erasure)}\n")


def _ask(email: Email) -> None:
    """Raises CommandFailed unless the answer is yes."""
    sys.stderr.write(f"Erase {email} everywhere, history included? It cannot be undone. [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandFailed("nothing was erased")


def _summary(erasure: Erasure) -> str:
    if not erasure.registrations:
        return "no visitor has this email; nothing was changed"
    return (
        f"erased permanently: {_counted(erasure.registrations, 'registration')}"
        f" ({_counted(erasure.personal_keys, 'key')} deleted,"
        f" {_counted(erasure.notifications, 'notification')} cancelled)"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
