"""The commands `keys`: an operator manages API keys.

A new secret is all that goes to stdout, so that a script can take it: KEY=$(events-face keys ...).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import AsyncConnection
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from api.database.key_list import KeyRow, list_keys
from api.http.bodies import Reader
from api.keys import NewKey, key_of, with_secret
from domain.api_keys import CreateKey, KeyExpired, RevokeKey, RollKey
from domain.application import APPLICATION
from domain.core.errors import InvalidFields, NotFound
from domain.history.batch import Done, Origin
from domain.history.decider import Decider
from domain.key_secrets import KeySecret
from events_face.commands.connection import with_connection
from runtime.embedded.services import Services
from runtime.errors import CommandFailed, WrongUsage
from runtime.installation import installation_keys
from runtime.settings import Settings

MAX_LISTED = 10_000

SHOWN_OF_ACTOR = 15
"""Characters: all of `system:operator`, and enough of an account's id."""

WIDTH_WITHOUT_TERMINAL = 200
"""Columns."""


def create(
    settings: Settings,
    services: Services,
    *,
    name: str,
    scopes: list[str],
    event_ids: list[str] | None,
    expires_at: str | None,
    json: bool,
) -> None:
    """Create a key, and print its secret."""
    try:
        new = Reader(NewKey).read_form(
            {"name": name, "scopes": scopes, "event_ids": event_ids, "expires_at": expires_at}
        )
    except InvalidFields as error:
        raise WrongUsage(_in_words(error)) from None
    secret = KeySecret.new()
    command = CreateKey(**msgspec.structs.asdict(new), secret_hash=secret.hash)
    _print_secret("created", _execute(settings, services, command), secret, json=json)


def list_all(settings: Settings, services: Services, *, json: bool) -> None:
    """Print the keys."""

    async def query(connection: AsyncConnection[Any]) -> list[KeyRow]:
        rows, _ = await list_keys(connection, limit=MAX_LISTED)
        return rows

    installation_keys(settings, services.database_url)  # fails if the database is another's
    rows = with_connection(services, query)
    if json:
        sys.stdout.write(_as_json([key_of(row) for row in rows]))
    else:
        _print_table(rows)


def roll(settings: Settings, services: Services, *, key_id: UUID, grace: int, json: bool) -> None:
    """Give a key another secret, and print it."""
    secret = KeySecret.new()
    command = RollKey(key_id=key_id, grace=timedelta(seconds=grace), secret_hash=secret.hash)
    _print_secret("rolled", _execute(settings, services, command), secret, json=json)


def revoke(settings: Settings, services: Services, *, key_id: UUID) -> None:
    """Revoke a key."""
    done = _execute(settings, services, RevokeKey(key_id=key_id))
    sys.stdout.write(f"revoked {done.value.name}\n")


def _execute(settings: Settings, services: Services, command: Any) -> Done:
    keys = installation_keys(settings, services.database_url)
    origin = Origin(actor="system:cli", correlation_id=str(uuid4()))

    async def execute(connection: AsyncConnection[Any]) -> Done:
        return await Decider(keys, APPLICATION).execute_one(connection, command, origin)

    try:
        return with_connection(services, execute)
    except InvalidFields as error:
        raise CommandFailed(_in_words(error)) from None
    except (KeyExpired, NotFound) as error:
        raise CommandFailed(str(error)) from None


_OPTIONS = {"scopes": "--scope", "event_ids": "--event", "expires_at": "--expires"}


def _in_words(error: InvalidFields) -> str:
    return "; ".join(
        f"{_OPTIONS.get(field, field)} {message}" for field, message in error.messages.items()
    )


def _print_secret(what: str, done: Done, secret: KeySecret, *, json: bool) -> None:
    if json:
        sys.stdout.write(_as_json(with_secret(done.value, secret)))
        return
    sys.stdout.write(f"{secret.reveal()}\n")
    sys.stdout.flush()
    sys.stderr.write(
        f"{what} {done.value.name}, id {done.value.id}; store the key, it is not shown again\n"
    )


def _as_json(shown: object) -> str:
    return msgspec.json.format(msgspec.json.encode(shown)).decode() + "\n"


def _print_table(rows: Sequence[KeyRow]) -> None:
    """In few columns; `--json` shows all of each key."""
    id = Column("id", no_wrap=True)
    table = Table(id, "name", "scopes", "events", "expires", "created by", "last used")
    for row in rows:
        table.add_row(
            str(row.id),
            Text(row.name),
            "\n".join(row.scopes),
            "all" if row.event_ids is None else str(len(row.event_ids)),
            f"{row.expires_at:%Y-%m-%d}" if row.expires_at else "never",
            row.created_by[:SHOWN_OF_ACTOR],
            f"{row.last_used_at:%Y-%m-%d}" if row.last_used_at else "never",
        )
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH_WITHOUT_TERMINAL
    console.print(table)
