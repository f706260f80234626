"""The commands `visitors`: an operator lists, exports and imports the people of one event."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import UUID, uuid4

import msgspec
from psycopg import AsyncConnection
from rich.console import Console
from rich.progress import Progress

from api.csv_files.reading import MalformedFile
from api.database.query import Query
from api.visitor_export import RunQuery, exported, pages_of
from api.visitor_files import FILE_LIMIT
from api.visitor_import import ImportedLine, Terms, counts_of, imported, visitors_in
from domain.application import APPLICATION
from domain.core.errors import InvalidFields, NotFound, ProblemError
from domain.history.batch import Execute, Origin
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.rehearsal import rehearsal
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from domain.visitors import VisitorStatus
from events_face.commands.audit_output import ignore_broken_pipe, print_text
from projections.event_visitors import next_visitors
from projections.events import get_event
from projections.questions import questions_ever
from projections.visitors import VisitorRow
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings

T = TypeVar("T")

Report = Callable[[int], None]
"""Called with the number of lines that are done."""

STANDARD = Path("-")
"""Standard input or output."""

_COLUMNS = "{:<11}  {:>5}  {:<20}  {:<20}  {:<36}  {}"

HEADER = _COLUMNS.format("status", "place", "since", "checked in", "id", "name and email")


def list_all(
    settings: Settings, services: Services, *, event_id: UUID, status: VisitorStatus | None
) -> None:
    keys = installation_keys(settings, services.database_url)

    async def run() -> None:
        async with await connect(services.database_url) as connection:
            await _require_event(connection, event_id)
            print_text(HEADER)
            async for rows in pages_of(_on(connection), keys, event_id, status):
                print_text(*map(_line, rows))

    with ignore_broken_pipe():
        asyncio.run(run())


def export(
    settings: Settings,
    services: Services,
    *,
    event_id: UUID,
    status: VisitorStatus | None,
    output: Path | None,
) -> None:
    """Write the file. One that could not be finished is removed."""
    keys = installation_keys(settings, services.database_url)

    async def write(file: BinaryIO, bar: Report) -> int:
        """Returns the number of lines."""
        lines = 0
        async with await connect(services.database_url) as connection:
            await _require_event(connection, event_id)
            async for part in exported(_on(connection), keys, event_id, status=status):
                file.write(part.encode())
                bar(lines := lines + part.count("\r\n"))
        return lines

    if output is None or output == STANDARD:
        with ignore_broken_pipe():
            asyncio.run(write(sys.stdout.buffer, lambda _: None))
        return
    with _new_file(output) as file, _progress("Exporting") as bar:
        lines = asyncio.run(write(file, bar))
    sys.stdout.write(f"{output}: {lines - 1} visitors\n")


def import_file(
    settings: Settings,
    services: Services,
    *,
    event_id: UUID,
    file: Path,
    dry_run: bool,
    over_capacity: bool,
    join_waiting_list: bool,
    silent: bool,
) -> None:
    """Print the counts, and to stderr what became of the lines that were not registered. Raises
    CommandFailed when the file cannot be read: then nothing is imported."""
    try:
        records = visitors_in(_contents(file))
    except (MalformedFile, InvalidFields) as error:
        wrong = "; ".join(f"{where} {what}" for where, what in error.messages.items())
        raise CommandFailed(f"{file} cannot be imported: {wrong}") from None
    terms = Terms(
        over_capacity=over_capacity, join_waiting_list=join_waiting_list, notify=not silent
    )
    keys = installation_keys(settings, services.database_url)
    origin = Origin(actor="system:cli", correlation_id=str(uuid4()))
    lines = list[ImportedLine]()

    async def run(bar: Report) -> None:
        async with await connect(services.database_url) as connection:
            asked = await questions_ever(connection, event_id)
        async with _executing(services.database_url, keys, dry_run=dry_run) as execute:
            async for portion in imported(records, event_id, asked, terms, execute, origin):
                lines.extend(portion.lines)
                bar(len(lines))

    try:
        with _progress("Importing", len(records)) as bar:
            asyncio.run(run(bar))
    except ProblemError as error:
        done = f" after {len(lines)} of {len(records)} lines; run it again" if lines else ""
        raise CommandFailed(f"{error}{done}") from None
    counts = msgspec.structs.asdict(counts_of(lines))
    summary = ", ".join(f"{outcome} {count}" for outcome, count in counts.items())
    sys.stdout.write(f"{'dry run: ' if dry_run else ''}{summary}\n")
    sys.stderr.writelines(
        f"line {line.line}: {line.outcome}, {line.reason}\n" for line in lines if line.reason
    )


def _on(connection: AsyncConnection[Any]) -> RunQuery:
    def run(query: Query[T], /) -> Awaitable[T]:
        return query(connection)

    return run


@asynccontextmanager
async def _executing(
    database_url: str, keys: InstallationKeys, *, dry_run: bool
) -> AsyncIterator[Execute]:
    if dry_run:
        async with (
            await connect(database_url) as connection,
            rehearsal(connection, keys, APPLICATION) as execute,
        ):
            yield execute
    else:
        async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
            yield writer.execute


async def _require_event(connection: AsyncConnection[Any], id: UUID) -> None:
    """Raises CommandFailed when there is no such event, nor anybody who registered for it."""
    if await get_event(connection, id) or await next_visitors(connection, id, limit=1):
        return
    raise CommandFailed(str(NotFound("event", id)))


def _line(row: VisitorRow) -> str:
    return _COLUMNS.format(
        "erased" if row.person is None else row.status,
        row.queue_position or "",
        _time(row.registered_at),
        _time(row.checked_in_at) if row.checked_in_at else "",
        str(row.id),
        f"{row.full_name} <{row.email}>" if row.person else "",
    )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _contents(file: Path) -> bytes:
    """Raises CommandFailed."""
    try:
        with sys.stdin.buffer if file == STANDARD else file.open("rb") as opened:
            data = opened.read(FILE_LIMIT + 1)
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror}") from None
    if len(data) > FILE_LIMIT:
        raise CommandFailed(f"{file} is too large: {FILE_LIMIT >> 20} MiB at most")
    return data


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Readable by its owner only, as all that commands write."""
    try:
        with path.open("xb") as file:
            try:
                yield file
            except BaseException:
                path.unlink()
                raise
    except FileExistsError:
        raise CommandFailed(f"{path} exists already") from None
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from None


@contextmanager
def _progress(what: str, total: int | None = None) -> Iterator[Report]:
    """On a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda lines: progress.update(bar, completed=lines)
