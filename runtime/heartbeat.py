"""The heartbeat: each second, a child of `up` writes a byte into a pipe.

A frozen process writes nothing, and its supervisor replaces it. Most roles write from a thread,
because a long computation in their event loop is no reason to replace them. The API writes from its
event loop, because it cannot answer while that is blocked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import MutableMapping
from contextlib import suppress

VARIABLE = "EVENTS_FACE_HEARTBEAT"  # the number of the descriptor to write to
INTERVAL = 1.0  # seconds


class Heartbeat:
    """The heartbeat of this process. Does nothing without a supervisor."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._loop_beats = threading.Event()

    def begin(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Beat in a thread. The variable is removed, because child processes do not have the
        descriptor."""
        number = environ.pop(VARIABLE, None)
        if number is None:
            return
        self._descriptor = int(number)
        os.set_inheritable(self._descriptor, False)
        threading.Thread(target=self._beat_in_thread, name="heartbeat", daemon=True).start()

    async def beat_in_loop(self) -> None:
        """Beat only in the event loop from now on, until cancelled."""
        import asyncio  # imported late: commands without a loop start faster

        self._loop_beats.set()
        while self._descriptor is not None:
            beat(self._descriptor)
            await asyncio.sleep(INTERVAL)

    def _beat_in_thread(self) -> None:
        while self._descriptor is not None and not self._loop_beats.wait(INTERVAL):
            beat(self._descriptor)


def beat(descriptor: int) -> None:
    """Write one beat. Never blocks."""
    with suppress(BlockingIOError, BrokenPipeError):  # the pipe is full, or the supervisor ended
        os.write(descriptor, b".")


HEARTBEAT = Heartbeat()
