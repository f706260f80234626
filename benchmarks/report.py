"""Renders the results as a table, in the terminal and in docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results import Comparison, Results

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

COLUMNS = ("measure", "", "median", "spread", "ratio", "goal")

Line = tuple[str, str, str, str, str, str]


def show(comparisons: Iterable[Comparison], console: Console) -> None:
    table = Table(*COLUMNS)
    for comparison in comparisons:
        for line in lines(comparison):
            table.add_row(*line)
        table.add_section()
    console.print(table)


def lines(comparison: Comparison) -> list[Line]:
    """Ours first; the ratio says how many times better we are."""
    found: list[Line] = []
    contenders = [comparison.ours, *(c for c in comparison.figures if c != comparison.ours)]
    for contender in contenders:
        ours = contender == comparison.ours
        found.append(
            (
                comparison.what if ours else "",
                contender,
                f"{number(comparison.median(contender))} {comparison.unit}",
                _spread(comparison, contender),
                "" if ours else f"{number(comparison.ratio(contender))} ×",
                "; ".join(_verdicts(comparison, contender)),
            )
        )
    return found


def _verdicts(comparison: Comparison, contender: str) -> Iterable[str]:
    for reach in comparison.reaches:
        if reach.beside == contender or (reach.beside is None and contender == comparison.ours):
            yield f"{reach.text}: {'reached' if comparison.meets(reach) else 'not reached'}"


def _spread(comparison: Comparison, contender: str) -> str:
    rounds = len(comparison.figures[contender])
    return f"{comparison.spread(contender):.0%}" if rounds > 1 else ""


def number(value: float) -> str:
    """Three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def render(results: Results, page: Path) -> None:
    """Write the tables between the two marks of the page."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    page.write_text(f"{before}{begin}\n{markdown(results)}\n{end}{after}")


def markdown(results: Results) -> str:
    software = ", ".join(f"{name} {value}" for name, value in results.versions.items())
    on = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    parts = [f"Machine: {on}.", "", f"Software: {software}."]
    for name, measured in results.measures.items():
        rounds = f"{measured.sizes.rounds} round{'s' if measured.sizes.rounds > 1 else ''}"
        taken = f"At {measured.at}, revision {measured.revision}, {rounds}."
        parts += ["", f"### {name}", "", taken, ""]
        parts += [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
        for comparison in measured.comparisons:
            parts += [_row(line) for line in lines(comparison)]
        if any(len(comparison.figures) > 1 for comparison in measured.comparisons):
            parts += ["", f"![{name}](performance/{name}.svg)"]
    return "\n".join(parts) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
