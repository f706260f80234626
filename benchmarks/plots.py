"""Bars for each comparison, as SVG: readable in light and dark, and by a screen reader."""

from __future__ import annotations

from html import escape
from pathlib import Path

from benchmarks.report import number
from benchmarks.results import Comparison, Results

WIDTH, LABELS, BARS = 800, 260, 400
BAR, GAP, TITLE = 16, 6, 30

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 13px }
.label { text-anchor: end }
rect { fill: #8c959f }
.ours { fill: #1f6feb }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  rect { fill: #6e7681 }
  .ours { fill: #58a6ff }
}
"""


def draw(results: Results, folder: Path) -> None:
    """One picture a measure."""
    folder.mkdir(exist_ok=True)
    for name, measured in results.measures.items():
        compared = [c for c in measured.comparisons if len(c.figures) > 1]
        if compared:
            (folder / f"{name}.svg").write_text(picture(name, compared))


def picture(name: str, comparisons: list[Comparison]) -> str:
    parts, top = [], 0
    for comparison in comparisons:
        parts.append(_bars(comparison, top))
        top += TITLE + len(comparison.figures) * (BAR + GAP) + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">'
        f"<title>{escape(name)}</title><style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _bars(comparison: Comparison, top: int) -> str:
    """Lengths are true to each other within a comparison."""
    medians = {contender: comparison.median(contender) for contender in comparison.figures}
    most = max(medians.values()) or 1.0
    better = "more is better" if comparison.more_is_better else "less is better"
    title = escape(f"{comparison.what} ({better})")
    parts = [f'<text class="title" x="0" y="{top + 20}">{title}</text>']
    for place, (contender, median) in enumerate(medians.items()):
        y = top + TITLE + place * (BAR + GAP)
        kind = ' class="ours"' if contender == comparison.ours else ""
        width = max(1.0, median / most * BARS)
        label = f"{number(median)} {escape(comparison.unit)}"
        parts.append(
            f'<text class="label" x="{LABELS - 8}" y="{y + 12}">{escape(contender)}</text>'
            f'<rect{kind} x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
            f'<text x="{LABELS + width + 6:.1f}" y="{y + 12}">{label}</text>'
        )
    return "".join(parts)
