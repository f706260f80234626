"""What a check has found, and what is to be done about it."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "error"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    check: str
    """What was looked at."""
    level: Level
    says: str
    remedy: str | None = None
    """What mends it; None when nothing is wrong."""


def ok(check: str, says: str) -> Finding:
    return Finding(check=check, level="ok", says=says)


def warning(check: str, says: str, remedy: str) -> Finding:
    """It works, and an operator should know."""
    return Finding(check=check, level="warning", says=says, remedy=remedy)


def error(check: str, says: str, remedy: str) -> Finding:
    """Something does not work, or what was promised is not kept."""
    return Finding(check=check, level="error", says=says, remedy=remedy)


def in_one_line(failure: Exception) -> str:
    """Its message; PostgreSQL's client has some of several lines."""
    return " ".join(str(failure).split()).rstrip(".") or type(failure).__name__
