"""The data dir: the folder for all files that Events-Face keeps on this machine."""

import os
import pwd
from pathlib import Path

from runtime.errors import CommandFailed

OWNED_FILES = ("secret_key", "postgres.lock", "up.lock", "run")
"""Files that must belong to the account that runs this: if root wrote them, the account of the
installation could not use them any more."""


def has_database(data_dir: Path) -> bool:
    return database_folder(data_dir).is_dir()


def database_folder(data_dir: Path) -> Path:
    """The folder of the embedded PostgreSQL. It gets this name when it is complete."""
    return data_dir / "postgres"


def up_lock(data_dir: Path) -> Path:
    """The lock file that `up` holds while it runs everything in the data dir."""
    return data_dir / "up.lock"


def prepare_data_dir(data_dir: Path) -> Path:
    """Create the data dir if it is missing, for this account only; returns its resolved path.
    Raises CommandFailed."""
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
    for path in (data_dir, *(data_dir / name for name in OWNED_FILES)):
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
