"""Answers to queries, kept for as long as they are right.

An answer is filed under what was asked and its entity tag, which changes whenever the tables
that were read do. There is no time after which one is stale, and none is right but stale.
"""

from __future__ import annotations

from collections import OrderedDict

BUDGET = 16 * 1024 * 1024
"""Bytes of answers that a process keeps, the latest asked for."""


OVERHEAD = 500
"""Bytes that an entry takes besides its texts."""


class KnownAnswers:
    """For each question, the bytes of the last answer that was given to it."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._room = budget
        self._answers: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def __contains__(self, asked: str) -> bool:
        """Whether there is an answer, right or not by now."""
        return asked in self._answers

    def get(self, asked: str, etag: str) -> bytes | None:
        """The answer that has this tag, if it is known."""
        known = self._answers.get(asked)
        if known is None or known[0] != etag:
            return None
        self._answers.move_to_end(asked)
        return known[1]

    def keep(self, asked: str, etag: str, body: bytes) -> None:
        self._forget(asked)
        self._answers[asked] = (etag, body)
        self._room -= _size(asked, body)
        while self._room < 0:
            self._forget(next(iter(self._answers)))

    def _forget(self, asked: str) -> None:
        if known := self._answers.pop(asked, None):
            self._room += _size(asked, known[1])


def _size(asked: str, body: bytes) -> int:
    return OVERHEAD + len(asked) + len(body)
