"""Durations as people type and read them: `1 day`, `2 hours 30 minutes`."""

from __future__ import annotations

import re

from domain.core.durations import Duration

_UNITS = ("day", "hour", "minute", "second")

_WORDS = re.compile(r"(\d{1,7})\s*(weeks?|w|days?|d|hours?|h|minutes?|min|m)", re.IGNORECASE)


def in_words(duration: str) -> str:
    seconds = int(Duration(duration).length.total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = zip((days, hours, minutes, seconds), _UNITS, strict=True)
    return " ".join(f"{number} {unit}{'s' * (number != 1)}" for number, unit in parts if number)


def from_words(text: str) -> str:
    """In ISO 8601; the text itself if it is neither, so that the field's check refuses it."""
    found = _WORDS.findall(text)
    if not found or _WORDS.sub("", text).replace("and", "").strip():
        return text
    minutes = sum(int(number) * _MINUTES[unit[0].lower()] for number, unit in found)
    return f"PT{minutes}M"


_MINUTES = {"w": 7 * 1_440, "d": 1_440, "h": 60, "m": 1}
