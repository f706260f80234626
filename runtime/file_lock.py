"""Locks between processes of one machine: flock on a file, released when its holder ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileLock:
    """An open lock file. The descriptor is not inherited, so child processes never hold the
    lock."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def share(self) -> None:
        """Take the lock together with others; waits for an exclusive holder."""
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def take(self) -> None:
        """Take the lock exclusively; waits for all other holders."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_to_take(self) -> bool:
        """Take the lock exclusively if no other process holds it; otherwise a shared lock is
        released."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def note(self, text: str) -> None:
        """Write a text into the file: what others may know of the holder."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)

    def close(self) -> None:
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock. Creates no file."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        return not lock.try_to_take()
    finally:
        lock.close()


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of this path exclusively during the block."""
    lock = FileLock(path)
    try:
        lock.take()
        yield
    finally:
        lock.close()
