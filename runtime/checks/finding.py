"""The result of a check, and how to fix a problem."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "error"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename={"message": "says"}):
    """`doctor --json` calls the message `says`."""

    check: str
    """What was examined."""
    level: Level
    message: str
    remedy: str | None = None
    """How to fix it; None when the level is `ok`."""


def ok(check: str, message: str) -> Finding:
    return Finding(check=check, level="ok", message=message)


def warning(check: str, message: str, remedy: str) -> Finding:
    """It works, but it is a risk."""
    return Finding(check=check, level="warning", message=message, remedy=remedy)


def error(check: str, message: str, remedy: str) -> Finding:
    """Something does not work, or a guarantee is not kept."""
    return Finding(check=check, level="error", message=message, remedy=remedy)


def in_one_line(failure: Exception) -> str:
    """The message of the error in one line: PostgreSQL errors may have several."""
    return " ".join(str(failure).split()).rstrip(".") or type(failure).__name__
