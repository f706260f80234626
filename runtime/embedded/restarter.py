"""Keeps the embedded PostgreSQL running, for a process that does other work as well."""

from pathlib import Path

import structlog

from runtime.backoff import Backoff
from runtime.embedded.cluster import Cluster, StartFailed, State
from runtime.embedded.postgres import try_to_launch

STATE_MESSAGES: dict[State, str] = {
    "down": "PostgreSQL ended",
    "starting": "PostgreSQL is starting, and does not answer yet",
    "ready": "PostgreSQL answers again",
}

log = structlog.get_logger()


class Restarter:
    """Restarts the server whenever it has ended. Call `check` repeatedly, inside
    `embedded_postgres`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.resolve()
        self._cluster = Cluster(self._data_dir)
        self._backoff = Backoff()
        self._cluster.mark_log_position()
        self._state: State = "ready"

    def check(self) -> None:
        """Log changes of the state, and start the server if needed. Does not wait for it."""
        state = self._cluster.state()
        if state != self._state:
            self._state = state
            if state == "down":
                log.warning(STATE_MESSAGES[state], reason=self._cluster.end_reason())
                self._backoff.ended()
            else:
                log.warning(STATE_MESSAGES[state])
                self._cluster.mark_log_position()
        if state == "down" and self._backoff.is_due():
            self._launch()

    def _launch(self) -> None:
        self._backoff.started()
        try:
            try_to_launch(self._cluster, self._data_dir)
        except StartFailed as error:
            log.warning(str(error), seconds=self._backoff.ended())
