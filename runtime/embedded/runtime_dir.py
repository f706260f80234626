"""Where sockets live: under the data dir, or in a short folder elsewhere if that path is too long.

The path of a unix socket fits 103 bytes and no more (macOS; Linux has 107).
"""

import hashlib
import os
import stat
from pathlib import Path

from runtime.errors import CommandFailed

LONGEST_SOCKET_PATH = 103  # bytes
LONGEST_SOCKET_NAME = "postgres/.s.PGSQL.5432"

# Not TMPDIR: that may be long itself, and differ between two shells which must find one socket.
SHORT_FOLDER = Path("/tmp")  # noqa: S108 - what is made in it is checked to be ours alone


def runtime_dir(data_dir: Path) -> Path:
    """A folder of this account's, for sockets, that others cannot read or write."""
    inside = data_dir / "run"
    if len(os.fsencode(inside / LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
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
