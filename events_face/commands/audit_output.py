"""What the `audit` commands print: events as lines of a table, and values as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from domain import application  # noqa: F401  printing needs to know every event class
from domain.audit.entry import LoggedEvent
from domain.history.codec import to_json
from runtime import output

_COLUMNS = "{:>9}  {:<20}  {:<27}  {:<36}  {:>4}  {:<36}  {}"

HEADER = _COLUMNS.format("position", "time", "type", "aggregate", "v", "actor", "data")


def line(event: LoggedEvent) -> str:
    """The event as a line below `HEADER`."""
    notes = [f"({event.personal})"] if event.personal else []
    if event.unreadable:
        notes.append(f"(unreadable: {event.unreadable})")
    return _COLUMNS.format(
        event.position,
        f"{event.time:%Y-%m-%dT%H:%M:%SZ}" if event.time else "",
        event.type,
        str(event.aggregate_id),
        event.aggregate_version,
        event.actor or "",
        " ".join([as_json(event.data), *notes]),
    )


def as_json(value: object) -> str:
    return to_json(value).decode()


def print_text(*lines: str) -> None:
    """Print lines for a person to read. What others have written cannot control the terminal."""
    print_lines(*map(printable, lines))


def print_lines(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """End quietly when the reader of the output, such as `head`, has closed it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        output.discard_stdout()


def printable(line: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)
