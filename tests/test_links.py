"""Links between our Markdown pages lead to a file and to a heading; named files and decisions
exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PAGES = [*ROOT.glob("*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob("docs/**/*.md")]
DECISIONS = sorted(ROOT.glob("docs/decisions/[0-9]*.md"))

ROOMS = ("domain", "runtime", "projections", "api", "workers", "events_face", "tests")

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
SOURCE = re.compile(r"`(\w+/[\w/]+\.(?:py|sql))`")
DECISION = re.compile(r"docs/decisions/(\d{4}[\w-]*)|decision (\d{4})")


def prose(page: Path) -> str:
    return CODE_BLOCK.sub("", page.read_text("utf-8"))


def anchor(heading: str) -> str:
    """The fragment by which code hosting sites link to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):  # another site
            continue
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        anchors = map(anchor, HEADING.findall(prose(target))) if fragment else ()
        if not target.exists() or (fragment and fragment not in anchors):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_the_index_has_each_decision_with_its_title(page: Path) -> None:
    number, _, title = page.read_text("utf-8").partition("\n")[0].removeprefix("# ").partition(" ")
    assert page.name.startswith(f"{number}-")
    index = (page.parent / "README.md").read_text("utf-8")
    assert f"| [{number}]({page.name}) | {title} |" in index


def test_each_decision_that_a_source_file_names_exists() -> None:
    sources = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    named = {
        slug or number
        for file in [*sources, *PAGES, ROOT / "Containerfile"]
        for slug, number in DECISION.findall(file.read_text("utf-8"))
    }
    assert len(named) > 5
    assert [name for name in named if not any(d.stem.startswith(name) for d in DECISIONS)] == []


def test_each_file_that_the_architecture_names_exists() -> None:
    named = SOURCE.findall((ROOT / "docs" / "architecture.md").read_text("utf-8"))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).is_file()] == []
