"""How many rows there are that answer a question, kept for as long as that is right: to count them
takes longer than anything else about a page."""

from __future__ import annotations

from collections import OrderedDict

REMEMBERED = 1_000
"""Questions, the latest asked."""


class Totals:
    """For each question its last total, and the version of the table that it was counted in."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._known: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __contains__(self, question: str) -> bool:
        """Whether it was counted at all, in whichever version."""
        return question in self._known

    def of(self, question: str, version: int) -> int | None:
        """The total in this version, if it is known."""
        known = self._known.get(question)
        if known is None or known[0] != version:
            return None
        self._known.move_to_end(question)
        return known[1]

    def keep(self, question: str, version: int, total: int) -> None:
        self._known[question] = (version, total)
        self._known.move_to_end(question)
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)
