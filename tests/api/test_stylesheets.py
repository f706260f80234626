"""The design that all pages share (docs/decisions/0091-one-design.md)."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

import api

ALL = sorted(Path(api.__file__).parent.glob("*/assets/*.css"))
BASE = next(path for path in ALL if path.name == "base.css")
OTHERS = [path for path in ALL if path != BASE]

TEXT, SHAPE = 4.5, 3.0
"""Least contrasts of WCAG 2.2, level AA: of text, and of what a control is recognized by."""

SURFACES = ("page", "surface", "hover")

PAIRS = [
    *((front, back, TEXT) for front, back in product(("text", "soft", "accent", "bad"), SURFACES)),
    *((front, f"{front}-page", TEXT) for front in ("accent", "good", "warn", "bad")),
    *(("text", f"{back}-page", TEXT) for back in ("accent", "good", "warn", "bad")),
    ("on-accent", "accent", TEXT),
    ("on-bad", "bad", TEXT),
    ("on-dark", "solid-good", TEXT),
    ("on-dark", "solid-bad", TEXT),
    ("on-light", "solid-warn", TEXT),
    ("edge", "surface", SHAPE),
    ("accent", "surface", SHAPE),
]


@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_what_stands_on_a_colour_can_be_read(
    front: str, back: str, least: float, scheme: int
) -> None:
    colours = _colours()
    assert _contrast(colours[front][scheme], colours[back][scheme]) >= least


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_only_the_base_names_colours(path: Path) -> None:
    named = re.findall(r"#[0-9a-fA-F]{3,8}(?=[;, )])|\b(?:rgb|hsl|oklch|light-dark)\(", _css(path))
    assert named == []


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_each_variable_that_is_used_is_set(path: Path) -> None:
    known = set(re.findall(r"(--[a-z0-9-]+):", _css(BASE) + _css(path)))
    used = set(re.findall(r"var\((--[a-z0-9-]+)", _css(path)))
    assert used - known == set()


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_text_has_a_size_of_the_scale(path: Path) -> None:
    """Beside it only sizes relative to what is around, and the word that a door shows."""
    sizes = re.findall(r"font-size: ([^;}]+)", _css(path))
    odd = [size for size in sizes if not re.fullmatch(r"var\(--[a-z]+\)|inherit|[\d.]+%", size)]
    assert odd == (["2.1rem"] if path.name == "door.css" else [])


def _css(path: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def _colours() -> dict[str, tuple[str, str]]:
    """By name: the light and the dark form."""
    found = re.findall(r"--([a-z-]+): (?:light-dark\((#\w+), (#\w+)\)|(#\w+))", _css(BASE))
    return {name: (light or both, dark or both) for name, light, dark, both in found}


def _contrast(front: str, back: str) -> float:
    darker, lighter = sorted([_luminance(front), _luminance(back)])
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
