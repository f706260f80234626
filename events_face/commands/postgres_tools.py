"""Finds and runs `pg_dump` and `pg_restore` of a version that fits the server.

A newer `pg_dump` can read an older server, and an older `pg_restore` can write to a newer one; the
reverse does not work.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runtime.embedded.cluster import binary
from runtime.errors import CommandFailed

DEBIAN_FOLDER = Path("/usr/lib/postgresql")


class Tool(msgspec.Struct, frozen=True):
    program: Path
    release: int
    """Major version of the program."""

    def run(self, *arguments: str, database_url: str | None = None) -> bytes:
        """Run the program; returns its output. Raises `CommandFailed` with its error message."""
        environment, connection = dict(os.environ), list[str]()
        if database_url is not None:
            parts = conninfo_to_dict(database_url)
            if password := parts.pop("password", None):  # all users can see the arguments
                environment["PGPASSWORD"] = str(password)
            connection = [f"--dbname={make_conninfo('', **parts)}"]
        ended = subprocess.run(
            [self.program, *connection, *arguments],
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if ended.returncode != 0:
            raise CommandFailed(_reason(ended.stderr.decode(errors="replace")))
        return ended.stdout


def pg_dump(server: int) -> Tool:
    """The oldest `pg_dump` that reads a server of this major version. Raises `CommandFailed`."""
    fitting = [tool for tool in _found("pg_dump") if tool.release >= server]
    if not fitting:
        raise CommandFailed(_missing("pg_dump", f"{server} or newer", server))
    return min(fitting, key=lambda tool: tool.release)


def pg_restore(server: int) -> Tool:
    """The newest `pg_restore` that writes to a server of this major version. Raises
    `CommandFailed`."""
    fitting = [tool for tool in _found("pg_restore") if tool.release <= server]
    if not fitting:
        raise CommandFailed(_missing("pg_restore", f"{server} or older", server))
    return max(fitting, key=lambda tool: tool.release)


def _missing(name: str, wanted: str, server: int) -> str:
    others = sorted({tool.release for tool in _found(name)})
    known = f" (found: {', '.join(map(str, others))})" if others else ""
    return (
        f"no {name} of PostgreSQL {wanted} is on the PATH{known}:"
        f" install postgresql-client-{server}, or the package of your system"
    )


def _found(name: str) -> Iterator[Tool]:
    for program in _candidates(name):
        output = subprocess.run(
            [program, "--version"], check=False, capture_output=True, text=True
        ).stdout
        if version := re.search(r"\(PostgreSQL\) (\d+)", output):
            yield Tool(program, int(version[1]))


def _candidates(name: str) -> Sequence[Path]:
    candidates = sorted(DEBIAN_FOLDER.glob(f"*/bin/{name}"))
    if on_path := shutil.which(name):
        candidates.append(Path(on_path))
    with suppress(CommandFailed):  # the image has no embedded server
        candidates.append(binary(name))
    return [program for program in candidates if os.access(program, os.X_OK)]


def _reason(output: str) -> str:
    """The first error in the output of a program, or its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = (line.partition("error:")[2].strip() for line in lines if "error:" in line)
    return next(errors, lines[-1] if lines else "it gave no reason")
