"""The results: comparisons, their ratios, and the file that stores them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.sizes import Sizes

OURS = "Events-Face"

Figures = Mapping[str, tuple[float, ...]]
"""Contender -> what it reached in each round."""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be reached: `text` as people read it, and as a number either how many times
    better than `beside`, or the bound that our figure must keep to."""

    text: str
    beside: str | None = None
    times: float = 1.0
    bound: float | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    what: str
    unit: str
    figures: Figures
    more_is_better: bool = True
    ours: str = OURS
    """The contender that all others are compared with."""
    reaches: tuple[Reach, ...] = ()

    def median(self, contender: str) -> float:
        return statistics.median(self.figures[contender])

    def spread(self, contender: str) -> float:
        """The range of all rounds, as a share of the median."""
        values, median = self.figures[contender], self.median(contender)
        return (max(values) - min(values)) / median if median else 0.0

    def ratio(self, contender: str) -> float:
        """How many times better than this contender we are; below 1 it is the better one."""
        ours, theirs = self.median(self.ours), self.median(contender)
        better, worse = (ours, theirs) if self.more_is_better else (theirs, ours)
        return better / worse if worse else float("inf")

    def meets(self, reach: Reach) -> bool:
        if reach.beside is not None:
            return self.ratio(reach.beside) >= reach.times
        if reach.bound is None:
            return True
        ours = self.median(self.ours)
        return ours >= reach.bound if self.more_is_better else ours <= reach.bound


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one run; all figures of a comparison were taken in that run, turn by turn."""

    at: str
    revision: str
    seconds: float
    load_before: float
    """Load average of the minute before; below one on a quiet machine."""
    settings: Mapping[str, str]
    """PostgreSQL's."""
    sizes: Sizes
    comparisons: tuple[Comparison, ...]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    measures: Mapping[str, Measured]

    def with_measure(self, name: str, measured: Measured) -> Results:
        return msgspec.structs.replace(self, measures={**self.measures, name: measured})


def load(file: Path) -> Results:
    return msgspec.json.decode(file.read_bytes(), type=Results)


def save(results: Results, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
