"""Signs of life: a child of `up` gives one each second, by a byte into a pipe.

A process that is frozen gives none, and its supervisor replaces it. Most roles give theirs from a
thread: a loop that computes for long is no reason to end them. The API gives them from its event
loop, because without that it answers nobody.
"""

from __future__ import annotations

import os
import threading
from collections.abc import MutableMapping
from contextlib import suppress

VARIABLE = "EVENTS_FACE_HEARTBEAT"  # the number of the descriptor to write to
INTERVAL = 1.0  # seconds


class Heart:
    """Of this process. Without a supervisor it does nothing."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._loop_beats = threading.Event()

    def begin(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Beat in a thread. The variable is taken away: processes that this one starts have no
        such descriptor."""
        number = environ.pop(VARIABLE, None)
        if number is None:
            return
        self._descriptor = int(number)
        os.set_inheritable(self._descriptor, False)
        threading.Thread(target=self._beat_in_thread, name="heartbeat", daemon=True).start()

    async def beat_in_loop(self) -> None:
        """From now on beat in the event loop alone, until cancelled."""
        import asyncio  # commands without a loop start faster without it

        self._loop_beats.set()
        while self._descriptor is not None:
            beat(self._descriptor)
            await asyncio.sleep(INTERVAL)

    def _beat_in_thread(self) -> None:
        while self._descriptor is not None and not self._loop_beats.wait(INTERVAL):
            beat(self._descriptor)


def beat(descriptor: int) -> None:
    """Never waits."""
    with suppress(BlockingIOError, BrokenPipeError):  # nobody reads at the moment, or any more
        os.write(descriptor, b".")


HEART = Heart()
