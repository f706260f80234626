"""Ends a child process when its supervisor ends, even when the supervisor was killed.

Only the supervisor has the write end of a pipe; the child sees the end of the pipe at its read end.
"""

import os
import signal
import threading
import time
from collections.abc import Mapping

VARIABLE = "EVENTS_FACE_LIFELINE"  # the number of the descriptor to read from
KILL_DELAY = 8.0  # seconds between SIGTERM and SIGKILL


def hold(environ: Mapping[str, str] = os.environ) -> None:
    """End this process with SIGTERM when its supervisor ends. Does nothing without a supervisor."""
    if VARIABLE not in environ:
        return
    descriptor = int(environ[VARIABLE])
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_watch, args=[descriptor], name="lifeline", daemon=True).start()


def _watch(descriptor: int) -> None:
    os.read(descriptor, 1)  # nothing is ever written: returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(KILL_DELAY)
    os.kill(os.getpid(), signal.SIGKILL)
