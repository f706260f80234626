"""The command `restore`: restores a file of `backup` into an empty database."""

import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from domain.privacy.encryption import CannotOpen
from domain.privacy.keys import InstallationKeys
from events_face.commands.postgres_tools import Tool, pg_restore
from events_face.commands.recovery import recover
from runtime.embedded.services import services
from runtime.errors import CommandFailed
from runtime.secret_key import with_existing_key
from runtime.settings import Settings

KEYS_ROW = re.compile(rb"^t\t\\\\x([0-9a-f]+)", re.MULTILINE)
"""The row of `installation_keys` in the format of COPY: true, and the wrapped keys."""


def restore(settings: Settings, *, file: Path, hold: bool) -> None:
    """Restore everything or nothing, then run the steps of `recovery`. Raises `CommandFailed` when
    the database is not empty, or `SECRET_KEY` is not that of the backup."""
    if not file.is_file():
        raise CommandFailed(f"there is no file {file}")
    settings = with_existing_key(settings)
    with services(settings) as found:
        with psycopg.connect(found.database_url) as connection:
            _require_empty(connection)
            tool = pg_restore(connection.info.server_version // 10_000)
        _require_key(tool, file, settings.secret_keys)
        try:
            tool.run(
                *("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"),
                str(file),
                database_url=found.database_url,
            )
        except CommandFailed as error:
            raise CommandFailed(
                f"{file} was not restored, and the database is as it was: {error}"
            ) from None
        recover(settings, found, hold)


def _require_empty(connection: Connection[Any]) -> None:
    cursor = connection.execute(
        """
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
          AND NOT EXISTS (
              SELECT FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
          )
        ORDER BY c.relname LIMIT 1
        """
    )
    if row := cursor.fetchone():
        raise CommandFailed(
            f"the database is not empty: it has {row[0]}; restore into a new one, check it, and "
            "then drop the old one"
        )


def _require_key(tool: Tool, file: Path, secret_keys: tuple[str, ...]) -> None:
    """Check the keys in the backup before anything is changed."""
    try:
        copied = tool.run("--data-only", "--table=installation_keys", "--file=-", str(file))
    except CommandFailed as error:
        if "unsupported version" in str(error):
            raise CommandFailed(
                f"{file} was made by a newer PostgreSQL: install its pg_restore and try again"
            ) from None
        raise CommandFailed(
            f"{file} is no backup of Events-Face, or an incomplete one: check whether it was copied"
            " completely"
        ) from None
    row = KEYS_ROW.search(copied)
    if row is None:
        raise CommandFailed(f"{file} is no backup of Events-Face: it has no installation keys")
    try:
        InstallationKeys.unwrap(bytes.fromhex(row[1].decode()), secret_keys)
    except CannotOpen:
        raise CommandFailed(
            f"SECRET_KEY is not the one of {file}: set it to that one, or append that one to the "
            "present one after a comma"
        ) from None
