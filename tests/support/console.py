"""Console sessions in our Markdown, run as a reader types them, and compared with what they show.

A session shows the ids, links and secrets of the day it was written; a run has others. Each is
replaced by the one that the run prints in its place, also in later commands, where a reader would
replace it.
In printed lines `...` matches anything, and a confirmation code matches any other.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from tests.support.processes import STDOUT, run
from tests.support.waiting import DEADLINE, PAUSE

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.+(?:\n {4}.+)*)\n((?:(?!\$ ).+\n)*)", re.MULTILINE)

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
LINK = r"[a-z2-7]{40,}"
"""The end of a visitor's link."""

SECRET = r"whsec_[0-9A-Za-z+/]{43}="
"""Of a webhook."""

_SHAPES = (SECRET, UUID, LINK)
_VARYING = re.compile("|".join(_SHAPES))

CHANGES = re.compile(r"curl .*(-d|-X) ", re.DOTALL)


class Command(msgspec.Struct, frozen=True):
    typed: str
    printed: str

    @property
    def only_reads(self) -> bool:
        return CHANGES.match(self.typed) is None


def commands(section: str) -> Iterator[Command]:
    for block in BLOCK.findall(section):
        for typed, printed in COMMAND.findall(block):
            yield Command(typed, printed.rstrip("\n"))


class Console:
    """A shell whose variables stay from command to command."""

    def __init__(self, folder: Path, variables: Mapping[str, str], origin: str) -> None:
        self._folder = folder
        self._before = "".join(f"{name}='{value}'\n" for name, value in variables.items())
        self._origin = origin
        self._replacements: dict[str, str] = {}

    def type(self, command: Command) -> None:
        """Raises AssertionError unless it prints what the page shows. One that only reads is typed
        again until it does, as by a reader who was too quick."""
        script = self.of_today(command.typed)
        if not command.printed:
            self._before += f"{script}\n"
            return
        printed = self._run(script)
        ends = time.monotonic() + DEADLINE
        while not self._is_shown(command.printed, printed):
            again = command.only_reads and time.monotonic() < ends
            assert again, f"{script}\nprinted\n{printed}\nand not\n{command.printed}"
            time.sleep(PAUSE)
            printed = self._run(script)

    def _run(self, script: str) -> str:
        environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        shell = ["bash", "-c", self._before + script]
        return run(shell, cwd=self._folder, env=environ, stderr=STDOUT).stdout.strip()

    def _is_shown(self, page: str, printed: str) -> bool:
        """Also learns the replacements of ids and links."""
        matched = re.fullmatch(self._pattern(page), printed, re.DOTALL)
        if matched is None:
            return False
        self._replacements |= zip(self._unknown(page), matched.groups(), strict=True)
        return True

    def _unknown(self, text: str) -> list[str]:
        return [known for known in _VARYING.findall(text) if known not in self._replacements]

    def _pattern(self, page: str) -> str:
        pattern = ".*".join(map(re.escape, self.of_today(page).split("...")))
        pattern = re.sub(r"(?<=code\\ is\\ )\d{4}", r"\\d{4}", pattern)
        for unknown in self._unknown(page):
            shape = next(shape for shape in _SHAPES if re.fullmatch(shape, unknown))
            pattern = pattern.replace(re.escape(unknown), f"({shape})", 1)
        return pattern

    def of_today(self, text: str) -> str:
        """The text with the ids, links and secrets of this run."""
        text = text.replace("http://127.0.0.1:8000", self._origin)
        for old, new in self._replacements.items():
            text = text.replace(old, new)
        return text
