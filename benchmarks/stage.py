"""The common environment of all measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from benchmarks.results import Figures
from benchmarks.servers import Server
from benchmarks.sizes import Sizes

Turn = Callable[[], Mapping[str, float]]
"""One contender's turn: what it reached, by what was measured."""


class Stage(msgspec.Struct, frozen=True):
    folder: Path
    """Temporary files: logs, data directories."""
    server: Server
    sizes: Sizes
    progress: Callable[[str], None]
    """Shows progress."""

    def interleaved(self, turns: Mapping[str, Turn]) -> dict[str, Figures]:
        """Rounds in which each contender has its turn, one after the other: the figures of each,
        by what was measured."""
        found: dict[str, dict[str, list[float]]] = {}
        for number in range(self.sizes.rounds):
            for contender, turn in turns.items():
                self.server.settle()
                reached = turn()
                for what, value in reached.items():
                    found.setdefault(what, {}).setdefault(contender, []).append(value)
                figures = ", ".join(f"{value:,.2f} {what}" for what, value in reached.items())
                self.progress(f"round {number + 1}: {contender}: {figures}")
        return {
            what: {contender: tuple(values) for contender, values in by_contender.items()}
            for what, by_contender in found.items()
        }
