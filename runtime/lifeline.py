"""A child process that does not outlive its supervisor, even one that was killed.

The supervisor alone has the write end of a pipe. Whoever holds the read end sees it end.
"""

import os
import signal
import threading
import time
from collections.abc import Mapping

VARIABLE = "EVENTS_FACE_LIFELINE"  # the number of the descriptor to read from
GRACE = 8.0  # seconds between asking this process to end and ending it


def hold(environ: Mapping[str, str] = os.environ) -> None:
    """End this process, as SIGTERM does, once its supervisor is gone. Nothing without one."""
    if VARIABLE not in environ:
        return
    descriptor = int(environ[VARIABLE])
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_watch, args=[descriptor], name="lifeline", daemon=True).start()


def _watch(descriptor: int) -> None:
    os.read(descriptor, 1)  # nothing is ever written: this returns when the other end is gone
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)
