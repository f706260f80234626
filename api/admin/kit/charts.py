"""Bar charts of counts over time, as SVG.

`parts/chart.html` renders them: the drawing stretches with the page, so its labels are HTML, and a
table lists the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from projections.registration_counts import Series, Unit

HEIGHT = 100
"""Height of the drawing in its own units; each bar has a width of one, gap included."""

TOPS = (1, 2, 4, 6, 8, 10)
"""Possible ends of the scale, times a power of ten."""

LABELS = 4
"""Date labels below the drawing, at most."""


class Bar(msgspec.Struct, frozen=True):
    label: str
    count: int
    x: float
    height: float

    @property
    def y(self) -> float:
        return HEIGHT - self.height


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """Unique on the page."""
    title: str
    description: str
    unit: Unit
    zone: str
    """The time zone of its labels."""
    bars: Sequence[Bar]
    scale: Sequence[int]
    """Labels of the scale, from the top to zero."""
    labels: Sequence[str]
    """Labels of the first bar of each part of the drawing, and of the last bar."""

    @property
    def total(self) -> int:
        return sum(bar.count for bar in self.bars)


def bar_chart(series: Series, name: str, title: str, zone: str = "UTC") -> Chart:
    """The series as bars, the earliest on the left; `zone` names the time zone that it is counted
    in."""
    counts = series.counts
    most = max(counts, key=lambda c: c.count)
    top = _top(most.count)
    labels = [_label(series.unit, c.begin) for c in counts]
    bars = [
        Bar(label, c.count, x=place + 0.1, height=round(c.count / top * HEIGHT, 2))
        for place, (label, c) in enumerate(zip(labels, counts, strict=True))
    ]
    return Chart(
        name=name,
        title=title,
        description=(
            f"{sum(c.count for c in counts)} in total, per {series.unit}, from {labels[0]} to "
            f"{labels[-1]} ({zone}); the maximum, {most.count}, on "
            f"{_label(series.unit, most.begin)}."
        ),
        unit=series.unit,
        zone=zone,
        bars=bars,
        scale=[top, top // 2, 0] if top % 2 == 0 else [top, 0],
        labels=_spread(labels),
    )


def _top(most: int) -> int:
    """The smallest round number that is large enough."""
    power: int = 10 ** (len(str(most)) - 1)
    return next(step * power for step in TOPS if step * power >= most)


def _spread(labels: Sequence[str]) -> list[str]:
    """Some of the labels, evenly spaced, with the first and the last."""
    count = min(LABELS, len(labels))
    if count == 1:
        return list(labels)
    return [labels[round(n * (len(labels) - 1) / (count - 1))] for n in range(count)]


def _label(unit: Unit, begin: datetime) -> str:
    return f"{begin:%-d %b, %H:%M}" if unit == "hour" else f"{begin:%-d %b %Y}"
