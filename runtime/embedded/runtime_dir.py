"""The folder of sockets: in the data dir, or in /tmp if that path is too long.

The path of a unix socket has at most 103 bytes (on macOS; 107 on Linux).
"""

import hashlib
import os
import stat
from pathlib import Path

from runtime.errors import CommandFailed

MAX_SOCKET_PATH = 103  # bytes
LONGEST_SOCKET_NAME = "postgres/.s.PGSQL.5432"

# Not TMPDIR: it may be long, too, and differ between two shells that must find the same socket.
SHORT_FOLDER = Path("/tmp")  # noqa: S108 - the owner and mode of the folder in it are checked


def runtime_dir(data_dir: Path) -> Path:
    """A folder for sockets that only this account can read and write. Raises CommandFailed."""
    inside = data_dir / "run"
    if len(os.fsencode(inside / LONGEST_SOCKET_NAME)) <= MAX_SOCKET_PATH:
        folder = inside
    else:
        digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
        folder = SHORT_FOLDER / f"events-face-{os.geteuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise CommandFailed(f"{folder} is not a private folder of this account: remove it")
    if found.st_mode & 0o066:
        raise CommandFailed(f"{folder} is not a private folder: run `chmod 700 {folder}`")
    return folder
