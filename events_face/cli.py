"""The command line: reads the settings, brings the services, calls what the table names.

Exits with 0 on success, 1 on a failure whose reason is one line on stderr, 2 on wrong usage.
"""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from events_face.commands.options import Command, value_of
from events_face.commands.table import COMMANDS, GROUPS
from runtime import lifeline, output
from runtime.errors import CommandFailed, WrongUsage, in_words
from runtime.heartbeat import HEARTBEAT
from runtime.settings import Settings

if TYPE_CHECKING:
    import psycopg


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one sub-command and exit."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _exit_orderly)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # `nohup` has it ignored
        signal.signal(signal.SIGHUP, _stop_as_by_sigterm)
    try:
        _run(COMMANDS[given.command], given)
        sys.stdout.flush()
    except WrongUsage as misunderstanding:
        _fail(str(misunderstanding), code=2)
    except CommandFailed as failure:
        _fail(str(failure))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except _tables_missing() as error:
        from domain.core.availability import BRING_BACK, missing_table

        _fail(f"{missing_table(error)}: {BRING_BACK}")
    except _connection_errors() as error:
        _fail(f"the database or the broker cannot be used: {str(error) or type(error).__name__}")
    except OSError as error:  # a full disk, for one
        if COMMANDS[given.command].role:
            raise
        output.discard_stdout()
        _fail(in_words(error))
    sys.exit(0)


def _run(command: Command, given: argparse.Namespace) -> None:
    from runtime import logging
    from runtime.embedded.services import has_installation, require_installation, services
    from runtime.secret_key import with_secret_key, with_stored_key

    os.umask(0o077)  # whatever is kept is kept private
    lifeline.hold()
    HEARTBEAT.begin()
    chosen = {"DATA_DIR": given.data_dir} if given.data_dir else {}
    settings = Settings.load({**os.environ, **chosen})
    if not command.begins and not command.offline:
        require_installation(settings)
    is_new = command.begins and not has_installation(settings)
    settings = (with_secret_key if is_new else with_stored_key)(settings)
    logging.configure(given.command, settings)
    options = {
        option.name: value_of(option, getattr(given, option.name), settings)
        for option in command.options
    }
    module, name = command.function.split(":")
    function = getattr(importlib.import_module(module), name)
    if not command.needs_services:
        function(settings, **options)
        return
    with services(settings, keep_trying=command.role) as found:
        if command.role:
            from events_face.commands.schema import require_migrated
            from runtime.checks import at_start

            at_start.check(given.command, settings, found)
            require_migrated(found.database_url)
        function(settings, found, **options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="events-face",
        description="Event-sourced registration for events.",
        epilog="Example: events-face up",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the release, and exit")
    top = parser.add_subparsers(required=True, metavar="COMMAND")
    among = {"": top}
    for words, command in COMMANDS.items():
        group, _, name = words.rpartition(" ")
        if group not in among:
            text = GROUPS[group]
            grouping = top.add_parser(
                group,
                help=text,
                description=_sentence(text),
                epilog=f"Example: {command.example}",
            )
            among[group] = grouping.add_subparsers(required=True, metavar="COMMAND")
        sub = among[group].add_parser(
            name,
            help=command.help,
            description=_sentence(command.help),
            epilog=f"Example: {command.example}",
        )
        sub.set_defaults(command=words)
        sub.add_argument("--data-dir", metavar="DIR", help="where data is kept (DATA_DIR)")
        for option in command.options:
            more = dict(option.more)
            if option.flag.startswith("-"):
                more["dest"] = option.name
            sub.add_argument(option.flag, help=option.help, **more)
    return parser


class _Version(argparse.Action):
    def __call__(self, *_: object) -> NoReturn:
        from runtime.release import release

        sys.stdout.write(f"events-face {release()}\n")
        sys.exit(0)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _stop_as_by_sigterm(number: int, frame: FrameType | None) -> None:
    """The terminal was closed: what this process has started must not go on without it."""
    os.kill(os.getpid(), signal.SIGTERM)


def _exit_orderly(number: int, frame: FrameType | None) -> NoReturn:
    """Let SIGTERM unwind what is held, as Ctrl-C does; roles with their own loop replace it."""
    sys.exit(128 + number)


def _tables_missing() -> "tuple[type[psycopg.Error], ...]":
    from domain.core.availability import TABLES_MISSING

    return TABLES_MISSING


def _connection_errors() -> tuple[type[Exception], ...]:
    """Imported only once something has gone wrong: --help stays quick."""
    import psycopg
    import redis

    from domain.core.availability import UNAVAILABLE
    from domain.history.batch import OutcomeUnknown

    return (
        *UNAVAILABLE,
        psycopg.errors.InsufficientPrivilege,
        redis.ConnectionError,
        redis.TimeoutError,
        OutcomeUnknown,
    )


def _fail(reason: str, *, code: int = 1) -> NoReturn:
    sys.stderr.write(f"events-face: {' '.join(reason.split())}\n")
    sys.exit(code)
