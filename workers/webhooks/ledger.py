"""What became of items since the last settlement: collected, until it is recorded."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from projections.webhook_deliveries import TEST_POSITION, Attempt
from workers.webhooks.cursors import Parked, Settlement
from workers.webhooks.endpoint_calls import Answer
from workers.webhooks.metrics import count_call
from workers.webhooks.retries import wait_after
from workers.webhooks.window import Entry, Window


class Ledger:
    def __init__(self) -> None:
        self._attempts = list[Attempt]()
        self._parked = list[Parked]()
        self._concluded = list[tuple[int, UUID]]()

    def __bool__(self) -> bool:
        return bool(self._attempts or self._parked or self._concluded)

    def called(self, entry: Entry, at: datetime, answer: Answer) -> bool:
        """Enter the answer to a call; returns whether the item waits for another try."""
        wait = None
        error = answer.error
        is_test = entry.item.position == TEST_POSITION
        if not answer.taken and not answer.gone and not is_test:
            wait = wait_after(entry.tries + 1, answer.retry_after)
            if wait is None:
                error = f"{error}; given up after {entry.tries + 1} tries"
            else:
                self.park(entry, wait)
        outcome = "taken" if answer.taken else "later" if wait is not None else "given_up"
        count_call((outcome, answer.seconds))
        self._attempts.append(
            Attempt(
                position=entry.item.position,
                type=entry.item.type,
                at=at,
                status=answer.status,
                answer_ms=round(answer.seconds * 1000),
                error=error,
            )
        )
        return wait is not None

    def park(self, entry: Entry, wait: float) -> None:
        self._parked.append(
            Parked(
                position=entry.item.position,
                stream=entry.stream,
                previous=entry.previous,
                tries=entry.tries + 1,
                wait=wait,
            )
        )

    def conclude(self, position: int, stream: UUID) -> None:
        """An item that was parked is taken, given up, or not wanted any more."""
        self._concluded.append((position, stream))

    def park_behind(self, parked: list[Parked]) -> None:
        self._parked += parked

    def settlement(self, window: Window) -> Settlement:
        """Everything so far, with the cursor of the window."""
        return Settlement(
            position=window.position,
            previous=window.previous,
            taken_ahead=window.taken_ahead,
            attempts=self._attempts[:],
            parked=self._parked[:],
            concluded=[position for position, _ in self._concluded],
            streams={parked.stream for parked in self._parked}
            | {stream for _, stream in self._concluded},
        )

    def recorded(self, done: Settlement) -> None:
        """Forget what was recorded. More may have been entered meanwhile."""
        del self._attempts[: len(done.attempts)]
        del self._parked[: len(done.parked)]
        del self._concluded[: len(done.concluded)]
