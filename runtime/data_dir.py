"""The folder of everything that Events-Face keeps on this machine by itself."""

import os
import pwd
from pathlib import Path

from runtime.errors import CommandFailed

KEPT_BY_ITS_ACCOUNT = ("secret_key", "postgres.lock", "up.lock", "run")
"""What root would take from the account whose installation this is, were it to write here."""


def holds_database(data_dir: Path) -> bool:
    return database_folder(data_dir).is_dir()


def database_folder(data_dir: Path) -> Path:
    """Of the embedded PostgreSQL; it has this name once it is whole."""
    return data_dir / "postgres"


def lock_of_up(data_dir: Path) -> Path:
    """Whoever holds it runs everything that is in the data dir."""
    return data_dir / "up.lock"


def prepared(data_dir: Path) -> Path:
    """Its resolved path; created for this account alone when missing. Raises CommandFailed."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"the data dir {data_dir} cannot be used: {error.strerror}") from error
    if (reason := _why_unusable(data_dir)) is not None:
        raise CommandFailed(f"the data dir {data_dir} cannot be used: {reason}")
    return data_dir.resolve()


def _why_unusable(data_dir: Path) -> str | None:
    if os.statvfs(data_dir).f_flag & os.ST_RDONLY:
        return "its file system is read-only"
    for path in (data_dir, *(data_dir / name for name in KEPT_BY_ITS_ACCOUNT)):
        if path.exists() and (path != data_dir or not _is_open(data_dir)):
            owner = path.stat().st_uid
            if owner != os.geteuid():
                return f"it belongs to the account {_name(owner)}: run this as that account"
    return None if _is_open(data_dir) else "this account may not read and write it"


def _is_open(data_dir: Path) -> bool:
    return os.access(data_dir, os.R_OK | os.W_OK | os.X_OK)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
