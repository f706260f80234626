"""The Chromium that browser tests run in. `make browser` runs this file, to get one."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from playwright.async_api import async_playwright

from tests.support.processes import TimeoutExpired, run

NO_BROWSER = "no Chromium was found (`make browser` gets one, CHROMIUM=/path/to/it names one)"
"""Why browser tests are skipped."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

PATIENCE = 600.0
"""Seconds that one way of getting it may take."""


def find() -> str | None:
    """The one that `CHROMIUM` names, or one on the PATH, or Playwright's own."""
    if named := os.environ.get("CHROMIUM"):
        return named
    if installed := next(filter(None, map(shutil.which, NAMES)), None):
        return installed
    own = asyncio.run(_playwrights_own())
    return own if Path(own).exists() else None


@cache
def found() -> str | None:
    """As `find`, looked for once."""
    return find()


async def _playwrights_own() -> str:
    async with async_playwright() as playwright:
        return playwright.chromium.executable_path


def get() -> str | None:
    """The system's package where there is apt-get and we may use it, else Playwright's own."""
    playwright = [sys.executable, "-m", "playwright", "install", "chromium"]
    for commands in (_by_apt(), [playwright]):
        if commands and all(_succeeds(command) for command in commands) and (found := find()):
            return found
    return None


def _by_apt() -> list[list[str]]:
    """The commands that install it; none where we may not."""
    if shutil.which("apt-get") is None:
        return []
    if os.geteuid() == 0:
        become_root = []
    elif shutil.which("sudo") and _succeeds(["sudo", "-n", "true"]):
        become_root = ["sudo", "-n"]
    else:
        return []
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
    return [[*become_root, "apt-get", "update"], [*become_root, *install]]


def _succeeds(command: Sequence[str]) -> bool:
    print("$", *command, flush=True)  # noqa: T201
    try:
        return run(command, timeout=PATIENCE, stdout=None, stderr=None).returncode == 0
    except (OSError, TimeoutExpired):
        return False


if __name__ == "__main__":
    chromium = find() or get()
    print(f"Browser tests run in {chromium}" if chromium else f"They will be skipped: {NO_BROWSER}")  # noqa: T201
