"""Keeps the embedded PostgreSQL running, for a process that has more to look after."""

from pathlib import Path

import structlog

from runtime.backoff import Backoff
from runtime.embedded.cluster import Cluster, DoesNotStart, State
from runtime.embedded.postgres import try_to_launch

EVENTS: dict[State, str] = {
    "away": "PostgreSQL ended",
    "starting": "PostgreSQL starts, and does not answer yet",
    "ready": "PostgreSQL answers again",
}

log = structlog.get_logger()


class Revival:
    """Starts the server again whenever it has ended, until that succeeds; `tend` is to be called
    again and again, inside `embedded_postgres`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.resolve()
        self._cluster = Cluster(self._data_dir)
        self._backoff = Backoff()
        self._cluster.listen()
        self._state: State = "ready"

    def tend(self) -> None:
        """Never waits for the server to answer."""
        state = self._cluster.state()
        if state != self._state:
            self._state = state
            if state == "away":
                log.warning(EVENTS[state], reason=self._cluster.why_it_ended())
                self._backoff.ended()
            else:
                log.warning(EVENTS[state])
                self._cluster.listen()
        if state == "away" and self._backoff.is_due():
            self._launch()

    def _launch(self) -> None:
        self._backoff.started()
        try:
            try_to_launch(self._cluster, self._data_dir)
        except DoesNotStart as error:
            log.warning(str(error), seconds=self._backoff.ended())
