"""The supervisor's side of the heartbeat: how long a child has been silent."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from runtime import heartbeat

MAX_SILENCE = 15.0
"""Seconds without a sign of life, after which a child is considered dead."""

MAX_START_TIME = 60.0
"""Seconds before its first sign of life: a start may take longer."""

MAX_STEP = 1.0
"""Seconds that count at most as silence between two checks: if the supervisor was suspended between
them, its child may have been, too."""


class SignsOfLife:
    """The signs of life of one child and its replacements."""

    def __init__(self) -> None:
        self._end: int | None = None
        self._silence = 0.0
        self._looked_at = 0.0
        self._given_any = False

    @contextmanager
    def open_pipe(self) -> Iterator[int]:
        """The descriptor to which a child that is started in the block writes its heartbeat."""
        self.close()
        self._end, child_end = os.pipe()
        try:
            for end in (self._end, child_end):
                os.set_blocking(end, False)
            self._silence, self._looked_at, self._given_any = 0.0, time.monotonic(), False
            yield child_end
        finally:
            os.close(child_end)

    def are_overdue(self) -> bool:
        """Whether the child is considered dead. Call this repeatedly."""
        return self.silence() > (MAX_SILENCE if self._given_any else MAX_START_TIME)

    def silence(self) -> float:
        """Seconds since the last sign of life, or since the start."""
        now = time.monotonic()
        passed, self._looked_at = min(now - self._looked_at, MAX_STEP), now
        given = self._read()
        self._given_any = self._given_any or given
        self._silence = 0.0 if given else self._silence + passed
        return self._silence

    def poll_child(
        self, child: subprocess.Popen[bytes], answers: Callable[[], bool], end: int
    ) -> None:
        """Write the heartbeat for a child without one, as long as `answers` returns True."""
        own = os.dup(end)

        def poll() -> None:
            while child.poll() is None:
                if answers():
                    heartbeat.beat(own)
                time.sleep(heartbeat.INTERVAL)
            os.close(own)

        threading.Thread(target=poll, name="signs of life", daemon=True).start()

    def close(self) -> None:
        if self._end is not None:
            os.close(self._end)
            self._end = None

    def _read(self) -> bool:
        if self._end is None:
            return False
        with suppress(BlockingIOError):
            return bool(os.read(self._end, 65536))
        return False
