"""Comparisons: medians, ratios, what is reached, and the file and page that they end up in."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.plots import draw
from benchmarks.report import BEGIN, END, lines, number, render
from benchmarks.results import OURS, Comparison, Measured, Reach, Results, load, save
from benchmarks.sizes import QUICK

PEER = "another <framework>"

RATES = Comparison(
    what="registrations",
    unit="/s",
    figures={PEER: (90.0, 100.0, 200.0), OURS: (5_000.0, 4_000.0, 4_500.0)},
    reaches=(
        Reach(text="40 × another", beside=PEER, times=40),
        Reach(text="50 × another", beside=PEER, times=50),
        Reach(text="4,000/s", bound=4_000),
    ),
)
TIMES = Comparison(
    what="answers",
    unit="ms",
    figures={OURS: (2.0,), PEER: (30.0,)},
    more_is_better=False,
    reaches=(Reach(text="1 ms", bound=1), Reach(text="3 ms", bound=3)),
)


def results(*comparisons: Comparison) -> Results:
    measured = Measured(
        at="2030-01-01T10:00+00:00",
        revision="abc1234",
        seconds=1.0,
        load_before=0.1,
        settings={"fsync": "on"},
        sizes=QUICK,
        comparisons=comparisons,
    )
    return Results(
        machine={"cores": "2"}, versions={"Python": "3.11"}, measures={"answering": measured}
    )


def test_a_ratio_says_how_many_times_better_we_are_by_the_median() -> None:
    assert RATES.ratio(PEER) == 45
    assert TIMES.ratio(PEER) == 15


def test_the_spread_is_a_share_of_the_median() -> None:
    assert RATES.spread(PEER) == pytest.approx(1.1)
    assert TIMES.spread(PEER) == 0


def test_a_goal_is_a_ratio_or_a_bound() -> None:
    assert [RATES.meets(reach) for reach in RATES.reaches] == [True, False, True]
    assert [TIMES.meets(reach) for reach in TIMES.reaches] == [False, True]


def test_a_table_begins_with_the_product_and_shows_which_goals_are_reached() -> None:
    ours, theirs = lines(RATES)

    assert ours == ("registrations", OURS, "4,500 /s", "22%", "", "4,000/s: reached")
    assert theirs[2:] == (
        *("100 /s", "110%", "45.0 ×"),
        "40 × another: reached; 50 × another: not reached",
    )


def test_numbers_have_three_significant_digits() -> None:
    assert [number(n) for n in (1234.5, 99.94, 9.876, 0.123)] == ["1,234", "99.9", "9.88", "0.12"]


def test_a_repeated_measure_replaces_only_its_earlier_result(
    tmp_path: Path,
) -> None:
    file = tmp_path / "results" / "2030-01-01.json"
    before = results(RATES)
    save(before.with_measure("other", before.measures["answering"]), file)

    save(load(file).with_measure("answering", results(TIMES).measures["answering"]), file)

    found = load(file).measures
    assert found["answering"].comparisons == (TIMES,)
    assert found["other"].comparisons == (RATES,)


def test_the_page_gets_the_tables_between_its_marks_and_keeps_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Before\n{BEGIN}\nold\n{END}\nafter\n")

    for _ in range(2):
        render(results(RATES, TIMES), page)

    text = page.read_text()
    assert text.startswith(f"# Before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert text.count("| registrations | Events-Face | 4,500 /s |") == 1


def test_a_picture_has_a_bar_for_each_contender_as_long_as_its_figure(tmp_path: Path) -> None:
    draw(results(RATES), tmp_path / "plots")

    picture = ElementTree.parse(tmp_path / "plots" / "answering.svg")  # noqa: S314  our own
    svg = "{http://www.w3.org/2000/svg}"
    widths = [float(bar.attrib["width"]) for bar in picture.iter(f"{svg}rect")]
    assert widths == [pytest.approx(400 * 100 / 4_500, abs=0.1), 400]
    assert PEER in [text.text for text in picture.iter(f"{svg}text")]
