"""The account that runs PostgreSQL: the present one, or another one if that is root.

PostgreSQL refuses to run as root. The other account then owns the folders of the server, and may
enter the folders above them, and above the binaries, without reading them.
"""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

ACCOUNT_NAME = "pgserver"


class Account:
    """The account that runs the server with its files in `folder`: the owner of the folder, so that
    each start uses the same account."""

    def __init__(self, folder: Path) -> None:
        self._other: tuple[int, int] | None = None  # uid, gid
        if os.geteuid() == 0:
            self._other = _owner(folder) or _unprivileged()

    def options(self) -> dict[str, Any]:
        """Arguments of `subprocess.run` to run a program as this account."""
        if self._other is None:
            return {}
        uid, gid = self._other
        return {"user": uid, "group": gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Make this account the owner of `path` and its contents, and let it enter the folders
        above."""
        if self._other is None:
            return
        self.allow_passage(path)
        inside = (Path(at) / name for at, dirs, files in os.walk(path) for name in dirs + files)
        for each in (path, *inside):
            os.chown(each, *self._other, follow_symlinks=False)

    def allow_passage(self, path: Path) -> None:
        """Add the permission to enter (o+x, never o+r) to the folders above `path` that lack it."""
        if self._other is None:
            return
        for folder in path.parents:
            found = folder.stat()
            its_own = found.st_uid == self._other[0] and found.st_mode & stat.S_IXUSR
            if not its_own and not found.st_mode & stat.S_IXOTH:
                folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)


def _unprivileged() -> tuple[int, int]:
    """The account `pgserver`, created if possible; otherwise the account `nobody`."""
    useradd = shutil.which("useradd")
    if useradd and not _exists(ACCOUNT_NAME):
        # The exit code is ignored: another process may have created it first.
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME],
            check=False,
            capture_output=True,
        )
    found = pwd.getpwnam(ACCOUNT_NAME if _exists(ACCOUNT_NAME) else "nobody")
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
