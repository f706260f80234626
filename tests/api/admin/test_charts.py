"""Counts over time as bars."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.admin.kit.charts import HEIGHT, bar_chart
from projections.lists.dates import DateCount
from projections.registration_counts import UNIT_LENGTHS, Series, Unit

BEGIN = datetime(2030, 5, 17, 22, tzinfo=UTC)


def series(*counts: int, unit: Unit = "hour") -> Series:
    return Series(
        unit, [DateCount(BEGIN + n * UNIT_LENGTHS[unit], c) for n, c in enumerate(counts)]
    )


@pytest.mark.parametrize(
    ("most", "scale"),
    [
        (0, [1, 0]),
        (1, [1, 0]),
        (2, [2, 1, 0]),
        (3, [4, 2, 0]),
        (10, [10, 5, 0]),
        (11, [20, 10, 0]),
        (99, [100, 50, 0]),
        (834, [1000, 500, 0]),
    ],
)
def test_the_scale_ends_at_a_round_number(most: int, scale: list[int]) -> None:
    assert bar_chart(series(0, most), "a", "A").scale == scale


def test_bars_stand_side_by_side_as_high_as_their_counts() -> None:
    bars = bar_chart(series(5, 0, 10), "a", "A").bars
    assert [bar.height for bar in bars] == [HEIGHT / 2, 0, HEIGHT]
    assert [bar.y + bar.height for bar in bars] == [HEIGHT] * 3
    assert [bar.x for bar in bars] == [0.1, 1.1, 2.1]


def test_a_chart_has_a_description_in_words() -> None:
    chart = bar_chart(series(1, 3, 2), "a", "A")
    assert chart.description == (
        "6 in total, per hour, from 17 May, 22:00 to 18 May, 00:00 (UTC); "
        "the maximum, 3, on 17 May, 23:00."
    )
    assert chart.total == 6


def test_labels_have_equal_distances_from_first_to_last() -> None:
    chart = bar_chart(series(*range(31), unit="day"), "a", "A")
    assert chart.labels == ["17 May 2030", "27 May 2030", "6 Jun 2030", "16 Jun 2030"]
    assert bar_chart(series(1), "a", "A").labels == ["17 May, 22:00"]
    assert bar_chart(series(1, 1), "a", "A").labels == ["17 May, 22:00", "17 May, 23:00"]
