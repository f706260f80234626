"""The account that PostgreSQL runs under: the starter's, or another one when that is root.

PostgreSQL refuses to run as root. The other account then owns the server's own folders, and may
pass through the folders above them, and above the server's binaries, without reading those.
"""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

NAME = "pgserver"


class Account:
    """Who runs the server whose files are in `folder`: their owner, so that a restart agrees."""

    def __init__(self, folder: Path) -> None:
        self._other: tuple[int, int] | None = None  # uid, gid
        if os.geteuid() == 0:
            self._other = _owner(folder) or _unprivileged()

    def options(self) -> dict[str, Any]:
        """What `subprocess.run` needs to run something as this account."""
        if self._other is None:
            return {}
        uid, gid = self._other
        return {"user": uid, "group": gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give it `path`, with everything in it, and let it pass through the folders above."""
        if self._other is None:
            return
        self.let_through(path)
        inside = (Path(at) / name for at, dirs, files in os.walk(path) for name in dirs + files)
        for each in (path, *inside):
            os.chown(each, *self._other, follow_symlinks=False)

    def let_through(self, path: Path) -> None:
        """Add the right to pass (o+x, never o+r) to the folders above `path` that lack it."""
        if self._other is None:
            return
        for folder in path.parents:
            found = folder.stat()
            its_own = found.st_uid == self._other[0] and found.st_mode & stat.S_IXUSR
            if not its_own and not found.st_mode & stat.S_IXOTH:
                folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)


def _unprivileged() -> tuple[int, int]:
    """`pgserver`, created when it is missing and that can be done, or else `nobody`."""
    useradd = shutil.which("useradd")
    if useradd and not _exists(NAME):
        # Its exit code does not matter: another process may have been first.
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME],
            check=False,
            capture_output=True,
        )
    found = pwd.getpwnam(NAME if _exists(NAME) else "nobody")
    return found.pw_uid, found.pw_gid


def _owner(folder: Path) -> tuple[int, int] | None:
    if not folder.exists():
        return None
    found = folder.stat()
    return (found.st_uid, found.st_gid) if found.st_uid != 0 else None


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
