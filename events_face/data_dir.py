"""The folder of everything that Events-Face keeps on this machine by itself."""

import os
from pathlib import Path

from events_face.errors import CommandFailed


def holds_database(data_dir: Path) -> bool:
    return database_folder(data_dir).is_dir()


def database_folder(data_dir: Path) -> Path:
    """Of the embedded PostgreSQL; it has this name once it is whole."""
    return data_dir / "postgres"


def prepared(data_dir: Path) -> Path:
    """Its resolved path; created for this account alone when missing. Raises CommandFailed."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"the data dir {data_dir} cannot be used: {error.strerror}") from error
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise CommandFailed(f"the data dir {data_dir} cannot be used: it is another account's")
    return data_dir.resolve()
