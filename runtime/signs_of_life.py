"""The supervisor's side of signs of life: for how long a child has given none."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from runtime import heartbeat

SILENCE = 15.0
"""Seconds without a sign, after which a child is taken for dead."""

START = 60.0
"""The same before its first sign: a child that starts may take its time."""

LONGEST_STEP = 1.0
"""Seconds that count as silence between two looks, however long ago the first one was: if the
supervisor stood still meanwhile, its child may have done so, too."""


class Signs:
    """Of one child and those that replace it."""

    def __init__(self) -> None:
        self._end: int | None = None
        self._silence = 0.0
        self._looked_at = 0.0
        self._given_any = False

    @contextmanager
    def listened_to(self) -> Iterator[int]:
        """Where a child that is started in the block is to give its signs."""
        self.close()
        self._end, child_end = os.pipe()
        try:
            for end in (self._end, child_end):
                os.set_blocking(end, False)
            self._silence, self._looked_at, self._given_any = 0.0, time.monotonic(), False
            yield child_end
        finally:
            os.close(child_end)

    def have_ceased(self) -> bool:
        """To be asked again and again."""
        return self.silence() > (SILENCE if self._given_any else START)

    def silence(self) -> float:
        """Seconds since the last sign, or else since the start."""
        now = time.monotonic()
        passed, self._looked_at = min(now - self._looked_at, LONGEST_STEP), now
        given = self._read()
        self._given_any = self._given_any or given
        self._silence = 0.0 if given else self._silence + passed
        return self._silence

    def ask(self, child: subprocess.Popen[bytes], answers: Callable[[], bool], end: int) -> None:
        """Give signs in place of the child for as long as it answers."""
        own = os.dup(end)

        def ask_again_and_again() -> None:
            while child.poll() is None:
                if answers():
                    heartbeat.beat(own)
                time.sleep(heartbeat.INTERVAL)
            os.close(own)

        threading.Thread(target=ask_again_and_again, name="signs of life", daemon=True).start()

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
