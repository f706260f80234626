"""The command `audit export`: history as JSON Lines, one event per line in the form of the log.

An export ends at the position that was the last one when it began. It holds one batch of events in
memory; an interrupted export can continue after its last complete line.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from rich.console import Console
from rich.progress import Progress

from domain.audit.entry import open_personal_data
from domain.audit.log import Criteria, find_sealed, read_page
from domain.history.store import connect, last_position
from domain.privacy.keys import InstallationKeys
from events_face.commands.audit_options import criteria_from, record
from events_face.commands.audit_output import ignore_broken_pipe
from runtime.embedded.services import Services
from runtime.errors import CommandFailed, WrongUsage
from runtime.installation import installation_keys
from runtime.settings import Settings

BATCH_SIZE = 1_000
"""Events in memory at a time."""

Report = Callable[[int, int], None]
"""Called with the position reached and the last position."""

_to_lines = msgspec.json.Encoder().encode_lines


def export(
    settings: Settings,
    services: Services,
    *,
    output: Path | None,
    resume: bool,
    after: int | None,
    personal: bool,
    **asked: Any,
) -> None:
    """Write the events after a position to the file, or to standard output."""
    criteria = criteria_from(**asked)
    if resume and output is None:
        raise WrongUsage("--resume needs the file of the interrupted export: add --output")
    keys = installation_keys(settings, services.database_url)
    start = after or 0
    if output is None:
        with ignore_broken_pipe():
            asyncio.run(
                _write(services.database_url, keys, criteria, start, personal, sys.stdout.buffer)
            )
        return
    with _opened(output, resume=resume) as file, _progress() as report:
        start = max(start, _end_of_whole_lines(file))
        count = asyncio.run(
            _write(services.database_url, keys, criteria, start, personal, file, report)
        )
        file.flush()
        os.fsync(file.fileno())
    sys.stdout.write(f"{output}: events written after position {start}: {count}\n")


async def _write(
    database_url: str,
    keys: InstallationKeys,
    criteria: Criteria,
    start: int,
    personal: bool,
    file: BinaryIO,
    report: Report = lambda reached, end: None,
) -> int:
    """Write the events; returns their number."""
    count = 0
    async with await connect(database_url) as connection:
        end = await last_position(connection)
        if personal:
            sealed = await find_sealed(connection, criteria, after=start, up_to=end)
            await record(connection, keys, sealed.disclosure(criteria))
        place: int | None = start
        while place is not None:
            report(place, end)
            page = await read_page(connection, criteria, limit=BATCH_SIZE, after=place, up_to=end)
            events = page.events
            if personal:
                events = await open_personal_data(connection, events, keys)
            file.write(_to_lines(events))
            count += len(events)
            place = page.next_after
        report(end, end)
    return count


@contextmanager
def _opened(path: Path, *, resume: bool) -> Iterator[BinaryIO]:
    """The file to append to: a new one, or with `resume` an existing one."""
    try:
        with path.open("a+b" if resume else "xb") as file:
            yield file
    except FileExistsError:
        raise CommandFailed(f"{path} exists already; add --resume to continue it") from None
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from None


def _end_of_whole_lines(file: BinaryIO) -> int:
    """The position in the last complete line, 0 without one; an incomplete line is removed."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return 0
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        end = text.rfind(b"\n") + 1
        line = text[text.rfind(b"\n", 0, max(end - 1, 0)) + 1 : end]
    try:
        position = msgspec.json.decode(line, type=_Line).position if line else 0
    except msgspec.DecodeError:
        raise CommandFailed(
            f"{file.name} is not an export: its last line has no position"
        ) from None
    file.truncate(end)
    return position


class _Line(msgspec.Struct):
    position: int


@contextmanager
def _progress() -> Iterator[Report]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("Exporting", total=None)
        yield lambda reached, end: progress.update(bar, completed=reached, total=end)
